"""Builds small `.tflite` models in memory and proves the generated C equal to the oracle on them.

    x = TensorSpec((1, 8, 8, 3), scale=0.5, zero_point=-3)
    y = TensorSpec((1, 8, 8, 3), scale=0.1, zero_point=4)
    assert_bit_exact(build_model("RELU", None, [x], [y]))

A tensor with `data` is a constant; `None` among the inputs is an absent optional input. The same object
given twice is the same tensor. `build_graph` joins several ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.detections import settled, unset_of_model
from mcugen.tflite.schema import load_schema

schema = load_schema()

_TYPE_CODES = {
    "float32": 0,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
    "uint32": 15,
    "int4": 17,
}


@dataclass(frozen=True, eq=False)
class TensorSpec:
    """A tensor: `scale` and `zero_point` are a number, a sequence (per channel along `axis`), or None."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float | Sequence[float] | None = None
    zero_point: int | Sequence[int] = 0
    axis: int = 0
    data: NDArray[Any] | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Node:
    """One op: TFLite name, schema options object (see `options`) or None, and its tensors.

    A custom op's name is `CUSTOM:<name>`, its options are bytes.
    """

    op: str
    options: Any
    inputs: Sequence[TensorSpec | None]
    outputs: Sequence[TensorSpec]


def constant(
    data: NDArray[Any],
    scale: float | Sequence[float] | None = None,
    zero_point: int | Sequence[int] = 0,
    axis: int = 0,
    name: str = "",
) -> TensorSpec:
    """A constant tensor of the array's own shape and dtype."""
    return TensorSpec(data.shape, data.dtype.name, scale, zero_point, axis, data, name)


def options(table: str, **fields: Any) -> Any:
    """A schema options object, for example `options("Conv2DOptions", strideH=2)`; unknown fields raise."""
    made = getattr(schema, f"{table}T")()
    for field, value in fields.items():
        if not hasattr(made, field):
            raise AttributeError(f"{table} has no field {field}")
        setattr(made, field, value)
    return made


def build_model(op: str, op_options: Any, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> bytes:
    """A model of one op. Its inputs are those of `inputs` that hold no data, each once."""
    return build_graph([Node(op, op_options, inputs, outputs)], outputs)


def _tensors_of(nodes: Sequence[Node]) -> list[TensorSpec]:
    return list(dict.fromkeys(t for n in nodes for t in (*n.inputs, *n.outputs) if t is not None))


def inputs_of(nodes: Sequence[Node]) -> list[TensorSpec]:
    """The inputs of the model that `build_graph` makes of these nodes, in its order."""
    written = {tensor for node in nodes for tensor in node.outputs}
    return [t for t in _tensors_of(nodes) if t.data is None and t not in written]


def build_graph(nodes: Sequence[Node], outputs: Sequence[TensorSpec]) -> bytes:
    """A model of several ops in execution order. Tensors nobody writes and without data are its inputs."""
    specs = _tensors_of(nodes)
    ids = {spec: index for index, spec in enumerate(specs)}

    buffers = [schema.BufferT()]
    tensors = []
    for index, spec in enumerate(specs):
        tensor = schema.TensorT()
        tensor.shape = list(spec.shape)
        tensor.type = _TYPE_CODES[spec.dtype]
        tensor.name = (spec.name or f"t{index}").encode()
        tensor.buffer = 0
        if spec.data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(_stored(spec.data, spec.dtype), np.uint8)
            tensor.buffer = len(buffers)
            buffers.append(buffer)
        if spec.scale is not None:
            tensor.quantization = _quantization(spec)
        tensors.append(tensor)

    codes: list[str] = list(dict.fromkeys(node.op for node in nodes))
    subgraph = schema.SubGraphT()
    subgraph.name = b"main"
    subgraph.tensors = tensors
    subgraph.inputs = [ids[s] for s in inputs_of(nodes)]
    subgraph.outputs = [ids[s] for s in outputs]
    subgraph.operators = []
    for node in nodes:
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(node.op)
        operator.inputs = [-1 if t is None else ids[t] for t in node.inputs]
        operator.outputs = [ids[t] for t in node.outputs]
        if isinstance(node.options, bytes):
            operator.customOptions = np.frombuffer(node.options, np.uint8)
        elif node.options is not None:
            table = type(node.options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = node.options
        subgraph.operators.append(operator)

    model = schema.ModelT()
    model.version = 3
    model.description = b"test"
    model.operatorCodes = [_operator_code(name) for name in codes]
    model.subgraphs = [subgraph]
    model.buffers = buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _stored(data: NDArray[Any], dtype: str) -> bytes:
    """The bytes of a buffer; int4 is given as int8, and stored two to a byte, the first in the low half."""
    if dtype != "int4":
        return np.ascontiguousarray(data).tobytes()
    halves = np.append(data.reshape(-1), np.zeros(data.size % 2, np.int8)).astype(np.uint8) & 15
    return (halves[::2] | halves[1::2] << 4).astype(np.uint8).tobytes()


def _operator_code(name: str) -> Any:
    code = schema.OperatorCodeT()
    builtin, _, custom = name.partition(":")
    code.customCode = custom.encode() if custom else None
    code.builtinCode = getattr(schema.BuiltinOperator, builtin)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    return code


def _quantization(spec: TensorSpec) -> Any:
    scales = np.atleast_1d(np.asarray(spec.scale, np.float32))
    zeros = np.broadcast_to(np.asarray(spec.zero_point, np.int64), scales.shape)
    quantization = schema.QuantizationParametersT()
    quantization.scale = scales.tolist()
    quantization.zeroPoint = zeros.tolist()
    quantization.quantizedDimension = spec.axis
    return quantization


def oracle(model: bytes, samples: Sequence[Sequence[NDArray[Any]]]) -> list[list[NDArray[Any]]]:
    """Outputs of `tflite_micro` for every sample (a sample is one array per model input).

    Rows without a detection, which it leaves as the memory was, are zeros.
    """
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 22)
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    subgraph, unset = whole.subgraphs[0], unset_of_model(whole)
    results = []
    for sample in samples:
        for index, array in enumerate(sample):
            interpreter.set_input(array, index)
        interpreter.invoke()
        outputs = [interpreter.get_output(i).copy() for i in range(len(subgraph.outputs))]
        results.append(settled(unset, [int(i) for i in subgraph.outputs], outputs))
    return results


def make_samples(model: bytes, count: int, seed: int = 0) -> list[list[NDArray[Any]]]:
    """Inputs for a model: all lowest, all highest, lowest and highest mixed, then uniformly random ones."""
    subgraph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)).subgraphs[0]
    names = {code: name for name, code in _TYPE_CODES.items()}
    rng = np.random.default_rng(seed)

    def draw(tensor_id: int, kind: int) -> NDArray[Any]:
        tensor = subgraph.tensors[tensor_id]
        shape = tuple(int(d) for d in tensor.shape) if tensor.shape is not None else ()
        dtype = np.dtype(names[tensor.type])
        low, high = (-100.0, 100.0) if dtype.kind == "f" else _limits(dtype)
        if kind == 0:
            return np.full(shape, low, dtype)
        if kind == 1:
            return np.full(shape, high, dtype)
        if kind == 2:
            return rng.choice(np.array([low, high], dtype), shape).astype(dtype)
        if dtype.kind == "f":
            return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3)).astype(dtype)
        return rng.integers(low, high, shape, dtype=np.int64, endpoint=True).astype(dtype)

    return [[draw(int(t), kind) for t in subgraph.inputs] for kind in range(3 + count)]


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def assert_bit_exact(
    model: bytes,
    samples: int | Sequence[Sequence[NDArray[Any]]] = 4,
    *,
    seed: int = 0,
    optimized: bool = False,
    flags: Sequence[str] = ("-O1",),
    target: Target | None = None,
    goal: Goal = DEFAULT_GOAL,
) -> list[list[NDArray[Any]]]:
    """Reads, plans, emits and compiles `model` for the host, and compares every output with the oracle.

    `samples` is the number of random samples beside three extreme ones, or the samples themselves. `optimized`
    runs the passes first; `target` and `goal` choose the kernels. Returns the outputs, so that a test can check
    that they say something.
    """
    given = make_samples(model, samples, seed) if isinstance(samples, int) else samples
    expected = oracle(model, given)
    graph = optimize(read_graph(model)) if optimized else read_graph(model)
    with HostModel(make_plan(graph, target, goal), flags=flags) as host:
        for number, (sample, wanted) in enumerate(zip(given, expected, strict=True)):
            for index, (got, want) in enumerate(zip(host.run(list(sample)), wanted, strict=True)):
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got.reshape(want.shape), want, err_msg=f"sample {number}, output {index}")
    return expected

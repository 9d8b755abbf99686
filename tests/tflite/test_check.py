"""The one check of a hostile file: every refusal, and that all readers say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.errors import ModelError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite import check
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import load_schema, pack_model, unpack_model
from tests.convert.float_models import FloatModel, small_dense

S = load_schema()

READERS: tuple[Callable[[bytes], object], ...] = (convert, read_graph, read_view)


def changed(change: Callable[[Any, Any], object], data: bytes | None = None) -> bytes:
    model = unpack_model(data or small_dense())
    change(model, model.subgraphs[0])
    return pack_model(model)


def quantization(scale: list[float], zero: list[int], axis: int = 0) -> Any:
    return S.QuantizationParametersT(
        scale=np.array(scale, np.float32), zeroPoint=np.array(zero, np.int64), quantizedDimension=axis
    )


def quantized(i: int, scale: list[float], zero: list[int], axis: int = 0) -> Callable[[Any, Any], None]:
    return lambda _model, graph: setattr(graph.tensors[i], "quantization", quantization(scale, zero, axis))


def put(part: str, i: int, field: str, value: Any) -> Callable[[Any, Any], None]:
    """Sets a field of a tensor or an op of the main subgraph."""
    return lambda _model, graph: setattr(getattr(graph, part)[i], field, value)


def of_main(field: str, value: Any) -> Callable[[Any, Any], None]:
    return lambda _model, graph: setattr(graph, field, value)


def of_model(field: str, value: Any) -> Callable[[Any, Any], None]:
    return lambda model, _graph: setattr(model, field, value)


def second(change: Callable[[Any], object]) -> Callable[[Any, Any], None]:
    """A second subgraph, which has the fault."""

    def add(model: Any, _graph: Any) -> None:
        other = unpack_model(small_dense()).subgraphs[0]
        change(other)
        model.subgraphs.append(other)

    return add


def no_axis(_model: Any, graph: Any) -> None:
    graph.tensors[3].shape, graph.tensors[3].quantization = None, quantization([1.0, 2.0], [])


# Tensors of the model: 0 input, 1 weights (8, 4), 2 bias (8), 3 hidden, 4 weights, 5 bias, 6 logits, 7 output.
FAULTS: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "no subgraph": (of_model("subgraphs", []), "^the model holds no subgraph"),
    "no buffers": (of_model("buffers", None), "^the model holds no buffers"),
    "subgraphs": (lambda m, g: m.subgraphs.extend([S.SubGraphT()] * 1000), "^the model claims 1001 subgraphs"),
    "no inputs": (of_main("inputs", None), "^the model has no inputs"),
    "no outputs": (of_main("outputs", np.array([], np.int32)), "^the model has no outputs"),
    "no operators": (of_main("operators", None), "^the model holds no operators"),
    "inputs": (of_main("inputs", np.array([-1], np.int32)), "^inputs: names a tensor that does not exist"),
    "outputs": (of_main("outputs", np.array([8], np.int32)), "^outputs: names a tensor that does not exist"),
    "twice": (of_main("inputs", np.array([0, 0], np.int32)), "^the model names the same input twice"),
    "code": (put("operators", 1, "opcodeIndex", 3), "^op 1: names an operator code that does not exist"),
    "no codes": (of_model("operatorCodes", None), "^op 0: names an operator code that does not exist"),
    "op input": (
        put("operators", 0, "inputs", np.array([0, -2], np.int32)),
        "^op 0 FULLY_CONNECTED: names a tensor that does not exist",
    ),
    "op output": (
        put("operators", 2, "outputs", np.array([-1], np.int32)),
        "^op 2 SOFTMAX: names a tensor that does not exist",
    ),
    "op intermediate": (
        put("operators", 2, "intermediates", np.array([8], np.int32)),
        "^op 2 SOFTMAX: names a tensor that does not exist",
    ),
    "negative": (put("tensors", 1, "shape", np.array([-8, -4], np.int32)), r'^tensor 1 ".+": has the impossible shape'),
    "elements": (put("tensors", 3, "shape", np.array([1 << 13, (1 << 12) + 1], np.int32)), "has the impossible shape"),
    "dimensions": (put("tensors", 3, "shape", np.ones(9, np.int32)), r"has the impossible shape \[1, 1, 1, 1, 1, 1,"),
    "buffer": (put("tensors", 1, "buffer", 5), '^tensor 1 ".+": names buffer 5, which does not exist'),
    "sparse": (put("tensors", 1, "sparsity", S.SparsityParametersT()), "is sparse|levels do not describe"),
    "offset": (lambda m, g: setattr(m.buffers[g.tensors[1].buffer], "offset", 2), "data outside the flatbuffer"),
    "external": (put("tensors", 1, "externalBuffer", 1), "keeps its data outside the flatbuffer"),
    "bytes": (
        put("tensors", 1, "shape", np.array([8, 5], np.int32)),
        r"holds 128 bytes where its shape \[8, 5\] needs 160",
    ),
    "int4": (put("tensors", 1, "type", S.TensorType.INT4), r"holds 128 bytes where its shape \[8, 4\] needs 16"),
    "scale": (quantized(1, [float("nan")], [0]), "has a scale that is not a finite, non-negative number"),
    "denormal": (
        quantized(1, [1.4e-45], [0]),
        r"^op 0 FULLY_CONNECTED: a tensor has the scale 1\.4\d*e-45, below the smallest normal float32",
    ),
    "option": (
        lambda m, g: setattr(g.operators[2].builtinOptions, "beta", float("inf")),
        r"^op 2 SOFTMAX: has the option beta = inf",
    ),
    "below zero": (quantized(1, [-1.0], [0]), "has a scale that is not a finite, non-negative number"),
    "zero point": (quantized(3, [1.0], [1 << 31]), "has a zero point outside the range of float32"),
    "zero points": (quantized(1, [1.0] * 8, [0] * 7), "has 8 scales but 7 zero points"),
    "axis": (quantized(1, [1.0] * 8, [0] * 8, axis=1), r"has 8 scales for shape \[8, 4\] along axis 1"),
    "no axis": (
        lambda m, g: (quantized(3, [1.0] * 2, [])(m, g), put("tensors", 3, "shape", None)(m, g)),
        r"shape \[\]",
    ),
    "scales of an input": (quantized(0, [1.0, 2, 3, 4], [], axis=1), '^tensor 0 "x": has 4 scales, but inputs and'),
    "scales of an output": (quantized(7, [1.0, 2, 3], [], axis=1), '^tensor 7 "t7": has 3 scales, but inputs and'),
    "constant input": (of_main("inputs", np.array([1], np.int32)), 'tensor 1 ".+": is a model input and a constant'),
    "variable input": (put("tensors", 0, "isVariable", True), 'tensor 0 "x": is a model input and a variable at once'),
    "empty input": (put("tensors", 0, "shape", np.array([1, 0], np.int32)), 'tensor 0 "x": is a model input without'),
    "signature": (
        put("tensors", 0, "shapeSignature", np.array([-1], np.int32)),
        r'tensor 0 "x": has the shape \[1, 4\], but the signature \[-1\]',
    ),
    "variable": (put("tensors", 1, "isVariable", True), 'tensor 1 ".+": is a variable and a constant at once'),
    "metadata": (of_model("metadata", [S.MetadataT(name="a", buffer=5)]), "^metadata: names buffer 5, which does not"),
    "second subgraph": (
        second(lambda g: setattr(g.tensors[3], "shape", np.array([-1], np.int32))),
        'tensor 3 "t3" of subgraph 1: has the impossible shape',
    ),
    "second subgraph's op": (
        second(lambda g: setattr(g.operators[0], "inputs", np.array([9], np.int32))),
        "^op 0 FULLY_CONNECTED of subgraph 1: names a tensor that does not exist",
    ),
    "second subgraph's inputs": (
        second(lambda g: setattr(g, "inputs", np.array([0, 0], np.int32))),
        "^subgraph 1: the model names the same input twice",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_reader_refuses_it_in_the_same_words(fault: str) -> None:
    change, message = FAULTS[fault]
    data, said = changed(change), set()
    for read in READERS:
        with pytest.raises(ModelError, match=message) as caught:
            read(data)
        said.add(str(caught.value))
    assert len(said) == 1


def test_the_sound_model_is_taken() -> None:
    """The faults above are refused for themselves."""
    assert len(open_model(small_dense()).main.operators) == 3


@pytest.mark.parametrize("what", ["tensors", "ops"])
def test_claims_of_too_many(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = {"tensors": 8, "ops": 3}[what]
    monkeypatch.setattr(check, f"_MOST_{what.upper()}", count)
    assert open_model(small_dense())
    monkeypatch.setattr(check, f"_MOST_{what.upper()}", count - 1)
    with pytest.raises(ModelError, match=f"the model claims {count} {what}; {count - 1} are the most"):
        open_model(small_dense())


def test_a_constant_may_be_as_large_as_a_tensor() -> None:
    """The limit itself is allowed."""
    model = unpack_model(small_dense())
    model.subgraphs[0].tensors[3].shape = np.array([1 << 13, 1 << 12], np.int32)
    assert open_model(pack_model(model))


def test_variables_that_together_are_too_large() -> None:
    """Each could be; a small file could make the host hold thousands."""
    model = FloatModel()
    y = model.op("RELU", [model.input((1, 4))], (1, 4))
    large = [model.tensor((1 << 24,), "INT8", f"state{n}", isVariable=True) for n in range(3)]
    data = model.build(y)
    with pytest.raises(ModelError, match=f'tensor {large[2]} "state2": the variables up to here are larger'):
        open_model(data)
    assert open_model(changed(lambda m, g: g.tensors.pop(), data))


def test_an_axis_out_of_range_on_a_bias_is_taken_as_tflm_takes_it() -> None:
    data = changed(quantized(2, [1.0] * 8, [0] * 8, axis=3))
    assert check.channel_axis(open_model(data).main.tensors[2]) == 0


def test_what_a_file_leaves_out_is_empty() -> None:
    def add(model: Any, _graph: Any) -> None:
        model.subgraphs.append(S.SubGraphT())

    other = open_model(changed(add)).schema.subgraphs[1]
    assert (other.tensors, other.operators) == ([], [])


def test_one_large_buffer_under_many_tensors_is_held_once() -> None:
    """A small hostile file must not make the host copy a constant for every tensor that names it."""
    graph = read_graph(changed(lambda m, g: g.tensors.extend([g.tensors[1]] * 2)))
    first, *others = (graph.tensor(i).data for i in (1, 8, 9))
    assert first is not None
    assert all(other is not None and np.shares_memory(first, other) for other in others)

"""What a user can do about ops that do not run: one place for the advice of all refusals; a survey of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mcugen.errors import UnsupportedOpError

if TYPE_CHECKING:
    from mcugen.graph.types import Graph, Op
    from mcugen.ops.base import OpSpec

REWRITES: Mapping[str, str] = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "build the LSTM layer with unroll=True, or give an int8 .tflite of the model",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "build the LSTM layers with unroll=True",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "build the RNN layer with unroll=True",
    "WHILE": "build recurrent layers with unroll=True",
    "IF": "remove the control flow from the model",
    "CUMSUM": "multiply with a triangle of ones: the reference's int8 kernel adds the zero point to every sum",
    "GELU": "use relu, relu6 or hard_swish in its place",
    "SVDF": "give an int8 .tflite of the model",
    "CONV_3D": "use Conv2D over the joined dimensions",
    "POW": "multiply the tensor with itself, or take its rsqrt",
    "SQRT": "multiply the tensor with its rsqrt",
    "EXP": "use softmax, sigmoid or tanh, which have exact int8 forms",
    "RELU_0_TO_1": "use ReLU with max_value=6, or minimum and maximum",
    "TILE": "use BROADCAST_TO (tf.broadcast_to) over dimensions of 1, at most five",
    "TOPK_V2": "take ARG_MAX, or sort on the host",
    "UNIQUE": "move it out of the model, before or behind it",
    "NON_MAX_SUPPRESSION_V4": "cut the model before it and do it in the application",
    "NON_MAX_SUPPRESSION_V5": "cut the model before it and do it in the application",
    "RANDOM_UNIFORM": "leave dropout and noise out of the exported model",
    "RANDOM_STANDARD_NORMAL": "leave dropout and noise out of the exported model",
    "CUSTOM:FlexErf": "use gelu with approximate=True or relu in its place",
}
"""What to write instead of ops that do not run, or not in int8."""

Name = Literal["tflm", "float32", "rewrite", "custom op"]


@dataclass(frozen=True)
class Way:
    """Something that would work. `how` tells in one clause."""

    name: Name
    how: str


@dataclass(frozen=True)
class Missing:
    """An op that does not run as it stands.

    Attributes:
        index: its position in the model file.
        problem: what is wrong; `rule` is the limit that it breaks, "" where there is none.
    """

    index: int
    kind: str
    name: str
    problem: str
    rule: str
    ways: tuple[Way, ...]

    @property
    def where(self) -> str:
        return f'op {self.index} {self.kind} "{self.name}"'


def ways(kind: str, *, quantizing: bool = False) -> tuple[Way, ...]:
    """What would work for an op that is missing.

    Args:
        kind: TFLite's name of the op, or `CUSTOM:<name>`.
        quantizing: it is one of a float model that is to become int8.
    """
    from mcugen.ops import builtin
    from mcugen.tflm.resolver import BUILTINS, CUSTOMS

    found = []
    name = kind.removeprefix("CUSTOM:")
    flex = kind.startswith("CUSTOM:Flex")
    if quantizing and any("float32" in spec.types for spec in builtin().get(kind, ())):
        found.append(Way("float32", "--no-quantize runs the model in float32, where this op has a kernel"))
    if not quantizing and (kind in BUILTINS or name in CUSTOMS):
        found.append(Way("tflm", "--runtime tflm: TensorFlow Lite Micro has a kernel of this name"))
    if kind.startswith("CUSTOM:") and not flex and not quantizing:
        how = f"--custom-op {name}=path/kernel.c with a kernel of your own (docs/CUSTOM_OPS.md)"
        found.append(Way("custom op", how))
    if kind in REWRITES:
        found.append(Way("rewrite", REWRITES[kind]))
    elif flex:
        how = "write the layer with TensorFlow Lite's built-in ops, and leave SELECT_TF_OPS away"
        found.append(Way("rewrite", how))
    else:
        found.append(Way("rewrite", rewrite_with()))
    return tuple(found)


def rewrite_with() -> str:
    """The ops that a layer can be written with, as part of a sentence."""
    from mcugen.convert.rules import RULES
    from mcugen.ops import builtin

    return f"write the layer with these ops: {', '.join(sorted(set(RULES) & set(builtin())))}"


def hint(kinds: Sequence[str], *, quantizing: bool = False) -> str:
    """The ways for missing ops, as the last part of a refusal."""
    parts: dict[str, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        text = ", or ".join(way.how for way in ways(kind, quantizing=quantizing))
        parts.setdefault(text, []).append(kind)
    told = "; ".join(f"for {', '.join(kinds)}: {text}" for text, kinds in parts.items())
    return f"What would work {told}. mcugen inspect MODEL --fallback tells of every op"


def missing_ops(graph: Graph) -> tuple[Missing, ...]:
    """The ops of a graph that the ahead-of-time runtime does not run, subgraphs included."""
    from mcugen import ops
    from mcugen.ops.control import ControlOptions

    found: list[Missing] = []
    for op in graph.ops:
        spec = ops.spec_of(graph, op)
        if spec is None:
            found.append(Missing(op.index, op.kind, op.name, _unknown(op.kind), "", ways(op.kind)))
        else:
            found += _broken_rule(graph, op, spec)
        for nested in op.options.graphs if isinstance(op.options, ControlOptions) else ():
            found += missing_ops(nested)
    return tuple(found)


def _unknown(kind: str) -> str:
    if kind.startswith("CUSTOM:Flex"):
        return "it needs TensorFlow itself (SELECT_TF_OPS)"
    return "it is a custom operator" if kind.startswith("CUSTOM:") else "it has no ahead-of-time kernel"


def _broken_rule(graph: Graph, op: Op, spec: OpSpec) -> list[Missing]:
    for constraint in spec.constraints:
        problem = constraint(graph, op)
        if problem:
            rule = " ".join((constraint.__doc__ or "").split()).rstrip(".")
            others = tuple(way for way in ways(op.kind) if way.name != "rewrite" or op.kind in REWRITES)
            return [Missing(op.index, op.kind, op.name, problem, rule, others)]
    return []


def survey(source: object, *, quantize: bool = True) -> tuple[str, int, tuple[Missing, ...]]:
    """(the model's name, its number of ops, those that are missing) of a model file or object.

    Args:
        source: as :func:`mcugen.convert.convert` takes it.
        quantize: a float model is to become int8; False: it stays float32.

    Raises:
        ModelError, ConversionError, ToolError: the model cannot be read, or not converted to `.tflite`.
    """
    from mcugen.convert.inspect_source import inspect_model
    from mcugen.convert.load import load_tflite
    from mcugen.convert.plain import plain_float
    from mcugen.convert.quantizer import without_rule
    from mcugen.convert.sources import identify
    from mcugen.graph import read_graph
    from mcugen.graph.schema import unpack_model

    found = identify(source)
    tflite, _ = load_tflite(found)
    model = unpack_model(tflite)
    try:
        inspection = inspect_model(model)
    except UnsupportedOpError:
        quantize = False  # an op of TensorFlow's or a custom one: nothing can be said about its int8 form
    else:
        quantize = quantize and inspection.form != "quantized"
    count = len(model.subgraphs[0].operators)
    if not quantize:
        return found.name, count, missing_ops(read_graph(tflite, found.name))
    plain_float(model, tflite, inspection, for_int8=True)
    return found.name, count, tuple(_unquantizable(model, i) for i in without_rule(model))


def _unquantizable(model: Any, index: int) -> Missing:
    kind, name = _named(model, index)
    return Missing(index, kind, name, "it has no int8 form that can be made here", "", ways(kind, quantizing=True))


def _named(model: Any, index: int) -> tuple[str, str]:
    from mcugen.convert import flat

    main = model.subgraphs[0]
    op = main.operators[index]
    outputs = flat.ints(op.outputs)
    name = flat.layer_of(flat.name_of(main.tensors[outputs[0]], outputs[0])) if outputs else ""
    return flat.kind_of(model, op), name

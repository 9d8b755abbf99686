"""What a user can do about ops that do not run: one place for the advice of all refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

REWRITES: Mapping[str, str] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": "in Keras, build the LSTM layers with unroll=True",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "in Keras, build the RNN layer with unroll=True",
    "IF": "remove the control flow from the model",
    "CUMSUM": "multiply with a triangle of ones: the reference's int8 kernel adds the zero point to every sum",
    "GELU": "use gelu with approximate=True, relu, relu6 or hard_swish instead",
    "SVDF": "give an int8 .tflite of the model",
    "CONV_3D": "use Conv2D over the joined dimensions",
    "POW": "multiply the tensor with itself, or take its rsqrt",
    "RELU_0_TO_1": "use ReLU with max_value=6, or minimum and maximum",
    "TILE": "use BROADCAST_TO (tf.broadcast_to) over dimensions of 1, at most five",
    "TOPK_V2": "use ARG_MAX, or sort on the host",
    "UNIQUE": "move it out of the model, in front of it or after it",
    "NON_MAX_SUPPRESSION_V4": "cut the model before it and do it in the application",
    "NON_MAX_SUPPRESSION_V5": "cut the model before it and do it in the application",
    "RANDOM_UNIFORM": "leave dropout and noise out of the exported model",
    "RANDOM_STANDARD_NORMAL": "leave dropout and noise out of the exported model",
    "CUSTOM:FlexErf": "use gelu with approximate=True or relu instead",
}
"""What to write instead of ops that do not run, or not in int8."""

Name = Literal["tflm", "float32", "rewrite", "custom op"]


@dataclass(frozen=True)
class Way:
    """Something that would work. `how` tells in one clause."""

    name: Name
    how: str


def ways(kind: str, *, quantizing: bool = False) -> tuple[Way, ...]:
    """Alternatives to an op that is missing.

    Args:
        kind: TFLite's name of the op, or `CUSTOM:<name>`.
        quantizing: it is one of a float model that is to become int8.
    """
    from mcugen.ops import builtin
    from mcugen.tflite.known_ops import BUILTINS, CUSTOMS

    found = []
    name = kind.removeprefix("CUSTOM:")
    flex = kind.startswith("CUSTOM:Flex")
    if quantizing and any("float32" in spec.types for spec in builtin().get(kind, ())):
        found.append(Way("float32", "`quantize=False` runs the model in float32, where this op has a kernel"))
    if not quantizing and (kind in BUILTINS or name in CUSTOMS):
        found.append(Way("tflm", '`runtime="tflm"`: TensorFlow Lite Micro has a kernel of this name'))
    if kind.startswith("CUSTOM:") and not flex and not quantizing:
        how = f'`custom_ops=["{name}=path/kernel.c"]` with a kernel of your own (docs/CUSTOM_OPS.md)'
        found.append(Way("custom op", how))
    if kind in REWRITES:
        found.append(Way("rewrite", REWRITES[kind]))
    elif flex:
        how = "write the layer with TensorFlow Lite's built-in ops, and omit SELECT_TF_OPS"
        found.append(Way("rewrite", how))
    else:
        found.append(Way("rewrite", rewrite_with()))
    return tuple(found)


def rewrite_with() -> str:
    """Where the ops are listed that a layer can be written with, as part of a sentence."""
    return "write the layer with other ops; docs/SUPPORTED_OPS.md lists them"


def hint(kinds: Sequence[str], *, quantizing: bool = False) -> str:
    """The ways for missing ops, as the last part of a refusal."""
    parts: dict[str, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        text = ", or ".join(way.how for way in ways(kind, quantizing=quantizing))
        parts.setdefault(text, []).append(kind)
    told = "; ".join(f"for {', '.join(kinds)}: {text}" for text, kinds in parts.items())
    return f"Alternatives {told}. Run mcugen inspect MODEL --fallback for the full list"

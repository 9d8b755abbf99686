"""A model's inputs and outputs, in words and as shapes of one sample."""

from __future__ import annotations

from collections.abc import Sequence

from mcugen.tflite.types import TensorSpec


def sample_shape(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of one sample: the input's without its batch of 1."""
    return spec.shape[1:] if len(spec.shape) > 1 and spec.shape[0] == 1 else spec.shape


def describe_inputs(inputs: Sequence[TensorSpec]) -> str:
    """What the model takes, for messages: "input": float32 (N, 28, 28, 1)."""
    return ", ".join(
        f'"{short_name(s.name)}": {s.dtype} (N, {", ".join(str(d) for d in sample_shape(s))})' for s in inputs
    )


def shown(text: str, most: int = 40) -> str:
    """A text out of data, fit for a message of one line."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:most]


def short_name(name: str) -> str:
    """A tensor's name without what converters add: serving_default_x:0 → x."""
    return name.removeprefix("serving_default_").split(":")[0]

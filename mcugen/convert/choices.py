"""What may be chosen when a float model is quantized. Every choice keeps to the TFLite specification."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mcugen.errors import ConversionError
from mcugen.names import Activations

Method = Literal["minmax", "percentile", "mse", "entropy"]

CALIBRATION_SAMPLES = 200


@dataclass(frozen=True)
class Choices:
    """How a float model is quantized. The defaults are those of `quantize`.

    Attributes:
        activations: "int8", or "int16" for the whole model, by TensorFlow's quantizer, which knows none of the other
            choices but the samples, `equalize` and `per_tensor_dense`.
        method: how an activation's range follows from what was observed: its ends ("minmax"), cut at percentiles, or
            with the smallest squared error or relative entropy (:mod:`mcugen.convert.histogram`).
        percentile: of the values that "percentile" keeps, at either end.
        samples: at most so many calibration samples, drawn with a fixed seed.
        per_channel_dense: one scale per output of a fully connected layer. Older runtimes run such layers wrongly.
        per_tensor_dense: with int16 activations, a single scale for all outputs of a fully connected layer, where
            TensorFlow's quantizer gives each its own. CMSIS-NN has no kernel for that.
        equalize: move scale from channel to channel between layers (:mod:`mcugen.convert.equalize`).
        correct_bias: take the mean error of rounded weights out of the biases.
        split_outputs: parts of an output that differ much in size become outputs of their own.
        wide: positions (in the float `.tflite`) of the ops that compute with int16 activations in an int8 model.
    """

    activations: Activations = "int8"
    method: Method = "minmax"
    percentile: float = 99.99
    samples: int = CALIBRATION_SAMPLES
    per_channel_dense: bool = False
    per_tensor_dense: bool = False
    equalize: bool = False
    correct_bias: bool = False
    split_outputs: bool = False
    wide: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConversionError(f'unknown calibration method "{self.method}"', hint=", ".join(get_args(Method)))
        if not 50 < self.percentile <= 100:
            raise ConversionError(f"{self.percentile:g} is not a valid percentile", hint="Pass one such as 99.99")
        if self.samples < 1:
            raise ConversionError(f"calibration is not possible with {self.samples} samples")
        if self.activations == "int16" and (
            self.method != "minmax" or self.per_channel_dense or self.correct_bias or self.split_outputs or self.wide
        ):
            raise ConversionError(
                "int16 activations use TensorFlow's quantizer, which does not support these choices",
                hint="Choose samples, equalize and per_tensor_dense only, or int8 activations",
            )
        if self.per_tensor_dense and self.activations != "int16":
            raise ConversionError(
                "`per_tensor_dense` is a choice for int16 activations",
                hint="Omit it: int8 has a single scale unless `per_channel_dense` is chosen",
            )

    @property
    def needs_statistics(self) -> bool:
        """Whether ranges alone do not tell enough about the activations."""
        return self.method != "minmax" or self.correct_bias

    def describe(self) -> str:
        """For people: what differs from the defaults, in a few words."""
        method = f"percentile {self.percentile:g}" if self.method == "percentile" else self.method
        parts = ["int16 activations"] if self.activations == "int16" else [method]
        if self.samples != CALIBRATION_SAMPLES:
            parts.append(f"{self.samples} samples")
        parts += ["equalized"] * self.equalize + ["dense per channel"] * self.per_channel_dense
        parts += ["dense per tensor"] * self.per_tensor_dense
        parts += ["bias corrected"] * self.correct_bias
        parts += ["outputs taken apart"] * self.split_outputs
        if self.wide:
            parts.append(f"{len(self.wide)} layer{'s' * (len(self.wide) != 1)} in int16")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

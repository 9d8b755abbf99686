"""What the convert stage gives: the model and the story of how it came about."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.choices import Choices
from mcugen.names import Activations
from mcugen.tflite.opened import OpenedModel
from mcugen.tflite.types import TensorSpec

SourceKind = Literal[
    "keras",
    "keras h5",
    "keras object",
    "saved_model",
    "frozen graph",
    "pytorch",
    "pytorch object",
    "onnx",
    "onnx object",
    "float tflite",
    "hybrid tflite",
    "int8 tflite",
]


PIXELS_BEYOND = 16.0
"""A model whose inputs reach beyond this takes pixels from 0 to 255, not from 0 to 1: it is their geometric mean."""


@dataclass(frozen=True)
class OwnScaling:
    """What a model itself does first with the values of its input.

    Attributes:
        scale: the largest factor that it multiplies them by; 1 if it does not scale them.
        layer: the first layer that does; "" if none.
        offset: the largest value that it takes from them or adds to them, in units of the input.
    """

    scale: float
    layer: str
    offset: float = 0.0

    @property
    def takes_pixels(self) -> bool:
        """Its input is meant to have values from 0 to 255."""
        return self.scale <= 1 / PIXELS_BEYOND or self.offset >= PIXELS_BEYOND


@dataclass(frozen=True, eq=False)
class Samples:
    """Input data as it goes into the model.

    Attributes:
        inputs: one array per model input, (N, …) in the input's shape without its batch, float32 for float
            inputs (real values), else the input's own dtype.
        labels: (N,) integer classes, or None.
        targets: (N, …) labels of any kind as they were given (of text, its class numbers), or None.
        origin: where the data came from, for reports.
        trusted: False for random data.
        notes: what was done to the data on the way (scaling, resizing).
        names: of the classes, by number; empty where nobody named them.
        sorted_names: the names are those that occur in this very data, in sorted order, which need not be the model's.
        by_folder: the labels are the folders that files lie in, so that samples come sorted.
    """

    inputs: tuple[NDArray[Any], ...]
    labels: NDArray[np.int64] | None = None
    origin: str = "array"
    trusted: bool = True
    notes: tuple[str, ...] = ()
    targets: NDArray[Any] | None = None
    names: tuple[str, ...] = ()
    sorted_names: bool = False
    by_folder: bool = False

    @property
    def count(self) -> int:
        return len(self.inputs[0])

    def take(self, indices: NDArray[np.int64]) -> Samples:
        return dataclasses.replace(
            self,
            inputs=tuple(a[indices] for a in self.inputs),
            labels=None if self.labels is None else self.labels[indices],
            targets=None if self.targets is None else self.targets[indices],
        )


@dataclass(frozen=True)
class Attempt:
    """One way that was tried, and how it went ("ok", or why not)."""

    step: str
    outcome: str

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True)
class Calibration:
    """Which data the quantization ranges come from: "shapes" if they were made up, for sizes alone.

    `available` counts samples before the cap.
    """

    kind: Literal["data", "random", "shapes", "none"]
    origin: str = ""
    samples: int = 0
    available: int = 0
    trusted: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorRange:
    """Observed range of an activation, in real units, and the quantization chosen for it."""

    name: str
    minimum: float
    maximum: float
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Agreement:
    """float32 against int8 on one output over the calibration samples, on dequantized values.

    Attributes:
        sqnr_db: signal to quantization noise ratio, 10·log10(Σ float² / Σ (float − int8)²), in dB; None if
            both are equal.
        same_argmax: share of samples with the same top class; None for outputs of one element.
        parts: the same of its parts, where they differ so much in size that the figures above are those of the largest.
    """

    output: str
    samples: int
    cosine_similarity: float
    sqnr_db: float | None
    max_abs_error: float
    same_argmax: float | None
    parts: tuple[Agreement, ...] = ()


@dataclass(frozen=True)
class QuantizationReport:
    """How the model was made, in facts that JSON can carry.

    `quantized` is False for a float model that was to stay float32; `int8_bytes` is 0 then. `activations` says what a
    model that was quantized here computes with; the model's size is `int8_bytes` with int16 activations as well.
    `choices` says how that was done, None where the model came quantized; `search` how they were found, if by --auto.
    """

    source_kind: SourceKind
    calibration: Calibration
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    ranges: tuple[TensorRange, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    float_bytes: int | None = None
    int8_bytes: int = 0
    quantized: bool = True
    activations: Activations = "int8"
    choices: Choices | None = None
    search: Mapping[str, Any] | None = None

    @property
    def trusted(self) -> bool:
        """False when the ranges come from random data: accuracy then means nothing."""
        return self.calibration.trusted

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts, lists, strings and finite numbers."""
        return {**dataclasses.asdict(self), "trusted": self.trusted}


@dataclass(frozen=True)
class Converted:
    """A full int8 model, or a float32 one where that was asked for.

    Attributes:
        model: the `.tflite`.
        name: the model's name (file name without its ending).
        float_model: the float32 model, which int8 was quantized from; None if the source was already quantized.
        scaling: what the model itself does first with its input; None where its source does not tell.
    """

    model: OpenedModel
    report: QuantizationReport
    name: str
    float_model: OpenedModel | None = None
    scaling: OwnScaling | None = None

    @property
    def tflite(self) -> bytes:
        """The flatbuffer."""
        return self.model.data

    @property
    def float_tflite(self) -> bytes | None:
        """The float32 model's flatbuffer."""
        return None if self.float_model is None else self.float_model.data

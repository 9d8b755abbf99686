"""The convert stage: a trained model and calibration data → a full int8 `.tflite` and a report."""

from __future__ import annotations

from mcugen.convert.choices import Choices
from mcugen.convert.data import DataSource, load_samples
from mcugen.convert.float_model import FloatModel
from mcugen.convert.pipeline import FloatRunner, convert, float_runner, open_float
from mcugen.convert.types import Agreement, Attempt, Calibration, Converted, QuantizationReport, Samples, TensorRange
from mcugen.tflite.types import TensorSpec

__all__ = [
    "Agreement",
    "Attempt",
    "Calibration",
    "Choices",
    "Converted",
    "DataSource",
    "FloatModel",
    "FloatRunner",
    "QuantizationReport",
    "Samples",
    "TensorRange",
    "TensorSpec",
    "convert",
    "float_runner",
    "load_samples",
    "open_float",
]

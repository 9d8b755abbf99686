"""Quantizes a float32 `.tflite` to int16 activations and int8 weights, by TensorFlow's own quantizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError
from mcugen.outputs import temporary_folder
from mcugen.progress import Share


def quantize_16x8(float_tflite: bytes, inputs: Sequence[NDArray[Any]], progress: Share | None = None) -> bytes:
    """A `.tflite` with int16 inputs, activations and outputs, int8 weights and int64 biases.

    Args:
        float_tflite: a float32 model of any source.
        inputs: calibration samples, one (N, *shape) array per model input, in the model's order.

    Raises:
        ConversionError: TensorFlow's quantizer refuses the model, for example an op that it has no int16 form for.
        ToolError: TensorFlow is not installed.
    """
    with temporary_folder() as folder:
        (folder / "model.tflite").write_bytes(float_tflite)
        np.savez(str(folder / "samples.npz"), allow_pickle=False, **{f"input_{n}": a for n, a in enumerate(inputs)})
        answer = run_worker(folder, {"job": "quantize_16x8"}, progress=progress)
        if answer.error:
            raise ConversionError(
                f"TensorFlow's quantizer does not make int16 activations of this model: {answer.error}",
                hint="Omit `activations` for int8, or rewrite the op",
            )
        return (folder / "quantized.tflite").read_bytes()

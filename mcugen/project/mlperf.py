"""The MLPerf Tiny benchmark's view of a model: its name there, and the form in which its runner sends inputs.

The benchmark's reference submissions (github.com/mlcommons/tiny, benchmark/reference_submissions) define both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcugen.errors import ProjectError
from mcugen.graph.types import DType
from mcugen.runtimes.program import Program


@dataclass(frozen=True)
class Benchmark:
    """How a model takes part.

    Attributes:
        name: what the firmware answers to `profile%`; the runner chooses its data by it.
        encoding: AS_IS (the model's own bytes), UINT8 (int8 plus 128), or FLOAT32 (quantized on the device).
        input_bytes: bytes that the runner sends.
        outputs: values of the output.
        result_is_error: the result is the mean squared error between input and output.
    """

    name: str
    encoding: str
    input_bytes: int
    outputs: int
    result_is_error: bool = False


_KNOWN = {
    (490, 12): ("kws01", "AS_IS"),
    (96 * 96 * 3, 2): ("vww01", "UINT8"),
    (32 * 32 * 3, 10): ("ic01", "UINT8"),
    (640, 640): ("ad01", "FLOAT32"),
}
"""The benchmark's models by their numbers of inputs and outputs."""


def benchmark_of(plan: Program) -> Benchmark:
    """What the model is to the benchmark. Models of one's own take their input's bytes as they are.

    Raises:
        ProjectError: several inputs or outputs, or a type that the protocol cannot carry.
    """
    inputs, outputs = plan.input_tensors(), plan.output_tensors()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ProjectError(
            f"the MLPerf Tiny protocol is for one input and one output; the model has {len(inputs)} and {len(outputs)}",
            hint='Omit `protocol="mlperf"`',
        )
    if plan.rows == "pushed":
        raise ProjectError(
            "the MLPerf Tiny protocol sends the input as a whole", hint='Omit `protocol="mlperf"`, or `rows="pushed"`'
        )
    source, result = inputs[0], outputs[0]
    if result.dtype not in (DType.INT8, DType.UINT8, DType.INT16, DType.FLOAT32):
        raise ProjectError(
            f"the MLPerf Tiny protocol prints real numbers; the model's output is {result.dtype.value}",
            hint='Omit `protocol="mlperf"`',
        )
    name, encoding = _KNOWN.get((source.elements, result.elements), ("", "AS_IS"))
    if not name or source.dtype is not DType.INT8:
        own_name = re.sub(r"[^A-Za-z0-9._-]", "_", plan.graph.name)[:40]
        return Benchmark(own_name, "AS_IS", source.nbytes, result.elements)
    if source.units is not None:
        raise ProjectError(
            f"{name} sends features that are scaled already; this model takes them in units of their own",
            where=f'input "{source.name}"',
            hint='Omit `protocol="mlperf"`, or pass the model without its scaling',
        )
    if encoding == "UINT8" and (source.quant is None or source.zero_point != -128):
        raise ProjectError(
            f"{name} gets pixels from 0 to 255, which are the int8 input plus 128; this model's input has another"
            " zero point",
            where=f'input "{source.name}"',
            hint="Quantize it with a representative data set of pixels from 0 to 255 (or 0.0 to 1.0)",
        )
    if encoding == "FLOAT32" and (source.quant is None or source.scale <= 0):
        raise ProjectError(
            f"{name} gets real numbers, which this model's int8 input has no scale for",
            where=f'input "{source.name}"',
            hint="Quantize it with a representative data set",
        )
    width = 4 if encoding == "FLOAT32" else 1
    return Benchmark(name, encoding, source.elements * width, result.elements, result_is_error=name == "ad01")

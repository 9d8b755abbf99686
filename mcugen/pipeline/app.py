"""A pipeline with its model: how rows become the model's input, and when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.decisions import Decision, ModelIO
from mcugen.errors import PipelineError
from mcugen.graph.types import DType, Graph, Tensor
from mcugen.numerics.affine import quantize
from mcugen.pipeline.types import Pipeline

Way = Literal["none", "integers", "reals", "floats"]

_MULTIPLIER_BITS = 31
_MOST_SHIFT = 46
"""16 bits of a row's value times 31 of the multiplier, and half a step: 64 bits hold it."""

_LEAST_SHIFT = 17
"""Then 32 bits hold the result."""

_LIMITS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-32768, 32767)}
_ROW_INTEGERS = ("int8", "uint8", "int16", "uint16")


@dataclass(frozen=True)
class Quantizer:
    """How a row's values become the model's input (docs/SENSORS.md).

    Attributes:
        way: "none": they are of the same type and are taken as they are. "integers": value · multiplier is rounded to
            a multiple of 2^shift, halves up, shifted, moved by the zero point and clamped. "reals": float32 by the
            rule of the model's quantization. "floats": integers to a float32 model, times the row's scale.
    """

    way: Way
    tensor: Tensor
    row_scale: float
    multiplier: int = 0
    shift: int = 0

    @property
    def limits(self) -> tuple[int, int]:
        return _LIMITS.get(self.tensor.dtype, (0, 0))

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows, as the model takes them, in the same shape."""
        if self.way == "none":
            return values
        if self.way == "floats":
            return np.asarray(values.astype(np.float32) * np.float32(self.row_scale))
        if self.way == "reals":
            return np.asarray(quantize(values, self.tensor))
        scaled = (values.astype(np.int64) * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.asarray(np.clip(scaled + self.tensor.zero_point, *self.limits), self.tensor.dtype.numpy)


def make_quantizer(dtype: str, scale: float | None, tensor: Tensor) -> Quantizer:
    """The quantizer for rows of a type.

    Args:
        scale: what a step of theirs stands for; without it rows of the input's own integers are not touched.

    Raises:
        PipelineError: there is no way from such rows to that input.
    """
    own, row_scale = tensor.dtype.value, scale or 1.0
    if dtype == own and (dtype == "float32" or scale is None):
        return Quantizer("none", tensor, row_scale)
    if tensor.dtype is DType.FLOAT32 and dtype in _ROW_INTEGERS:
        return Quantizer("floats", tensor, row_scale)
    quantized = tensor.dtype in _LIMITS and tensor.quant is not None and tensor.scale > 0
    if quantized and dtype == "float32" and tensor.units is None:
        return Quantizer("reals", tensor, row_scale)
    if not quantized or dtype not in _ROW_INTEGERS or tensor.units is not None:
        raise PipelineError(
            f"gives rows of {dtype}, which the model's input of {own} cannot take", where="[frontend]", hint=""
        )
    ratio = Fraction(row_scale) / Fraction(tensor.scale)
    for shift in range(_MOST_SHIFT, _LEAST_SHIFT - 1, -1):
        multiplier = round(ratio * (1 << shift))
        if 0 < multiplier < 1 << _MULTIPLIER_BITS:
            return Quantizer("integers", tensor, row_scale, multiplier, shift)
    raise PipelineError(
        f"a step of the rows, {row_scale:g}, is too large or too small for the model's input, whose step is "
        f"{tensor.scale:g}",
        where="[model] row_scale",
        hint="Give what a step stands for in the numbers that the model was trained on",
    )


@dataclass(frozen=True, eq=False)
class App:
    """A pipeline and its model.

    Attributes:
        input, output: of the model.
        rows: that an inference takes; stride: from one inference to the next.
        afresh: the model's state is reset before every inference, whose input is a whole sequence.
        keeps_state: the model keeps something between inferences.
    """

    pipeline: Pipeline
    input: Tensor
    output: Tensor
    rows: int
    stride: int
    quantizer: Quantizer
    decision: Decision | None
    afresh: bool
    keeps_state: bool

    @property
    def is_audio(self) -> bool:
        return self.pipeline.signal.kind == "audio"

    @property
    def period(self) -> float | None:
        """Seconds of signal from one inference to the next."""
        rate = self.pipeline.signal.rate
        return None if rate is None else self.pipeline.front_end.rows().frames_step * self.stride / rate

    @property
    def window_values(self) -> int:
        """Values that are kept beside the model's input; 0 where rows are written straight into it."""
        reads = self.decision is not None and self.decision.reads_input
        return self.input.elements if reads or self.stride < self.rows else 0

    @property
    def frames_first(self) -> int:
        """Frames until the first inference."""
        rows = self.pipeline.front_end.rows()
        return rows.frames_first + (self.rows - 1) * rows.frames_step

    def seconds(self, frames: int) -> float | None:
        rate = self.pipeline.signal.rate
        return None if rate is None else frames / rate


def bind(pipeline: Pipeline, graph: Graph) -> App:
    """A pipeline with the model that its file names.

    Raises:
        PipelineError: the model has several inputs, or takes no whole number of rows.
        DataError: the decision does not go with it.
    """
    inputs = [graph.tensor(i) for i in graph.inputs]
    if len(inputs) != 1:
        raise PipelineError(
            f"has {len(inputs)} inputs, and a pipeline feeds one", where=f'model "{graph.name}"', hint="Join them"
        )
    given, output = inputs[0], graph.tensor(graph.outputs[0])
    rows = pipeline.front_end.rows()
    count, rest = divmod(given.elements, rows.values)
    if rest or not count:
        raise PipelineError(
            f"takes {given.elements} values ({'×'.join(map(str, given.shape))}), and a row of the front end has "
            f"{rows.values} ({'×'.join(map(str, rows.shape))})",
            where=f'model "{graph.name}"',
            hint="A model takes a whole number of rows: check [frontend]",
        )
    if pipeline.window not in (None, count):
        raise PipelineError(
            f"is {pipeline.window}, but the model takes {count} rows",
            where="[model] window",
            hint="Omit it, or give the model's own number",
        )
    stride = pipeline.stride or count
    if stride > count:
        raise PipelineError(
            f"is {stride}, but an inference takes {count} row{'s' * (count > 1)}: none may be left out",
            where="[model] stride",
            hint="Give as many or fewer",
        )
    if graph.states and not graph.sequences and stride != count:
        raise PipelineError(
            f"is {stride}, but the model keeps what it saw: it must see each row once",
            where="[model] stride",
            hint=f"Omit it, or give {count}",
        )
    quantizer = make_quantizer(rows.dtype, pipeline.row_scale, given)
    rate = pipeline.signal.rate
    period = None if rate is None else rows.frames_step * stride / rate
    decision = pipeline.decision.bind(ModelIO(given, output, period)) if pipeline.decision is not None else None
    if decision is not None and decision.most is not None and decision.upper >= decision.most:
        raise PipelineError(
            f"no score of the model is above it: the largest is {decision.real(decision.most):g}",
            where="[decision] threshold",
            hint="Take one that scores exceed",
        )
    return App(pipeline, given, output, count, stride, quantizer, decision, graph.sequences, bool(graph.states))

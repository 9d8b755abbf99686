"""Ops that can make their output some rows at a time, and the kernel calls for it.

A stripe of rows is the same op over an image that is not so high: the rows that its windows take, with padding only
where the whole image has some. So every kernel makes stripes as it is: the op itself is lowered for them.
"""

from __future__ import annotations

from dataclasses import replace

from mcugen import ops
from mcugen.errors import McugenError
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Target
from mcugen.ops.memory import UNLIMITED
from mcugen.ops.pooling.pools import Pool2DOptions
from mcugen.ops.weighted.conv_2d import Conv2DOptions
from mcugen.ops.weighted.depthwise_conv_2d import DepthwiseConv2DOptions
from mcugen.runtimes.aot.plan.gathering import gathered
from mcugen.runtimes.aot.plan.types import Run, Step, Stripes, Window

_ALIGNMENT = 4
"""Bytes. Kernels may read the beginning of their input in words."""

_BY_ELEMENT = frozenset(
    {
        *("ABS", "ADD", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "QUANTIZE"),
        *("RELU", "RELU6", "SUB", "TANH", "DEQUANTIZE"),
    }
)
"""Ops of one or two tensors of one shape that make each element of those at the same place."""


def window_of(graph: Graph, op: Op) -> Window | None:
    """Which rows an op takes, or None if it cannot go row by row."""
    tensors = [*row_inputs(graph, op), graph.output_of(op)]
    if len(op.outputs) != 1 or len(tensors) == 1 or not all(_is_image(tensor) for tensor in tensors):
        return None
    options = op.options
    if isinstance(options, DepthwiseConv2DOptions) and options.part is not None:
        return None
    if isinstance(options, (Conv2DOptions, DepthwiseConv2DOptions)):
        taps = graph.tensor(op.inputs[1]).shape[1]
        found = Window(options.stride_h, options.pads.top, (taps - 1) * options.dilation_h + 1)
    elif isinstance(options, Pool2DOptions):
        found = Window(options.stride_h, options.pads.top, options.filter_h)
    elif _goes_by_element(graph, op) or _joins_channels(graph, op):
        found = Window(1, 0, 1)
    else:
        return None
    rows, height = tensors[-1].shape[1], tensors[0].shape[1]
    # A window of padding alone takes no rows, of which no image can be made.
    inside = all(found.first(row) < found.end(row, height) for row in (0, rows - 1))
    return found if inside and _fits_words(tensors, found, 1) else None


def row_inputs(graph: Graph, op: Op) -> list[Tensor]:
    """The op's inputs that are computed, each once."""
    return [graph.tensor(i) for i in dict.fromkeys(op.inputs) if i >= 0 and not graph.tensor(i).is_const]


Shape = tuple[int, int, int, int]
"""What a stripe takes and makes: rows in, rows of padding above and below, rows out."""

Lowered = dict[Shape, list[KernelCall]]
"""By shape the calls that make a stripe of one op for one target; none where it is not made by calls."""


def striped(
    graph: Graph, step: Step, target: Target, height: int, *, roomier: int | None = None, known: Lowered | None = None
) -> Step | None:
    """The step made in stripes of so many rows, or None if its kernels do not allow it.

    Args:
        roomier: by which of the faster kernels that take more scratch (`KernelCall.roomier`), which all stripes need
            then. None: by the usual ones.
        known: stripes of this step for this target, as far as they were made. It grows.
    """
    lowered: Lowered = {} if known is None else known
    op, window = step.op, window_of(graph, step.op)
    if step.plans:
        return None
    if roomier is None and (gathering := gathered(graph, step, height)):
        return gathering
    if window is None:
        return None
    rows = graph.output_of(op).shape[1]
    height = min(height, rows)
    if not _fits_words([*row_inputs(graph, op), graph.output_of(op)], window, height):
        return None
    input_rows = row_inputs(graph, op)[0].shape[1]
    calls: list[KernelCall] = []
    runs: list[Run] = []
    numbers: dict[Shape, tuple[int, ...]] = {}
    for stripe, first in enumerate(range(0, rows, height)):
        shape = _shape(window, input_rows, first, min(rows, first + height))
        if shape not in numbers:
            if shape not in lowered:
                lowered[shape] = _lowered(graph, op, target, shape)
            made = _chosen(lowered[shape], roomier)
            if not made:
                return None
            numbers[shape] = tuple(range(len(calls), len(calls) + len(made)))
            calls += made
        if runs and runs[-1].calls == numbers[shape]:
            runs[-1] = Run(stripe + 1, numbers[shape])
        else:
            runs.append(Run(stripe + 1, numbers[shape]))
    return replace(step, calls=tuple(calls), stripes=Stripes(height, window, tuple(runs)))


def _shape(window: Window, height: int, first: int, end: int) -> Shape:
    begin, stop = window.first(first), window.end(end - 1, height)
    above = max(0, window.pad - first * window.stride)
    below = max(0, (end - 1) * window.stride - window.pad + window.span - height)
    return stop - begin, above, below, end - first


def stripe_graph(graph: Graph, op: Op, shape: Shape) -> tuple[Graph, Op]:
    """The op over an image of a stripe's height. Its input counts as read by others, so that it is left alone."""
    taken, above, below, made = shape
    tensors = {i: graph.tensor(i) for i in (*op.inputs, *op.outputs) if i >= 0}
    for tensor in row_inputs(graph, op):
        tensors[tensor.id] = replace(tensor, shape=(1, taken, *tensor.shape[2:]))
    output = graph.output_of(op)
    tensors[output.id] = replace(output, shape=(1, made, *output.shape[2:]))
    if hasattr(op.options, "pads"):
        pads = replace(op.options.pads, top=above, bottom=below)
        op = replace(op, options=replace(op.options, pads=pads))
    inputs = tuple(tensor.id for tensor in row_inputs(graph, op))
    return Graph(tensors, (op,), inputs, (*op.outputs, *inputs), graph.name, graph.sha256), op


def _lowered(graph: Graph, op: Op, target: Target, shape: Shape) -> list[KernelCall]:
    """The calls that make a stripe, without those that another memory would allow; none if it is not made by calls."""
    alone, part = stripe_graph(graph, op, shape)
    if target.scratch_limit is None:
        target = replace(target, scratch_limit=UNLIMITED)
    spec = ops.supported_spec(alone, part)
    try:
        if any(rule(alone, part) for rule in spec.constraints):
            return []
        lowering = spec.lower(alone, part, target)
    except McugenError:
        return []
    if lowering.aliases or lowering.graphs:
        return []
    return list(lowering.calls)


def _chosen(calls: list[KernelCall], roomier: int | None) -> list[KernelCall]:
    """The calls of a stripe, or those in their place that take more scratch; none where there is no such."""
    if roomier is not None:
        calls = [call.roomier[roomier] for call in calls if roomier < len(call.roomier)]
    return [replace(call, roomier=(), inplace=()) for call in calls]


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and min(tensor.shape) > 0 and not tensor.is_state


def _goes_by_element(graph: Graph, op: Op) -> bool:
    if op.kind not in _BY_ELEMENT:
        return False
    shapes = {graph.tensor(i).shape for i in (*op.inputs, *op.outputs) if i >= 0}
    return len(shapes) == 1 and not any(graph.tensor(i).is_const for i in op.inputs if i >= 0)


def _joins_channels(graph: Graph, op: Op) -> bool:
    if op.kind != "CONCATENATION" or op.options.axis % 4 == 1:
        return False
    return not any(graph.tensor(i).is_const for i in op.inputs)


def _fits_words(tensors: list[Tensor], window: Window, height: int) -> bool:
    """Whether every stripe begins at a whole word, wherever its rows lie in a ring."""
    *sources, output = tensors
    steps = [(tensor, (window.stride * height, window.pad)) for tensor in sources] + [(output, (height, 0))]
    return all(number * row_bytes(tensor) % _ALIGNMENT == 0 for tensor, numbers in steps for number in numbers)


def row_bytes(tensor: Tensor) -> int:
    return tensor.nbytes // tensor.shape[1]

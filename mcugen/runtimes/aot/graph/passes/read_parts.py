"""Depthwise windows over some rows and channels of a tensor read them there: what cut them out is left without reader.

Streams have these: a window of the last steps, whose channels are split into groups with filters of different lengths
(MixConv: Tan and Le, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcugen import ops
from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import Target
from mcugen.ops.weighted.depthwise_conv_2d import DepthwiseConv2DOptions, Part, is_single_window

_LEAST_CHANNELS = 16
"""Kernels for vectors read so many at a time."""

_WORD = 4


@dataclass(frozen=True)
class _View:
    """Rows of so many bytes, `step` bytes apart, in another tensor."""

    source: int
    start: int
    row: int
    step: int


def read_parts(graph: Graph) -> Graph:
    """Let single windows of a DEPTHWISE_CONV_2D read their rows in the tensor that these were cut out of."""
    views = _views(graph)
    return graph.with_(ops=tuple(_reading(graph, op, views) for op in graph.ops)) if views else graph


def _views(graph: Graph) -> dict[int, _View]:
    """What tensors are that were cut out of larger ones; a view of a view is one of the first."""
    views: dict[int, _View] = {}
    for op in graph.ops:
        if op.kind not in ("SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE") or graph.tensor(op.inputs[0]).is_const:
            continue
        for view, output in _cuts(graph, op):
            outer = views.get(view.source)
            found = view if outer is None else _within(view, outer)
            if found is not None:
                views[output] = found
    return views


def _cuts(graph: Graph, op: Op) -> list[tuple[_View, int]]:
    lowering = ops.supported_spec(graph, op).lower(graph, op, Target())
    found = [
        (_View(source, start, graph.tensor(output).nbytes, graph.tensor(output).nbytes), output)
        for output, source, start in lowering.aliases
    ]
    for call in lowering.calls:
        params = dict(call.params)
        row, step = params.get("bytes"), params.get("input_stride")
        if call.kernel != "mcg_move" or not isinstance(row, int) or not isinstance(step, int):
            continue
        whole = params["rows"] == 1 or params["output_stride"] == row
        if whole and step >= 0 and call.output_offset == 0:
            step = row if params["rows"] == 1 else step
            found.append((_View(call.inputs[0], call.input_offset, row, step), call.outputs[0]))
    return found


def _within(view: _View, outer: _View) -> _View | None:
    """A view of rows of a view; None where it takes something else of it."""
    if outer.row == outer.step:
        return replace(view, source=outer.source, start=outer.start + view.start)
    contiguous = view.row == view.step
    if contiguous and view.start % outer.row == 0 and view.row % outer.row == 0:
        return replace(outer, start=outer.start + view.start // outer.row * outer.step)
    return None


def _reading(graph: Graph, op: Op, views: dict[int, _View]) -> Op:
    options = op.options
    if not isinstance(options, DepthwiseConv2DOptions) or op.inputs[0] not in views:
        return op
    image, view = graph.tensor(op.inputs[0]), views[op.inputs[0]]
    channels = image.shape[3] if len(image.shape) == 4 else 0
    whole_words = channels % _WORD == view.step % _WORD == view.start % _WORD == 0
    if image.dtype is not DType.INT8 or not whole_words or channels < _LEAST_CHANNELS:
        return op
    if not is_single_window(graph, op):
        return op
    taps = graph.tensor(op.inputs[1]).elements // channels
    if view.row == view.step:  # in one piece
        part = Part(view.start, channels)
    elif view.row == channels:
        part = Part(view.start, view.step)
    else:
        return op
    assert part.start + (taps - 1) * part.step + channels <= graph.tensor(view.source).elements
    return replace(op, inputs=(view.source, *op.inputs[1:]), options=replace(options, part=part))

"""Outputs that may lie over the input they are made from, because the kernel works from the first row to the last.

Such a kernel writes its output in order, and when it writes a row it reads no input before that row's windows any
more. So the output may follow behind in the same memory, if the input begins far enough after it: by its *lead*.
(TinyEngine calls this in-place depthwise; it holds for every layer with windows, also where sizes differ.)
"""

from __future__ import annotations

import itertools

from mcugen.graph.types import Graph
from mcugen.ops.base import KernelCall
from mcugen.ops.common import Pads
from mcugen.ops.pooling.pools import Pool2DOptions
from mcugen.ops.weighted.conv_2d import Conv2DOptions
from mcugen.ops.weighted.depthwise_conv_2d import DepthwiseConv2DOptions
from mcugen.runtimes.aot.plan.types import Step

IN_ORDER = frozenset(
    {
        "mcg_average_pool_2d_s16",
        "mcg_average_pool_2d_s8",
        "mcg_average_pool_2d_s8_mve",
        "mcg_conv_2d_pairs_s8_dsp",
        "mcg_conv_2d_s16",
        "mcg_conv_2d_s8",
        "mcg_conv_2d_s8_dsp",
        "mcg_conv_2d_s8_mla",
        "mcg_conv_2d_s8_mve",
        "mcg_conv_2d_f32",
        "mcg_conv_direct_pairs_s8_dsp",
        "mcg_conv_direct_s16",
        "mcg_conv_direct_s8",
        "mcg_conv_direct_s8_dsp",
        "mcg_conv_direct_s8_mla",
        "mcg_conv_direct_s8_mve",
        "mcg_depthwise_conv_2d_f32",
        "mcg_depthwise_conv_2d_s16",
        "mcg_depthwise_conv_2d_s8",
        "mcg_depthwise_conv_2d_s8_dsp",
        "mcg_depthwise_conv_2d_s8_mla",
        "mcg_depthwise_conv_2d_s8_mve",
        "mcg_depthwise_wide_s8_dsp",
        "mcg_max_pool_2d_s16",
        "mcg_max_pool_2d_s8",
        "mcg_pool_2d_f32",
        "mcg_max_pool_2d_s8_mve",
        "mcg_winograd_s8_dsp",
        "mcg_winograd_s8_mla",
    }
)
"""Kernels that write row after row, and have read all they need for the rows before; and pixel after pixel likewise
where windows are single pixels. A parameter `stripe_rows` says how many rows count as one; `kept_rows`, how many rows
from a window's first on the kernel has copied before it writes the row of that window; `stripe_tiles`, how many tiles
of two by two outputs the kernel reads before it writes any of them."""

_COPIES_WINDOWS = frozenset({"mcg_conv_direct_s8_mve"})
"""Kernels that write window after window, each of which lies in one piece and has been copied before."""


def overlay_call(graph: Graph, step: Step) -> KernelCall | None:
    """The call of a step whose output may follow behind its input, or None."""
    if len(step.calls) != 1:
        return None
    call = step.calls[0]
    if call.kernel not in IN_ORDER or call.input_offset or call.output_offset:
        return None
    # A fully connected layer may be run as a convolution of its rows, but has no windows.
    if not isinstance(step.op.options, (Conv2DOptions, DepthwiseConv2DOptions, Pool2DOptions)):
        return None
    source, output = graph.tensor(call.inputs[0]), graph.tensor(call.outputs[0])
    if source.is_const or len(source.shape) != 4 or len(output.shape) != 4 or source.shape[0] != 1:
        return None
    params = dict(call.params)
    rows, columns, channels = output.shape[1:]
    # Groups are made one after the other over the whole image, and an image on its side column after column.
    upright = (params.get("output_rows", rows), params.get("output_row_step", columns * channels))
    in_order = params.get("groups", 1) == 1 and upright == (rows, columns * channels)
    return call if in_order else None


def lead(graph: Graph, step: Step) -> int:
    """Bytes by which the input of an `overlay_call` has to begin after the output.

    While output row r is written, up to byte (r + 1) · row bytes, input rows before its windows' first are over. Rows
    that are made together count as one; a layer of single pixels without padding is counted pixel by pixel.
    """
    op = step.op
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    _, height, width, channels = source.shape
    _, rows, columns, filters = output.shape
    channels, filters = channels * source.dtype.itemsize, filters * output.dtype.itemsize  # bytes from here on
    options: Conv2DOptions | DepthwiseConv2DOptions | Pool2DOptions = op.options
    stripe = _param(step, "stripe_rows", 1)
    kept = _param(step, "kept_rows", 0)
    if step.calls[0].kernel in _COPIES_WINDOWS:
        starts = [
            (row * options.stride_h * width + column * options.stride_w) * channels
            for row, column in itertools.product(range(rows), range(columns))
        ]
        needed = [*starts[1:], source.nbytes]
        return max(0, *((pixel + 1) * filters - first for pixel, first in enumerate(needed)))
    if _single_pixels(graph, step):
        pixels = [(row, column) for row in (0, rows - 1) for column in (0, columns - 1)]
        written = {(row, column): (row * columns + column + 1) * filters for row, column in pixels}
        read = {
            (row, column): (row * options.stride_h * width + column * options.stride_w) * channels
            for row, column in pixels
        }
        # Both grow evenly along a row and from row to row, so that the extremes are at the corners.
        return max(written[pixel] - read[pixel] for pixel in pixels)
    leads = []
    if tiles := _param(step, "stripe_tiles", 0):
        across, down = -(-columns // 2), -(-rows // 2)
        for end in range(tiles, across * down, tiles):
            # Bytes that the stripes up to here have written, and those that the next one no longer reads.
            first = min(max(2 * (end // across) - options.pads.top, 0), height)
            leads.append(min(2 * ((end - 1) // across) + 2, rows) * columns * filters - first * width * channels)
        return max([*leads, 0])
    for row in range(0, rows, stripe):
        first = min(max(row * options.stride_h - options.pads.top + kept, 0), height)
        leads.append(min(row + stripe, rows) * columns * filters - first * width * channels)
    return max(0, *leads)


def _param(step: Step, name: str, missing: int) -> int:
    value = dict(step.calls[0].params).get(name, missing)
    assert isinstance(value, int)
    return value


def _single_pixels(graph: Graph, step: Step) -> bool:
    """Whether every window is one pixel of the image, and pixels are made one by one: stripes are not."""
    if "stripe_rows" in dict(step.calls[0].params):
        return False
    options = step.op.options
    pool = isinstance(options, Pool2DOptions)
    size = (options.filter_h, options.filter_w) if pool else graph.tensor(step.op.inputs[1]).shape[1:3]
    return bool(size == (1, 1) and options.pads == Pads(0, 0, 0, 0))

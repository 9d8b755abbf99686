"""Layers with windows, walked over window by window: how near their output may come to their input."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.graph.types import DType, Graph
from mcugen.ops.common import Pads
from mcugen.ops.pooling.pools import Pool2DOptions
from mcugen.ops.weighted.conv_2d import Conv2DOptions
from mcugen.ops.weighted.depthwise_conv_2d import DepthwiseConv2DOptions
from mcugen.runtimes.aot.plan.types import Step
from tests.plan.hand_made import call, graph_of, op, tensor


@dataclass(frozen=True)
class Image:
    """A layer with windows of one input, in elements."""

    height: int = 6
    width: int = 5
    channels: int = 3
    rows: int = 6
    columns: int = 5
    filters: int = 3
    taps: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (1, 1)

    def reads(self, row: int, column: int) -> Iterator[int]:
        """First elements of the pixels under one window."""
        for y, x in itertools.product(range(self.taps[0]), range(self.taps[1])):
            at = row * self.stride[0] - self.pad[0] + y, column * self.stride[1] - self.pad[1] + x
            if 0 <= at[0] < self.height and 0 <= at[1] < self.width:
                yield (at[0] * self.width + at[1]) * self.channels

    def parts(self, rows: int) -> list[list[tuple[int, int]]]:
        """The windows of so many rows of output at a time; of one pixel at a time for 0."""
        pixels = list(itertools.product(range(self.rows), range(self.columns)))
        size = rows * self.columns or 1
        return [pixels[n : n + size] for n in range(0, len(pixels), size)]

    def least(self, rows: int = 1, *, copied: bool = False, kept: int = 0) -> int:
        """How far the input has to begin after the output, in elements of one size: the least that is enough.

        A part is made while its windows are read, or those after it if they were copied before. What is read is read
        from the first element of the first row on, unless parts are single pixels.
        """
        size, needed, leads = self.height * self.width * self.channels, self.height * self.width * self.channels, []
        written = self.rows * self.columns * self.filters
        for part in reversed(self.parts(rows)):
            firsts = [self.reads(*pixel) for pixel in part]
            first = min((at for reads in firsts for at in reads), default=size)
            if rows:
                first -= first % (self.width * self.channels)
            if kept:
                last = part[0][0] * self.stride[0] - self.pad[0] + kept
                first = min(max(last, 0), self.height) * self.width * self.channels
            if not copied:
                needed = min(needed, first)
            if needed < size:
                leads.append(written - needed)
            needed = min(needed, first)
            written -= len(part) * self.filters
        return max(leads)

    def params(self) -> dict[str, int]:
        """Of kernels that go row by row."""
        return {
            "batches": 1,
            "input_height": self.height,
            "input_width": self.width,
            "channels": self.channels,
            "filter_height": self.taps[0],
            "filter_width": self.taps[1],
            "output_height": self.rows,
            "output_width": self.columns,
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
            "pad_top": self.pad[0],
            "pad_left": self.pad[1],
        }

    def stripes(self, rows: int) -> dict[str, int]:
        return {
            "batches": 1,
            "input_rows": self.height,
            "input_columns": self.width,
            "input_row_step": self.width * self.channels,
            "output_rows": self.rows,
            "output_row_step": self.columns * self.filters,
            "row_stride": self.stride[0],
            "pad_rows": self.pad[0],
            "channels": self.channels,
            "stripe_rows": rows,
        }

    def tiles(self, stripe: int) -> dict[str, int]:
        """So many tiles of two by two outputs at a time."""
        channels = {"input_channels": self.channels, "output_channels": self.filters}
        return {**self.params(), **channels, "stripe_tiles": stripe}

    def windows(self) -> dict[str, int]:
        return {
            "batches": 1,
            "rows": self.rows,
            "columns": self.columns,
            "row_step": self.stride[0] * self.width * self.channels,
            "column_step": self.stride[1] * self.channels,
            "depth": self.taps[1] * self.channels,
            "channels": self.filters,
        }

    def pads(self) -> Pads:
        """Of a layer with so many rows and columns of output."""
        sizes = zip((self.height, self.width), (self.rows, self.columns), self.taps, self.stride, self.pad, strict=True)
        after = [max(0, (made - 1) * stride + taps - pad - size) for size, made, taps, stride, pad in sizes]
        return Pads(self.pad[0], after[0], self.pad[1], after[1])

    def conv(self) -> Conv2DOptions:
        return Conv2DOptions(self.pads(), *self.stride, 1, 1, "NONE")

    def depthwise(self) -> DepthwiseConv2DOptions:
        return DepthwiseConv2DOptions(self.pads(), *self.stride, 1, 1, 1, "NONE")

    def pool(self) -> Pool2DOptions:
        return Pool2DOptions(self.pads(), *self.stride, *self.taps, "NONE")

    def step(
        self,
        kernel: str,
        params: Mapping[str, int],
        dtype: DType = DType.INT8,
        options: Any = None,
        **more: Any,
    ) -> tuple[Graph, Step]:
        """t0 → t1 by one call, with weights t2."""
        shapes = (1, self.height, self.width, self.channels), (1, self.rows, self.columns, self.filters)
        weights = np.zeros((self.filters, *self.taps, self.channels), np.int8)
        made = op(0, [0, 2], [1], "CONV_2D", options or self.conv())
        tensors = [tensor(n, shape, dtype) for n, shape in enumerate(shapes)]
        graph = graph_of([*tensors, tensor(2, weights.shape, data=weights)], [made])
        return graph, Step(made, (call([0], [1], kernel, params, **more),), 0)


SAME = Image()
VALID = Image(rows=4, columns=3, pad=(0, 0), filters=7)
STRIDED = Image(height=7, width=6, rows=4, columns=3, stride=(2, 2), filters=2)
GROWING = Image(height=4, width=4, rows=4, columns=4, filters=9)
LOW = Image(height=2, width=3, rows=4, columns=3, taps=(1, 3), pad=(1, 1), filters=3)
"""Its last row of output reads only padding."""
PIXELS = Image(taps=(1, 1), pad=(0, 0))
SPARSE = Image(height=7, rows=3, columns=2, taps=(1, 1), stride=(3, 3), pad=(0, 0), filters=4)
DENSE = Image(rows=6, columns=5, taps=(1, 1), pad=(0, 0), filters=8)
WIDE = Image(rows=6, columns=3, taps=(1, 3), pad=(0, 0), filters=4)

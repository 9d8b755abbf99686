"""Random convolutions of images of one to three rows and columns, as the last layers and streams have them.

Windows are larger than the image or dilated beyond it, and the padding, partly a PAD of its own, is wider than both:
so whole windows, rows or phases hold nothing of the image.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph.read import read_graph
from mcugen.runtimes.aot.supported import check_supported
from tests.conformance.draw import Case, Draw, ints
from tests.conformance.suite import ALIVE, Batch
from tests.conformance.weighted import SAME, VALID, layer_output, layer_weights
from tests.kernels.single_op import Node, TensorSpec, build_graph, options
from tests.kernels.weighted_models import output_size

_TOGETHER = 40
_TABLES = {"DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "CONV_2D": "Conv2DOptions"}
_CHANNELS = (1, 2, 3, 4, 4, 5, 8, 8, 9, 16, 18)
"""Kernels take four or sixteen at a time, and the rest in other ways."""


@dataclass(frozen=True)
class _Axis:
    """How windows lie along the rows or the columns of an image that has been padded."""

    size: int
    pads: tuple[int, int]
    taps: int
    stride: int
    dilation: int

    @property
    def padded(self) -> int:
        return sum(self.pads) + self.size

    @property
    def fits(self) -> bool:
        """Whether there is a window without more padding."""
        return (self.taps - 1) * self.dilation < self.padded

    def outputs(self, same: bool) -> int:
        return output_size(self.padded, self.taps, self.stride, self.dilation, same)


def _draw_axis(d: Draw, padded: bool) -> _Axis:
    pads = (d.integer(0, 4), d.integer(0, 4)) if padded else (0, 0)
    return _Axis(d.integer(1, 3), pads, d.integer(1, 5), d.integer(1, 3), d.integer(1, 3))


def draw_convolution(d: Draw) -> Case:
    """A convolution of the draw's kind, in every third case with a PAD before it that can be made part of it."""
    depthwise = d.kind == "DEPTHWISE_CONV_2D"
    padded = d.integer(0, 2) == 0
    rows, columns = _draw_axis(d, padded), _draw_axis(d, padded)
    same = not (rows.fits and columns.fits) or d.chance()
    batches, depth = d.integer(1, 2), d.pick(_CHANNELS)
    multiplier = d.pick([1, 1, 1, 2, 3])
    channels = depth * multiplier if depthwise else d.pick(_CHANNELS)
    image = d.tensor((batches, rows.size, columns.size, depth), d.scale(-3, 0))
    shape = (1, rows.taps, columns.taps, channels) if depthwise else (channels, rows.taps, columns.taps, depth)
    per_channel = d.dtype == "int16" or d.chance()
    weights, bias = layer_weights(d, shape, 3 if depthwise else 0, image, per_channel)
    taps = rows.taps * columns.taps * (1 if depthwise else depth)
    made = layer_output(d, (batches, rows.outputs(same), columns.outputs(same), channels), image, weights, taps)
    table = options(
        _TABLES[d.kind],
        padding=SAME if same else VALID,
        strideH=rows.stride,
        strideW=columns.stride,
        dilationHFactor=rows.dilation,
        dilationWFactor=columns.dilation,
        fusedActivationFunction=d.pick([0, 0, 1, 3]),
        **({"depthMultiplier": multiplier} if depthwise else {}),
    )
    before, source = _pad(d, image, rows, columns) if padded else ((), image)
    return Case((*before, Node(d.kind, table, [source, weights, *bias], [made])), (made,))


def _pad(d: Draw, image: TensorSpec, rows: _Axis, columns: _Axis) -> tuple[tuple[Node, ...], TensorSpec]:
    wide = d.like(image, (image.shape[0], rows.padded, columns.padded, image.shape[3]))
    amounts = ints([(0, 0), rows.pads, columns.pads, (0, 0)])
    return (Node("PAD", options("PadOptions"), [image, amounts], [wide]),), wide


@functools.cache
def small_cases(kind: str, dtype: str, count: int) -> tuple[Batch, ...]:
    """The first `count` cases of a kind and type, always the same ones, in models that TFLM's planner can take."""
    draw = Draw(np.random.default_rng([count, *f"{kind} {dtype}".encode()]), kind, dtype)
    cases: list[Case] = []
    while len(cases) < count:
        case = draw_convolution(draw)
        try:
            check_supported(read_graph(build_graph([*case.nodes, ALIVE], case.outputs)))
        except UnsupportedOpError:
            continue
        cases.append(case)
    names = [f"{kind} {dtype} case {n}" for n in range(count)]
    return tuple(
        Batch(cases[first : first + _TOGETHER], names[first : first + _TOGETHER])
        for first in range(0, count, _TOGETHER)
    )

"""About how many cycles a step takes: enough to tell which of two ways to make it is faster.

The figures are for cores with DSP instructions. For others they are too low throughout, which changes no order: what is
compared is how much is done, and how often it is begun anew.
"""

from __future__ import annotations

from mcugen.graph.types import Graph
from mcugen.ops.base import KernelCall
from mcugen.runtimes.aot.plan.types import Step

_TURN = 250
"""Of the scheduler, and of calling a kernel."""

_WINDOWS = 4
"""Windows that convolutions multiply at a time."""

_NARROW_ROWS = 3
"""Rows of the filters that the kernel for narrow ones takes, which do not say so."""

_PER_CHANNEL = 70
"""Before the first window of a channel, in each stripe of a depthwise convolution."""


def work_of(graph: Graph, step: Step) -> float:
    """Cycles of the step, in stripes or at once."""
    if step.stripes is None:
        return sum(_work(graph, call) for call in step.calls)
    total, before = 0.0, 0
    for run in step.stripes.runs:
        one = _TURN + sum(_work(graph, step.calls[k]) for k in run.calls)
        total += (run.until - before) * one
        before = run.until
    return total


def _work(graph: Graph, call: KernelCall) -> float:
    p = {name: value for name, value in call.params if isinstance(value, int)}
    if "stripe_rows" in p and "filter_columns" in p:
        return _on_planes(p)
    if "pixels" in p:
        return p["pixels"] * p["channels"] * 3.0
    if {"columns", "depth", "channels"} <= p.keys():
        return _multiplied(p.get("batches", 1) * p.get("rows", 1) * p["columns"], p["depth"], p["channels"], 1.0)
    if "stripe_tiles" in p:
        return _by_tiles(p)
    if "filter_channels" in p:
        depth = p["filter_height"] * p["filter_width"] * p["filter_channels"]
        return _multiplied(p["output_height"] * p["output_width"], depth, p["output_channels"], 2.0)
    if "filter_height" in p:
        taps = p["filter_height"] * p["filter_width"]
        return p["output_height"] * p["output_width"] * p.get("channels", 1) * (taps * 4 + 15)
    if "depth" in p:
        return p.get("rows", 1) * p.get("channels", 1) * p["depth"] * 1.3
    return 6.0 * _elements(graph, call, p)


def _multiplied(windows: int, depth: int, channels: int, gather: float) -> float:
    groups = -(-windows // _WINDOWS)
    return groups * _WINDOWS * (depth * (gather + channels) + channels * 8)


def _by_tiles(p: dict[str, int]) -> float:
    tiles = -(-p["output_height"] // 2) * -(-p["output_width"] // 2)
    inputs, outputs = p["input_channels"], p["output_channels"]
    filters = -(-tiles // p["stripe_tiles"]) * inputs * outputs * 42.0
    return filters + -(-tiles // 4) * 4 * (16 * inputs * outputs + inputs * 70 + outputs * 45)


def _on_planes(p: dict[str, int]) -> float:
    rows, stripe = p["output_rows"], p["stripe_rows"]
    channels = p["channels"] * p.get("depth_multiplier", 1)
    filter_rows = p.get("filter_rows", _NARROW_ROWS)
    taps = filter_rows * p["filter_columns"]
    total = 0.0
    for first in range(0, rows, stripe):
        made = min(stripe, rows - first)
        taken = (made - 1) * p["row_stride"] + (filter_rows - 1) * p.get("row_dilation", 1) + 1
        total += taken * p["input_columns"] * p["channels"] * 1.7 + channels * _PER_CHANNEL
        total += made * p["output_columns"] * channels * (taps * 1.2 + 7)
    return total


def _elements(graph: Graph, call: KernelCall, p: dict[str, int]) -> int:
    count = dict(call.params).get("count")
    if isinstance(count, tuple):
        product = 1
        for n in count:
            product *= int(n)
        return product * p.get("bytes", 1)
    return int(count) if isinstance(count, int) else graph.tensor(call.outputs[0]).elements

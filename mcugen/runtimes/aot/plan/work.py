"""About how many cycles a step takes: enough to tell which of two ways to make it is faster.

The figures are for cores with DSP instructions. For others they are too low throughout, which changes no order: what is
compared is how much is done, and how often it is begun anew.
"""

from __future__ import annotations

from mcugen.graph.types import Graph
from mcugen.ops.base import KernelCall
from mcugen.runtimes.aot.plan.types import Plan, Step

_TURN = 500
"""Of the scheduler, and of calling a kernel."""

_WINDOWS = 4
"""Windows that convolutions multiply at a time."""

_SINGLE = 0.45
"""Of what such a group takes, where there is one window."""

_NARROW_ROWS = 3
"""Rows of the filters that the kernel for narrow ones takes, which do not say so."""

_PER_PAIR = 70
"""Before and after the products of a group of windows with two channels."""

_PER_GROUPS = 165
_NEXT_PAIR = 9
"""Of groups that are multiplied with the same weights one after the other: of all, and of each pair of channels."""

_PER_CHANNEL = 170
"""Before the first window of a channel, in each stripe of a depthwise convolution."""

_PLANES = 4
"""Channels that are split into planes at once."""

_PER_SPLIT_ROW = 70
_PER_SPLIT_PIXEL = 10.5
"""Of a row that is split into planes."""


def work_of_plan(plan: Plan) -> float:
    """Cycles of all steps of a plan."""
    return sum(work_of(plan.graph, step) for step in plan.steps)


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
        windows = p.get("batches", 1) * p.get("rows", 1) * p["columns"]
        return _multiplied(p, windows, p["depth"], p["channels"], 1.0)
    if "stripe_tiles" in p:
        return _by_tiles(p)
    if "filter_channels" in p:
        depth = p["filter_height"] * p["filter_width"] * p["filter_channels"]
        return _multiplied(p, p["output_height"] * p["output_width"], depth, p["output_channels"], 2.0)
    if "filter_height" in p:
        taps = p["filter_height"] * p["filter_width"]
        return p["output_height"] * p["output_width"] * p.get("channels", 1) * (taps * 4 + 15)
    if "depth" in p:
        return p.get("rows", 1) * p.get("channels", 1) * p["depth"] * 1.3
    return 12.0 * _elements(graph, call, p)


def _multiplied(p: dict[str, int], windows: int, depth: int, channels: int, gather: float) -> float:
    # Of a group of a single window, that is all that is multiplied.
    groups = windows // _WINDOWS + (0, _SINGLE, 1, 1)[windows % _WINDOWS]
    products = groups * (_WINDOWS * (depth * (gather + channels) + channels * 8) + channels / 2 * _PER_PAIR)
    calls = -(-windows // (_WINDOWS * p.get("window_groups", 1)))
    return products + calls * (_PER_GROUPS + channels / 2 * _NEXT_PAIR)


def _by_tiles(p: dict[str, int]) -> float:
    tiles = -(-p["output_height"] // 2) * -(-p["output_width"] // 2)
    inputs, outputs = p["input_channels"], p["output_channels"]
    filters = -(-tiles // p["stripe_tiles"]) * inputs * outputs * 50.0
    return filters + -(-tiles // 4) * 4 * (17 * inputs * outputs + inputs * 75 + outputs * 50)


def _on_planes(p: dict[str, int]) -> float:
    rows, stripe = p["output_rows"], p["stripe_rows"]
    channels = p["channels"] * p.get("depth_multiplier", 1)
    filter_rows, apart = p.get("filter_rows", _NARROW_ROWS), p.get("row_dilation", 1)
    total = 0.0
    for first in range(0, rows, stripe):
        made = min(stripe, rows - first)
        begin = first * p["row_stride"] - p["pad_rows"]
        end = begin + (made - 1) * p["row_stride"] + (filter_rows - 1) * apart + 1
        split = _PER_SPLIT_ROW + p["input_columns"] * _PER_SPLIT_PIXEL
        total += max(0, min(end, p["input_rows"]) - max(begin, 0)) * -(-p["channels"] // _PLANES) * split
        total += channels * (_PER_CHANNEL + made * _row_of_windows(p, filter_rows))
    return total


def _row_of_windows(p: dict[str, int], filter_rows: int) -> float:
    """Of one channel: windows go in fours, then in twos."""
    fours, rest = divmod(p["output_columns"], 4)
    twos = -(-rest // 2)
    if "filter_rows" not in p:
        four, two = (83, 64) if p["column_stride"] == 1 else (92, 66)
        return 24 + fours * four + twos * two
    steps = filter_rows * max(1, p["filter_columns"] // 2)
    if not p.get("fast", 1) or p["column_stride"] > 2:
        return p["output_columns"] * (30 + 14 * steps)
    return 30 + fours * (57 + 17 * steps) + twos * (44 + 12 * steps)


def _elements(graph: Graph, call: KernelCall, p: dict[str, int]) -> int:
    count = dict(call.params).get("count")
    if isinstance(count, tuple):
        product = 1
        for n in count:
            product *= int(n)
        return product * p.get("bytes", 1)
    return int(count) if isinstance(count, int) else graph.tensor(call.outputs[0]).elements

"""How often an inference reads and writes each tensor, each scratch buffer and each array of weights.

Counted are accesses of up to a word, as a load or a store makes them. They follow from the shapes and from the way in
which kernels go over them: enough to tell what is hot and what is cold. tests/device/test_memories.py compares them
with what an emulated core did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mcugen.graph.types import Graph
from mcugen.ops.base import PORTABLE, KernelCall
from mcugen.runtimes.aot.plan.types import Content, Plan, Step

_WINDOWS = 4
"""Windows, or rows, that kernels with DSP instructions or MVE multiply with weights that they read once."""

_WORD = 4


@dataclass
class Accesses:
    """Reads and writes of one inference."""

    reads: float = 0.0
    writes: float = 0.0

    def add(self, reads: float, writes: float, times: int = 1) -> None:
        self.reads += reads * times
        self.writes += writes * times


@dataclass(frozen=True)
class PlanAccesses:
    """By tensor, by step whose scratch it is, and by content of the constants."""

    tensors: dict[int, Accesses] = field(default_factory=dict)
    scratch: dict[int, Accesses] = field(default_factory=dict)
    weights: dict[Content, Accesses] = field(default_factory=dict)


def content_of(values: NDArray[Any]) -> Content:
    """What makes two arrays of constants the same: their type and their bytes."""
    return values.dtype.str, hashlib.sha256(values.tobytes()).digest()


def arrays_of(graph: Graph, call: KernelCall) -> Iterator[NDArray[Any]]:
    """The arrays of constants that a call names, weights first."""
    yield from (constant.values for constant in call.constants)
    yield from (data for i in call.inputs if (data := graph.tensor(i).data) is not None)


def accesses_of(plan: Plan) -> PlanAccesses:
    """Of one inference. Of an IF or WHILE each graph counts once."""
    found = PlanAccesses()
    for number, step in enumerate(plan.steps):
        for call, times in _runs(step):
            _add(plan.graph, call, times, number, found)
        for nested in step.plans:
            inner = accesses_of(nested)
            for content, each in inner.weights.items():
                found.weights.setdefault(content, Accesses()).add(each.reads, each.writes)
            for each in (*inner.tensors.values(), *inner.scratch.values()):
                found.scratch.setdefault(number, Accesses()).add(each.reads, each.writes)
    return found


def _runs(step: Step) -> Iterator[tuple[KernelCall, int]]:
    """Every call, and how often it runs."""
    if step.stripes is None:
        yield from ((call, 1) for call in step.calls)
        return
    before = 0
    for run in step.stripes.runs:
        yield from ((step.calls[k], run.until - before) for k in run.calls)
        before = run.until


def _add(graph: Graph, call: KernelCall, times: int, number: int, found: PlanAccesses) -> None:
    use = _use(graph, call)
    inputs = [i for i in call.inputs if graph.tensor(i).data is None]
    for i in inputs:
        found.tensors.setdefault(i, Accesses()).add(use.input_reads(graph, i, first=i == inputs[0]), 0, times)
    for i in call.outputs:
        found.tensors.setdefault(i, Accesses()).add(0, use.output_writes, times)
    if call.scratch_bytes:
        found.scratch.setdefault(number, Accesses()).add(use.scratch_reads, use.scratch_writes, times)
    for position, values in enumerate(arrays_of(graph, call)):
        reads = use.weight_reads(values) if position == 0 else use.factor_reads(values)
        found.weights.setdefault(content_of(values), Accesses()).add(reads, 0, times)


@dataclass(frozen=True)
class _Use:
    """How a call goes over what it works with.

    Attributes:
        unit: bytes that a load takes.
        first_reads: reads of the first input.
        passes: how often all weights are read; of float32 and the portable kernels, by element.
        factor_passes: the same of what there is once per channel.
    """

    unit: int
    first_reads: float
    passes: float
    factor_passes: float
    output_writes: float
    scratch_reads: float = 0.0
    scratch_writes: float = 0.0

    def input_reads(self, graph: Graph, tensor: int, *, first: bool) -> float:
        own = graph.tensor(tensor)
        return self.first_reads if first else own.nbytes / max(self.unit, own.dtype.itemsize)

    def weight_reads(self, values: NDArray[Any]) -> float:
        return self.passes * values.nbytes / max(self.unit, values.itemsize)

    def factor_reads(self, values: NDArray[Any]) -> float:
        return self.factor_passes * values.size


def _use(graph: Graph, call: KernelCall) -> _Use:
    p = {name: value for name, value in call.params if isinstance(value, int)}
    unit = 1 if call.variant == PORTABLE else _WORD
    together = 1 if call.variant == PORTABLE else _WINDOWS
    made = float(sum(graph.tensor(i).elements for i in call.outputs))
    if "stripe_rows" in p and "filter_columns" in p:
        return _on_planes(graph, call, p, unit, made)
    if "stripe_tiles" in p:
        return _by_tiles(p, unit, made)
    if {"columns", "depth", "channels"} <= p.keys():
        windows = p.get("batches", 1) * p.get("rows", 1) * p["columns"]
        return _gathered(call, windows, p["depth"], p["channels"], unit, together, made)
    if "filter_channels" in p:
        depth = p["filter_height"] * p["filter_width"] * p["filter_channels"]
        windows = p.get("batches", 1) * p["output_height"] * p["output_width"]
        return _gathered(call, windows, depth, p["output_channels"], unit, together, made)
    if "filter_height" in p:
        taps = p["filter_height"] * p["filter_width"]
        windows = p.get("batches", 1) * p["output_height"] * p["output_width"]
        return _Use(unit, made * taps / unit, windows, windows, made)
    if "depth" in p and "channels" in p:
        groups = -(-p.get("rows", 1) // together)
        reads = p.get("rows", 1) * p["depth"] * p["channels"] / together / unit
        return _Use(unit, reads, groups, groups, made)
    first = next((graph.tensor(i) for i in call.inputs if graph.tensor(i).data is None), None)
    first_reads = first.nbytes / max(unit, first.dtype.itemsize) if first is not None else 0.0
    scratch = call.scratch_bytes / _WORD
    return _Use(unit, first_reads, 1, 1, made, scratch, scratch)


def _gathered(call: KernelCall, windows: int, depth: int, channels: int, unit: int, together: int, made: float) -> _Use:
    """A convolution: windows are read once where they are gathered in scratch, else once per channel."""
    groups = -(-windows // together)
    taken = windows * depth
    if not call.scratch_bytes:
        return _Use(unit, taken * channels / unit, groups, groups, made)
    pairs = -(-channels // 2)
    return _Use(unit, taken / unit, groups, groups, made, taken / 2 * pairs, taken / 2)


def _by_tiles(p: dict[str, int], unit: int, made: float) -> _Use:
    """Winograd: filters are transformed once per stripe; 16 products for four outputs, all of them from scratch."""
    tiles = -(-p["output_height"] // 2) * -(-p["output_width"] // 2)
    stripes = -(-tiles // p["stripe_tiles"])
    inputs, outputs = p["input_channels"], p["output_channels"]
    filters = stripes * inputs * outputs * 8
    products = tiles * 16 * inputs / 2 * outputs
    return _Use(unit, tiles * 16 * inputs / unit, stripes * unit, stripes, made, products, filters + tiles * 8 * inputs)


_NARROW_ROWS = 3


def _on_planes(graph: Graph, call: KernelCall, p: dict[str, int], unit: int, made: float) -> _Use:
    """Depthwise: a stripe of the image is split into planes in scratch, which windows are read from."""
    stripes = -(-p["output_rows"] // p["stripe_rows"])
    rows = p.get("filter_rows", _NARROW_ROWS)
    image = float(graph.tensor(call.inputs[0]).nbytes)
    again = max(0, rows - p["row_stride"]) * (stripes - 1) * p["input_columns"] * p["channels"]
    taps = rows * p["filter_columns"]
    return _Use(unit, (image + again) / unit, stripes, stripes, made, made * taps / 2, (image + again) / 2)

"""Checks a plan from its results alone, without trusting how it was made. Runs after every plan.

Nothing here is shared with what makes plans: which kernels may write over their input, and how close, is derived from
the parameters of the calls that will run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import KernelCall
from mcugen.runtimes.aot.plan.types import FRONT_ALIGNMENT, Buffer, Plan, Step
from mcugen.runtimes.aot.plan.verify_memories import verify_memories
from mcugen.runtimes.aot.plan.verify_rows import Extents, PlanError, put, replay

_WORD = 4
"""Bytes. Kernels read words of buffers that hold smaller elements."""

_WINDOW_BY_WINDOW = frozenset(
    {f"mcg_conv_direct_{kind}" for kind in ("pairs_s8_dsp", "s8", "s8_dsp", "s8_mla", "s8_mve", "s16")}
)
_COPIES_WINDOWS = frozenset({"mcg_conv_direct_s8_mve"})
_STRIPE_BY_STRIPE = frozenset(
    {"mcg_depthwise_conv_2d_s8_dsp", "mcg_depthwise_conv_2d_s8_mla", "mcg_depthwise_wide_s8_dsp"}
)
_ROW_BY_ROW = frozenset(
    {
        *(f"mcg_conv_2d_{kind}" for kind in ("f32", "pairs_s8_dsp", "s8", "s8_dsp", "s8_mla", "s8_mve", "s16")),
        *(f"mcg_depthwise_conv_2d_{kind}" for kind in ("f32", "s8", "s8_mve", "s16")),
        *(f"mcg_{pool}_pool_2d_{kind}" for pool in ("average", "max") for kind in ("s8", "s8_mve", "s16")),
        "mcg_pool_2d_f32",
    }
)
_TILE_BY_TILE = frozenset({"mcg_winograd_s8_dsp", "mcg_winograd_s8_mla"})
"""How kernels go through their image. Those that go another way, and those not named here, need their whole input
until the end."""

_ALONG_ROWS = "mcg_conv_2d_"
"""How the names of those begin that go along a row window after window. (Others make a row channel after channel.)"""

_NOTHING = np.iinfo(np.int32).max
"""In place of a position: no input reaches so far."""

_SCRATCH = -2
"""In place of a tensor's id."""


def verify_plan(plan: Plan) -> None:
    """Simulate the plan over bytes of the arena: every read finds what was written for it.

    Raises:
        PlanError: a tensor without an address, outside the arena or misaligned; two blocks that share bytes
            while both are alive; an op that reads bytes which something else has overwritten; something that lies
            in a memory that cannot hold it, or has no room for it.
    """
    verify_memories(plan)
    _check_addresses(plan)
    _check_overlaps(plan)
    _check_reads(plan)
    verify_front(plan)


def verify_front(plan: Plan) -> None:
    """What a front end works in is free whenever no inference runs: no block is alive then, before the first op.

    Raises:
        PlanError: it lies outside of the arena, is misaligned, or shares bytes with an input or a state.
    """
    room = plan.front
    if room is None:
        return
    end = room.offset + room.size
    if room.offset < 0 or end > plan.arena_bytes or room.offset % FRONT_ALIGNMENT:
        raise PlanError(f"the front end's scratch at {room.offset} lies outside the arena, or is not aligned")
    states = [Buffer(plan.addresses[t.id], t.nbytes, -1, len(plan.steps), (t.id,)) for t in plan.graph.states]
    for block in (*plan.buffers, *states):
        if block.first < 0 and block.offset < end and room.offset < block.offset + block.size:
            raise PlanError(f"the front end's scratch at {room.offset} and {block} overlap")


def _check_addresses(plan: Plan) -> None:
    graph = plan.graph
    used = {i for op in graph.ops for i in (*op.inputs, *op.outputs) if i >= 0} | {*graph.inputs, *graph.outputs}
    for i in used:
        tensor = graph.tensor(i)
        if tensor.is_const:
            continue
        address = plan.addresses.get(i)
        if address is None:
            raise PlanError(f'tensor "{tensor.name}" has no address')
        rooms = [ring.rows for pipeline in plan.pipelines for ring in pipeline.rings if ring.tensor == i]
        size = min(tensor.nbytes, tensor.nbytes // tensor.shape[1] * max(rooms)) if rooms else tensor.nbytes
        if address < 0 or address + size > plan.arena_bytes:
            raise PlanError(f'tensor "{tensor.name}" at {address} lies outside the arena')
        if address % min(_WORD, tensor.dtype.itemsize) != 0:
            raise PlanError(f'tensor "{tensor.name}" at {address} is not aligned')
    for number, start in plan.scratch.items():
        if start < 0 or start + plan.steps[number].scratch_bytes > plan.arena_bytes:
            raise PlanError(f"{plan.steps[number].op.where}: scratch at {start} lies outside the arena")
    for buffer in plan.buffers:
        if buffer.offset < 0 or buffer.offset + buffer.size > plan.arena_bytes:
            raise PlanError(f"buffer at {buffer.offset} of {buffer.size} bytes lies outside the arena")
        if buffer.offset % _WORD != 0:
            raise PlanError(f"buffer at {buffer.offset} is not aligned")


def _check_overlaps(plan: Plan) -> None:
    for n, a in enumerate(plan.buffers):
        for b in plan.buffers[n + 1 :]:
            first, last = max(a.first, b.first), min(a.last, b.last)
            if any(pipeline.first <= first and last <= pipeline.last for pipeline in plan.pipelines):
                continue  # in use at different turns, perhaps: what counts there is replayed
            if first > last or a.offset >= b.offset + b.size or b.offset >= a.offset + a.size:
                continue
            earlier, later = sorted((a, b), key=lambda buffer: buffer.first)
            if earlier.last != later.first or not _follows_behind(plan, earlier, later):
                raise PlanError(f"buffers {a} and {b} overlap")


def _follows_behind(plan: Plan, source: Buffer, output: Buffer) -> bool:
    """Whether two buffers that overlap hold the input and the output of one step that may do so."""
    if output.first not in range(len(plan.steps)):
        return False
    step = plan.steps[output.first]
    if not may_follow(plan.graph, step, source.offset, output.offset):
        return False
    read, made = step.op.inputs[0], step.op.outputs[0]
    if read not in source.tensors or made not in output.tensors:
        return False
    return (plan.addresses[read], plan.addresses[made]) == (source.offset, output.offset)


def _check_reads(plan: Plan) -> None:
    """Run the program on a map from arena intervals to the tensor whose value they hold."""
    graph = plan.graph
    owners: Extents = {}

    states = [state.id for state in graph.states]
    for i in (*graph.inputs, *states):
        if i != plan.pushed:
            put(owners, i, plan.addresses[i], graph.tensor(i).nbytes)
    by_op = {id(step.op): (number, step) for number, step in enumerate(plan.steps)}
    flowing = {n: pipeline for pipeline in plan.pipelines for n in range(pipeline.first, pipeline.last + 1)}
    for op in graph.ops:
        number, step = by_op.get(id(op), (-1, None))
        if step is not None and number in flowing:
            if number == flowing[number].first:
                replay(plan, flowing[number], owners)
            continue
        for i in op.inputs:
            if i >= 0 and not graph.tensor(i).is_const and i not in owners:
                raise PlanError(f'{op.where} reads "{graph.tensor(i).name}", which was overwritten')
        if step is None:
            # An alias: its bytes are its input's, or its inputs' one after the other, valid under both names.
            for i in op.outputs:
                start = plan.addresses[i]
                inside = any(
                    owners[k][0] <= start and start + graph.tensor(i).nbytes <= owners[k][1]
                    for k in op.inputs
                    if k in owners
                )
                if not inside and not _is_tiled(plan, op, i, owners):
                    raise PlanError(f'{op.where}: alias "{graph.tensor(i).name}" lies outside its input')
                owners[i] = (start, start + graph.tensor(i).nbytes)
            continue
        if step.stripes:
            raise PlanError(f"{op.where} makes stripes outside of a pipeline")
        if step.scratch_bytes:
            before = set(owners)
            put(owners, _SCRATCH, plan.scratch[number], step.scratch_bytes)
            if lost := (before - set(owners)) & set(op.inputs):
                raise PlanError(f"{op.where}: scratch overwrites its inputs {sorted(lost, key=str)}")
        for i in op.outputs:
            _check_inplace(plan, step, i, owners)
            put(owners, i, plan.addresses[i], graph.tensor(i).nbytes)
        if step.scratch_bytes and owners.pop(_SCRATCH, None) is None:
            raise PlanError(f"{op.where} writes over its scratch")
    for i in (*graph.outputs, *states):
        if i not in owners and not graph.tensor(i).is_const:
            raise PlanError(f'"{graph.tensor(i).name}" was overwritten before its end')


def _is_tiled(plan: Plan, op: Op, output: int, owners: Extents) -> bool:
    """Whether an output is made of the op's inputs in their order, which then must be all there is to the op."""
    graph, at = plan.graph, plan.addresses[output]
    shape = graph.tensor(output).shape
    if op.kind not in ("CONCATENATION", "PACK") or math.prod(shape[: op.options.axis % len(shape)]) != 1:
        return False
    for i in op.inputs:
        if owners.get(i) != (at, at + graph.tensor(i).nbytes):
            return False
        at += graph.tensor(i).nbytes
    return at == plan.addresses[output] + graph.tensor(output).nbytes


def _check_inplace(plan: Plan, step: Step, output: int, owners: Extents) -> None:
    start = plan.addresses[output]
    end = start + plan.graph.tensor(output).nbytes
    for call in step.calls:
        for position, i in enumerate(call.inputs):
            if i not in owners:
                continue
            low, high = owners[i]
            shares = low < end and start < high
            if not shares or (position in call.inplace and (low, high) == (start, end)):
                continue
            if position > 0 or not may_follow(plan.graph, step, low, start):
                raise PlanError(f'{step.op.where} writes over its input "{plan.graph.tensor(i).name}"')


def may_follow(graph: Graph, step: Step, input_at: int, output_at: int) -> bool:
    """Whether a step's output at one address may overlap its first input at another.

    It may where the step is one call of a kernel that goes through its image in order, and never writes over what it
    still has to read.
    """
    if len(step.calls) != 1:
        return False
    order = _order(graph, step.calls[0])
    if order is None:
        return False
    needed = np.minimum.accumulate(order.reads[::-1])[::-1]
    over = needed >= graph.tensor(step.calls[0].inputs[0]).nbytes  # only padding is read from here on
    return bool(np.all(over | (output_at + order.written <= input_at + needed)))


@dataclass(frozen=True)
class _Order:
    """How a call goes through its image, part by part. All is counted in bytes from the start of input and output.

    Attributes:
        reads: the first byte that each part reads after it has begun to write.
        written: the end of what is written when each part is done.
    """

    reads: NDArray[np.int64]
    written: NDArray[np.int64]


def _order(graph: Graph, call: KernelCall) -> _Order | None:
    """The order of a call, or None if it has none: it goes through its image more than once, or the other way."""
    params = {name: value for name, value in call.params if isinstance(value, int)}
    if call.input_offset or call.output_offset or params.get("batches") != 1:
        return None
    source, output = graph.tensor(call.inputs[0]), graph.tensor(call.outputs[0])
    order: _Order | None
    if call.kernel in _WINDOW_BY_WINDOW:
        order = _windows(params, copied=call.kernel in _COPIES_WINDOWS)
    elif call.kernel in _STRIPE_BY_STRIPE:
        order = _stripes(params)
    elif call.kernel in _TILE_BY_TILE:
        order = _tiles(params)
    elif call.kernel in _ROW_BY_ROW:
        along_row = call.kernel.startswith(_ALONG_ROWS) and params["output_height"] == params["filter_height"] == 1
        order = _rows(params, source.shape[-1], output.shape[-1], along_row=along_row)
    else:
        return None
    if order is None or order.written[-1] != output.elements:
        return None
    return _Order(order.reads * source.dtype.itemsize, order.written * output.dtype.itemsize)


def _windows(params: Mapping[str, int], *, copied: bool) -> _Order:
    """Windows that lie in one piece each."""
    rows, columns = (n.ravel() for n in np.indices((params["rows"], params["columns"])))
    reads = rows * params["row_step"] + columns * params["column_step"]
    written = (np.arange(reads.size) + 1) * params["channels"]
    if copied:  # before anything is written for it, so that only the next ones count
        reads = np.append(reads[1:], _NOTHING)
    return _Order(reads, written)


def _stripes(params: Mapping[str, int]) -> _Order | None:
    """Stripes of rows, each made channel after channel; an image on its side is one whose rows are no pieces."""
    row = params["input_columns"] * params["channels"]
    if params["input_row_step"] != row:
        return None
    first = np.arange(0, params["output_rows"], params["stripe_rows"])
    reads = np.clip(first * params["row_stride"] - params["pad_rows"], 0, params["input_rows"]) * row
    written = np.minimum(first + params["stripe_rows"], params["output_rows"]) * params["output_row_step"]
    return _Order(reads, written)


def _tiles(params: Mapping[str, int]) -> _Order:
    """Stripes of tiles of two rows and columns, row after row of tiles; each is read before it is written."""
    across, down = -(-params["output_width"] // 2), -(-params["output_height"] // 2)
    ends = np.arange(0, across * down, params["stripe_tiles"]) + params["stripe_tiles"]
    next_rows = np.clip(ends // across * 2 - params["pad_top"], 0, params["input_height"])
    reads = np.where(ends < across * down, next_rows * params["input_width"] * params["input_channels"], _NOTHING)
    last = np.minimum(ends, across * down) - 1
    rows = np.minimum(last // across * 2 + 2, params["output_height"])
    return _Order(reads, rows * params["output_width"] * params["output_channels"])


def _rows(params: Mapping[str, int], channels: int, filters: int, *, along_row: bool) -> _Order | None:
    """Rows made pixel after pixel; where windows are single pixels, each is a part of its own.

    `along_row`: an image of one row, whose windows are parts of their own: a column that a kernel takes for a row.
    """
    if params.get("groups", 1) != 1:  # groups are made one after the other, each over the whole image
        return None
    width, columns = params["input_width"], params["output_width"]
    first = np.arange(params["output_height"]) * params["stride_h"] - params["pad_top"]
    one_pixel = (params["filter_height"], params["filter_width"], params["pad_top"], params["pad_left"]) == (1, 1, 0, 0)
    if one_pixel:
        reads = np.add.outer(first * width, np.arange(columns) * params["stride_w"]).ravel()
    elif along_row:
        reads = np.clip(np.arange(columns) * params["stride_w"] - params["pad_left"], 0, width)
        return _Order(reads * channels, (np.arange(columns) + 1) * filters)
    else:
        # Rows that have been copied before the first is written are not read again.
        reads = np.clip(first + params.get("kept_rows", 0), 0, params["input_height"]) * width
    pixels = 1 if one_pixel else columns
    return _Order(reads * channels, (np.arange(reads.size) + 1) * pixels * filters)

"""Checks a plan from its results alone, without trusting how it was made. Runs after every plan."""

from __future__ import annotations

import math

from mcugen.graph.types import Op
from mcugen.runtimes.aot.plan.layout import ALIGNMENT
from mcugen.runtimes.aot.plan.overlay import first_conflict, overlay_call
from mcugen.runtimes.aot.plan.types import Buffer, Plan, Step


class PlanError(AssertionError):
    """The planner made a wrong plan: a bug in mcugen, never the user's fault."""


def verify_plan(plan: Plan) -> None:
    """Simulate the plan over bytes of the arena: every read finds what was written for it.

    Raises:
        PlanError: a tensor without an address, outside the arena or misaligned; two blocks that share bytes
            while both are alive; an op that reads bytes which something else has overwritten.
    """
    _check_addresses(plan)
    _check_overlaps(plan)
    _check_reads(plan)


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
        if address < 0 or address + tensor.nbytes > plan.arena_bytes:
            raise PlanError(f'tensor "{tensor.name}" at {address} lies outside the arena')
        if address % min(ALIGNMENT, tensor.dtype.itemsize) != 0:
            raise PlanError(f'tensor "{tensor.name}" at {address} is not aligned')
    for buffer in plan.buffers:
        if buffer.offset % ALIGNMENT or buffer.offset < 0 or buffer.offset + buffer.size > plan.arena_bytes:
            raise PlanError(f"buffer at {buffer.offset} of {buffer.size} bytes lies outside the arena")


def _check_overlaps(plan: Plan) -> None:
    for n, a in enumerate(plan.buffers):
        for b in plan.buffers[n + 1 :]:
            in_time = a.first <= b.last and b.first <= a.last
            if not in_time or a.offset >= b.offset + b.size or b.offset >= a.offset + a.size:
                continue
            earlier, later = sorted((a, b), key=lambda buffer: buffer.first)
            if earlier.last != later.first or not _follows_behind(plan, earlier, later):
                raise PlanError(f"buffers {a} and {b} overlap")


def _follows_behind(plan: Plan, source: Buffer, output: Buffer) -> bool:
    """Whether two buffers that overlap hold the input and the output of one step that may do so."""
    if not 0 <= output.first < len(plan.steps) or source.is_scratch or output.is_scratch:
        return False
    step = plan.steps[output.first]
    call = overlay_call(plan.graph, step)
    if call is None or call.inputs[0] not in source.tensors or call.outputs[0] not in output.tensors:
        return False
    addresses = plan.addresses[call.inputs[0]], plan.addresses[call.outputs[0]]
    return addresses == (source.offset, output.offset) and first_conflict(plan.graph, step, *addresses) is None


def _check_reads(plan: Plan) -> None:
    """Run the program on a map from arena intervals to the tensor whose value they hold."""
    graph = plan.graph
    owners: dict[int, tuple[int, int]] = {}  # tensor → (start, end) of its valid bytes

    def write(tensor: int, start: int, size: int) -> None:
        for other, (low, high) in list(owners.items()):
            if low < start + size and start < high:
                del owners[other]
        if tensor >= 0:
            owners[tensor] = (start, start + size)

    states = [state.id for state in graph.states]
    for i in (*graph.inputs, *states):
        write(i, plan.addresses[i], graph.tensor(i).nbytes)
    by_op = {id(step.op): (number, step) for number, step in enumerate(plan.steps)}
    for op in graph.ops:
        for i in op.inputs:
            if i >= 0 and not graph.tensor(i).is_const and i not in owners:
                raise PlanError(f'{op.where} reads "{graph.tensor(i).name}", which was overwritten')
        if id(op) not in by_op:
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
        number, step = by_op[id(op)]
        if step.scratch_bytes:
            before = set(owners)
            write(-1, plan.scratch[number], step.scratch_bytes)
            if lost := (before - set(owners)) & {i for i in op.inputs if i >= 0}:
                raise PlanError(f"{op.where}: scratch overwrites its inputs {sorted(lost)}")
        for i in op.outputs:
            _check_inplace(plan, step, i, owners)
            write(i, plan.addresses[i], graph.tensor(i).nbytes)
    for i in (*graph.outputs, *states):
        if i not in owners and not graph.tensor(i).is_const:
            raise PlanError(f'"{graph.tensor(i).name}" was overwritten before its end')


def _is_tiled(plan: Plan, op: Op, output: int, owners: dict[int, tuple[int, int]]) -> bool:
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


def _check_inplace(plan: Plan, step: Step, output: int, owners: dict[int, tuple[int, int]]) -> None:
    start = plan.addresses[output]
    end = start + plan.graph.tensor(output).nbytes
    follows = overlay_call(plan.graph, step)
    for call in step.calls:
        for position, i in enumerate(call.inputs):
            if i not in owners:
                continue
            low, high = owners[i]
            shares = low < end and start < high
            if not shares or (position in call.inplace and (low, high) == (start, end)):
                continue
            if call is not follows or position > 0 or first_conflict(plan.graph, step, low, start):
                raise PlanError(f'{step.op.where} writes over its input "{plan.graph.tensor(i).name}"')

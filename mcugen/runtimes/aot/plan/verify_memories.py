"""Checks where a plan puts things in several memories, from its results alone.

Nothing here is shared with what places them: what lies where is added up anew, from the addresses and from the calls
that will run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mcugen.graph.types import Tensor
from mcugen.runtimes.aot.plan.types import SHARED_FROM, Arena, Memory, Plan
from mcugen.runtimes.aot.plan.verify_rows import PlanError

_LINE = 16
"""Bytes. Arrays of arenas and weights begin at multiples of it."""


def verify_memories(plan: Plan) -> None:
    """Everything lies in one memory, in one that may hold it, and no memory holds more than it has room for.

    Raises:
        PlanError: it does not.
    """
    if not plan.memories:
        if plan.arenas or plan.weights:
            raise PlanError("the plan has places in memories that it does not have")
        return
    memories = {memory.name: memory for memory in plan.memories}
    if len(memories) != len(plan.memories):
        raise PlanError("two memories have one name")
    taken = dict.fromkeys(memories, 0)
    _check_arenas(plan, memories, taken)
    _check_blocks(plan, memories)
    _check_weights(plan, memories, taken)
    for name, used in taken.items():
        if used > memories[name].room:
            raise PlanError(f"{name} holds {used} bytes, but has room for {memories[name].room}")


def _check_arenas(plan: Plan, memories: dict[str, Memory], taken: dict[str, int]) -> None:
    end = 0
    for arena in sorted(plan.arenas, key=lambda arena: arena.start):
        memory = memories.get(arena.memory)
        if memory is None or "arena" not in memory.holds or not memory.is_ram:
            raise PlanError(f"an arena lies in {arena.memory}, which holds none")
        if taken[arena.memory]:
            raise PlanError(f"{arena.memory} has two arenas")
        if arena.start < end:
            raise PlanError(f"the arena in {arena.memory} overlaps another")
        if arena.start != end or arena.start % _LINE or arena.size % _LINE or arena.size <= 0:
            raise PlanError(f"the arena in {arena.memory} begins or ends where none can")
        end = arena.start + arena.size
        taken[arena.memory] = arena.size
    if end != plan.arena_bytes:
        raise PlanError(f"the arenas end at {end}, the plan at {plan.arena_bytes}")


def _check_blocks(plan: Plan, memories: dict[str, Memory]) -> None:
    """Nothing reaches from one arena into another, and DMA reaches what a caller fills and reads."""
    outside = {*plan.graph.inputs, *plan.graph.outputs}
    for i, address in plan.addresses.items():
        tensor = plan.graph.tensor(i)
        arena = _arena_of(plan, address, _bytes_held(plan, tensor), f'tensor "{tensor.name}"')
        if i in outside and not memories[arena.memory].dma:
            raise PlanError(f'DMA does not reach {arena.memory}, where "{tensor.name}" lies')
    for number, address in plan.scratch.items():
        step = plan.steps[number]
        _arena_of(plan, address, step.scratch_bytes, f"scratch of {step.op.where}")
    for buffer in plan.buffers:
        _arena_of(plan, buffer.offset, buffer.size, f"buffer at {buffer.offset}")


def _bytes_held(plan: Plan, tensor: Tensor) -> int:
    rows = [ring.rows for pipeline in plan.pipelines for ring in pipeline.rings if ring.tensor == tensor.id]
    return min(tensor.nbytes, tensor.nbytes // tensor.shape[1] * max(rows)) if rows else tensor.nbytes


def _arena_of(plan: Plan, start: int, size: int, what: str) -> Arena:
    for arena in plan.arenas:
        if arena.start <= start and start + size <= arena.start + arena.size:
            return arena
    raise PlanError(f"{what} lies in no arena as a whole")


def _check_weights(plan: Plan, memories: dict[str, Memory], taken: dict[str, int]) -> None:
    expected = dict(_arrays(plan))
    if len({each.content for each in plan.weights}) != len(plan.weights):
        raise PlanError("weights have two places")
    for each in plan.weights:
        memory, image = memories.get(each.memory), memories.get(each.image)
        if expected.pop(each.content, None) != each.size:
            raise PlanError(f"{each.what}: no kernel reads such weights")
        if memory is None or "weights" not in memory.holds:
            raise PlanError(f"{each.what} lie in {each.memory}, which holds none")
        if memory.is_ram != bool(each.image):
            raise PlanError(f"{each.what} in {each.memory} {'are never' if memory.is_ram else 'need not be'} copied")
        rounded = (each.size + _LINE - 1) // _LINE * _LINE
        taken[each.memory] += rounded
        if each.image:
            if image is None or image.is_ram or "weights" not in image.holds:
                raise PlanError(f"{each.what} are copied from {each.image}, which holds none after a start")
            taken[each.image] += rounded
    if expected:
        raise PlanError(f"{len(expected)} arrays of weights have no place")


def _arrays(plan: Plan) -> Iterator[tuple[tuple[str, bytes], int]]:
    """Every array of weights large enough to have a place, in the plan and in the graphs that its ops run."""
    for step in plan.steps:
        for inner in step.plans:
            yield from _arrays(inner)
        for call in step.calls:
            values = [constant.values for constant in call.constants]
            values += [data for data in (plan.graph.tensor(i).data for i in call.inputs) if data is not None]
            for array in values:
                if array.nbytes >= SHARED_FROM:
                    yield (array.dtype.str, hashlib.sha256(array.tobytes()).digest()), array.nbytes

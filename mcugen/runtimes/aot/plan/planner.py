"""Chooses kernels for every op and lays out the arena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from mcugen import ops
from mcugen.errors import ModelError
from mcugen.graph.repeats import weights_of
from mcugen.graph.types import Graph, Op
from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.memory import SLACK, UNLIMITED
from mcugen.ops.movement import Loop, copy_call
from mcugen.runtimes.aot.plan.memory import Memory, live_bound
from mcugen.runtimes.aot.plan.overlay import overlay_call
from mcugen.runtimes.aot.plan.parts import Parts, place_parts
from mcugen.runtimes.aot.plan.pipelines import MORE_ARENA, NO_PIPELINES, Pipelining, Search
from mcugen.runtimes.aot.plan.state import StateMemory, place_states
from mcugen.runtimes.aot.plan.stripes import window_of
from mcugen.runtimes.aot.plan.types import Plan, Step
from mcugen.runtimes.aot.plan.verify import verify_plan
from mcugen.runtimes.aot.plan.work import work_of, work_of_plan
from mcugen.runtimes.aot.supported import check_supported

_SCRATCH_LIMITS = (None, 8192, 4096, 2048, 1024, 512, 0)
"""Tried when optimizing for RAM, the fastest kernels first: more scratch is worth nothing where a tensor could be."""

_MORE_FLASH = 0.05
"""The part of the constants by which a faster kernel's code may enlarge the flash, unless optimizing for speed."""

_PIPELINES_CODE = 2000
"""About what the scheduler of pipelines and their tables add to the code."""

_WORTH = 0.97
"""The part of the cycles with which pipelines have to do in an arena that does not need them: what the price of a step
is not sure of has to be less than what they save."""

_SMALL_PART = 50
"""When optimizing for size, kernels that do less than this part of all multiply-accumulates are portable ones."""


def make_plan(
    graph: Graph,
    target: Target | None = None,
    goal: Goal = DEFAULT_GOAL,
    pushed: bool = False,
    arena_limit: int = 0,
    whole: bool = False,
) -> Plan:
    """Lower every op to kernel calls and give every tensor an address in the arena.

    Args:
        graph: a graph as read or optimized.
        target: the core to choose kernels for; portable kernels by default.
        goal: what to optimize for where one thing costs another.
        pushed: the caller brings the model's input row by row.
        arena_limit: bytes of the arena within which the plan is to be the fastest, whatever else is the goal, if there
            is one that is so small; else it is the smallest. 0 for none.
        whole: without pipelines where the goal does not need them.

    Raises:
        UnsupportedOpError: an op that no kernel runs.
        ModelError: a model with nothing to compute; an input that cannot be brought row by row.
    """
    target = target or Target()
    check_supported(graph)
    if arena_limit:
        return _plan_within(graph, target, goal, arena_limit, pushed=pushed)
    if pushed:
        return _pushed_plan(graph, target, goal)
    if goal == "ram":
        return _with_little(_small_plans(graph, target, goal))
    usual = _usual_plan(graph, target, goal)
    return usual if whole or goal == "size" else _with_room_by_pipelines(usual)


def _usual_plan(graph: Graph, target: Target, goal: Goal) -> Plan:
    """The plan of layers that run one after the other."""
    if target.scratch_limit is None:
        # Tensors that share memory may leave more room for scratch than can be told before they have their places.
        plan = _best_plan(graph, replace(target, scratch_limit=UNLIMITED), goal)
        if plan.arena_bytes <= plan.live_bound + SLACK:
            return replace(_with_roomier(plan), target=target)
    return _with_roomier(_best_plan(graph, target, goal))


def _with_room_by_pipelines(usual: Plan) -> Plan:
    """The plan with pipelines where they leave so much room for faster kernels that it is faster in the same arena."""
    code = _room_for_code(usual) - _PIPELINES_CODE
    known = {call.kernel for step in usual.steps for call in step.calls}
    before = work_of_plan(usual)
    missed = sum(_missed(usual, step, known, code) for step in usual.steps)
    if code < 0 or before - missed > before * _WORTH or _has_rounds(usual):
        return usual
    search = row_search(usual.graph, usual.target, usual.goal, pushed=False)
    flowing = search.fastest(usual.arena_bytes) if search else None
    if flowing is None or work_of_plan(flowing) > before * _WORTH:
        return usual
    added = {call.kernel: call.code_bytes for step in flowing.steps for call in step.calls if call.kernel not in known}
    return usual if sum(added.values()) > code else replace(flowing, target=usual.target)


def _has_rounds(plan: Plan) -> bool:
    """Whether ops share weights: those may be emitted as rounds of a loop, which is not done beside pipelines."""
    weights = Counter(key for step in plan.steps if (key := weights_of(plan.graph, step.op)))
    return any(count > 1 for count in weights.values())


def _missed(plan: Plan, step: Step, known: Container[str], code: float) -> float:
    """The cycles that kernels would save in a step for which its arena has no room: those that are `known`, since other
    steps take them, and others that add no more than `code`."""
    if len(step.calls) != 1:
        return 0.0
    faster = [
        replace(step, calls=(call,))
        for call in step.calls[0].roomier
        if call.kernel in known or call.code_bytes <= code
    ]
    return work_of(plan.graph, step) - min(work_of(plan.graph, way) for way in (step, *faster))


def _small_plans(graph: Graph, target: Target, goal: Goal) -> list[Plan]:
    """Plans with small arenas, the smallest of all that are found among them."""
    whole = [_best_plan(graph, replace(target, scratch_limit=limit), goal) for limit in _SCRATCH_LIMITS]
    search = row_search(graph, target, goal, pushed=False)
    return [*whole, *(search.small() if search else ())]


def _with_little(plans: Sequence[Plan]) -> Plan:
    """The plan with the least memory, or one with little more that is worth it."""
    least = min(plan.arena_bytes for plan in plans)
    return min((plan for plan in plans if plan.arena_bytes <= least * MORE_ARENA), key=_price)


def _price(plan: Plan) -> float:
    """A percent of the cycles is worth two percent of the arena."""
    return float(plan.arena_bytes * work_of_plan(plan) ** 2)


def _plan_within(graph: Graph, target: Target, goal: Goal, limit: int, *, pushed: bool) -> Plan:
    """The first of these that takes no more than `limit` bytes: the plan of the goal, the fastest with pipelines, and
    the smallest of all."""
    if pushed:
        found = _pushed_plan(graph, target, goal, limit)
    else:
        found = make_plan(graph, target, goal)
        if found.arena_bytes > limit:
            search = row_search(graph, target, goal, pushed=False)
            flowing = search.best(limit) if search else None
            if flowing and flowing.arena_bytes <= limit:
                found = flowing
            else:
                found = min(_small_plans(graph, target, "ram"), key=lambda plan: plan.arena_bytes)
    return replace(found, goal=goal, arena_limit=limit)


def _pushed_plan(graph: Graph, target: Target, goal: Goal, budget: int = 0) -> Plan:
    """The plan of a model whose input the caller brings row by row.

    Raises:
        ModelError: the model has several inputs, keeps a state, or does not begin with a layer that takes rows.
    """
    hint = "Bring the input as a whole"
    if len(graph.inputs) != 1:
        raise ModelError(f"it has {len(graph.inputs)} inputs, of which rows cannot be brought in turn", hint=hint)
    if graph.states or graph.inputs[0] in graph.outputs:
        raise ModelError("it keeps a state or gives back its input, so its input cannot go row by row", hint=hint)
    readers = graph.consumers(graph.inputs[0])
    if not readers or any(window_of(graph, op) is None for op in readers):
        raise ModelError(
            "its input cannot go row by row: a layer that reads it takes no rows of an image in whole words",
            where=readers[0].where if readers else "",
            hint=hint,
        )
    search = row_search(graph, target, goal, pushed=True)
    if search is None:
        raise ModelError("it runs other graphs (IF, WHILE), so that its input cannot go row by row", hint=hint)
    return search.best(budget) if budget else _with_little(search.small())


def row_search(graph: Graph, target: Target, goal: Goal, *, pushed: bool) -> Search | None:
    """The search for pipelines; None for a graph whose ops run others."""
    least = replace(target, scratch_limit=0)
    lowered = _lower(graph, least, goal)
    if any(lowering.graphs for _, lowering, _ in lowered) or not any(lowering.calls for _, lowering, _ in lowered):
        return None
    states = place_states(graph, [lowering for _, lowering, _ in lowered])
    choices: dict[Op, list[Step]] = {}
    for (op, lowest, _), (_, most, macs) in zip(
        lowered, _lower(graph, replace(target, scratch_limit=UNLIMITED), goal), strict=True
    ):
        if not most.calls or most.aliases:
            continue
        ways = [most.calls]
        if Step(op, most.calls, macs).scratch_bytes != Step(op, lowest.calls, macs).scratch_bytes:
            spec = ops.supported_spec(graph, op)
            limits = (limit for limit in _SCRATCH_LIMITS if limit)
            ways += [spec.lower(graph, op, replace(target, scratch_limit=limit)).calls for limit in limits]
        ways += [(call,) for call in (most.calls[0].roomier if len(most.calls) == 1 else ())]
        choices[op] = [Step(op, calls, macs) for calls in ways]

    def make(pipelining: Pipelining) -> Plan:
        return _make_plan(graph, least, goal, lowered, states, Parts(), nested=False, pipelining=pipelining)

    return Search(make(NO_PIPELINES), target, choices, make, graph.inputs[0] if pushed else None)


def _with_roomier(plan: Plan) -> Plan:
    """The plan with faster kernels that take more scratch, those of the most work first, where there is room."""
    if plan.goal in ("size", "ram") or not any(call.roomier for step in plan.steps for call in step.calls):
        return plan
    lowered = _lower(plan.graph, plan.target, plan.goal)
    wanting = [n for n, (_, lowering, _) in enumerate(lowered) if any(call.roomier for call in lowering.calls)]
    most = max(plan.arena_bytes, plan.live_bound + SLACK) if plan.goal == "speed" else plan.arena_bytes
    code = _room_for_code(plan)
    reasons: dict[int, str] = {}
    possible: dict[int, list[KernelCall]] = {}
    for n in sorted(wanting, key=lambda n: -lowered[n][2]):
        op, call = lowered[n][0], lowered[n][1].calls[0]
        affordable = [roomier for roomier in call.roomier if roomier.code_bytes <= code]
        fitting = [roomier for roomier in affordable if roomier.scratch_bytes <= _room(plan, op, most)]
        possible[n] = [replace(roomier, why_not_faster=call.why_not_faster) for roomier in fitting]
        if len(affordable) < len(call.roomier):
            reasons[id(op)] = "a faster variant costs more code than a small model should grow by: optimize for speed"

    def planned(chosen: Mapping[int, KernelCall]) -> Plan:
        calls = [
            replace(lowering, calls=(chosen[n],)) if n in chosen else lowering
            for n, (_, lowering, _) in enumerate(lowered)
        ]
        tried = [(op, lowering, macs) for (op, _, macs), lowering in zip(lowered, calls, strict=True)]
        return _best_plan(plan.graph, plan.target, plan.goal, tried, enough=most)

    # All at once takes one plan, where there is much room.
    found = {n: calls[0] for n, calls in possible.items() if calls}
    larger = planned(found)
    if larger.arena_bytes > most:
        found, larger = {}, plan
        for n, calls in possible.items():
            for call in calls:
                tried = planned({**found, n: call})
                if tried.arena_bytes <= most:
                    found, larger = {**found, n: call}, tried
                    break
    for n in possible:
        op, call = lowered[n][0], lowered[n][1].calls[0]
        others = [roomier for roomier in call.roomier if roomier.kernel != call.kernel]
        if others and id(op) not in reasons and (n not in found or found[n].kernel == call.kernel):
            needed = min(roomier.scratch_bytes for roomier in others)
            reasons[id(op)] = f"a faster variant takes {needed:,} bytes of scratch, for which the arena has no room"
    return replace(larger, steps=tuple(_with_reason(step, reasons.get(id(step.op), "")) for step in larger.steps))


def _room_for_code(plan: Plan) -> float:
    """Bytes of code that faster kernels may add."""
    return UNLIMITED if plan.goal == "speed" else sum(plan.constant_sizes()) * _MORE_FLASH


def _room(plan: Plan, op: Op, arena_bytes: int) -> int:
    """No more scratch can an op have in an arena of so many bytes, however its tensors lie."""
    number, step = next((n, step) for n, step in enumerate(plan.steps) if step.op is op)
    alive = sum(b.size for b in plan.buffers if b.tensors and b.first <= number <= b.last)
    shared = 0
    call = overlay_call(plan.graph, step)
    if call is not None and any(call.inputs[0] in b.tensors and b.last == number for b in plan.buffers):
        shared = min(plan.graph.tensor(i).nbytes for i in (call.inputs[0], call.outputs[0]))
    return arena_bytes - alive + shared


def _with_reason(step: Step, reason: str) -> Step:
    """The step with one more reason why its call is not faster, if there is one."""
    if not reason:
        return step
    call = step.calls[0]
    return replace(step, calls=(replace(call, why_not_faster="; ".join(filter(None, (call.why_not_faster, reason)))),))


def _best_plan(
    graph: Graph,
    target: Target,
    goal: Goal,
    lowered: list[tuple[Op, Lowering, int]] | None = None,
    *,
    nested: bool = False,
    enough: int = 0,
) -> Plan:
    """The plan whose concatenations are put together by copies, or in place where that takes no more memory.

    Args:
        enough: an arena of this size is looked for longer.
    """
    lowered = lowered or _lower(graph, target, goal)
    if not nested and not any(lowering.calls or lowering.graphs for _, lowering, _ in lowered):
        lowered = _with_copies(graph, lowered)
    states = place_states(graph, [lowering for _, lowering, _ in lowered])
    copying = _make_plan(graph, target, goal, lowered, states, Parts(), nested=nested, enough=enough)
    parts = place_parts(graph, [states.lowerings.get(n, low) for n, (_, low, _) in enumerate(lowered)], states.homes)
    if not parts.places:
        return copying
    in_place = _make_plan(graph, target, goal, lowered, states, parts, nested=nested, enough=enough)
    return in_place if in_place.arena_bytes <= copying.arena_bytes else copying


def _make_plan(
    graph: Graph,
    target: Target,
    goal: Goal,
    lowered: Sequence[tuple[Op, Lowering, int]],
    states: StateMemory,
    parts: Parts,
    *,
    nested: bool,
    enough: int = 0,
    pipelining: Pipelining = NO_PIPELINES,
) -> Plan:
    """A plan of a model, or of a graph that one of its ops runs: that may do nothing, and give back constants."""
    steps: list[Step] = []
    aliased: list[Op] = []
    memory = Memory(graph, {**{i: (state, 0) for i, state in states.homes.items()}, **parts.places})
    for position, (op, lowering, macs) in enumerate(lowered):
        lowering = Lowering() if position in parts.outputs else states.lowerings.get(position, lowering)
        if lowering.calls or lowering.graphs:
            plans = tuple(_best_plan(inner, target, goal, nested=True) for inner in lowering.graphs)
            step = pipelining.steps.get(op) or Step(op, lowering.calls, macs, plans)
            lowering = replace(lowering, calls=step.calls)
            steps.append(step)
        else:
            aliased.append(op)
        memory.add(op, lowering, len(steps) - 1)
    if not steps and not nested:
        raise ModelError("the model computes nothing: its outputs are its inputs")
    memory.finish(len(steps))
    bound = live_bound(graph, memory.tensor_blocks(), len(steps))
    enough = enough or pipelining.enough
    layout = memory.layout(steps, pipelining.spans(steps), pipelining.rows, enough, pipelining.like)
    plan = Plan(
        graph=graph,
        target=target,
        steps=tuple(steps),
        aliased=tuple(aliased),
        buffers=layout.buffers,
        addresses=layout.addresses,
        scratch=layout.scratch,
        arena_bytes=layout.arena_bytes,
        live_bound=bound,
        goal=goal,
        pipelines=layout.pipelines,
        pushed=pipelining.rows.pushed,
    )
    if pipelining.like is None:  # else one of many that are tried, the best of which the search checks
        verify_plan(plan)
    return plan


def _lower(graph: Graph, target: Target, goal: Goal) -> list[tuple[Op, Lowering, int]]:
    """Every op with its kernel calls and its multiply-accumulates."""
    specs = [(op, ops.supported_spec(graph, op)) for op in graph.ops]
    lowered = [(op, spec.lower(graph, op, target), spec.macs(graph, op)) for op, spec in specs]
    if goal != "size":
        return lowered
    work: Counter[str] = Counter()
    for _, lowering, macs in lowered:
        for call in lowering.calls:
            work[call.kernel] += macs
    enough = work.total() / _SMALL_PART
    chosen = []
    for op, lowering, macs in lowered:
        if not _is_worth_it(lowering, work, enough):
            lowering = _explained(ops.supported_spec(graph, op).lower(graph, op, Target(target.cpu)))
        chosen.append((op, lowering, macs))
    return chosen


def _with_copies(graph: Graph, lowered: Sequence[tuple[Op, Lowering, int]]) -> list[tuple[Op, Lowering, int]]:
    """The same ops, where all of them are views: those of the model's outputs as copies, so that something runs."""
    chosen = []
    for op, lowering, macs in lowered:
        if not set(op.outputs).isdisjoint(graph.outputs):
            lowering = Lowering(calls=tuple(_copy(graph, *alias) for alias in lowering.aliases))
        chosen.append((op, lowering, macs))
    return chosen


def _copy(graph: Graph, made: int, given: int, offset: int) -> KernelCall:
    source, output = graph.tensor(given), graph.tensor(made)
    return copy_call(source, output, [Loop(output.elements, 1, 1)], offset // source.dtype.itemsize)


def _is_worth_it(lowering: Lowering, work: Mapping[str, int], enough: float) -> bool:
    """Whether the op's kernels are portable, or do so much of the model's work that their code is well spent."""
    return all(call.variant == "portable" or work[call.kernel] >= enough for call in lowering.calls)


def _explained(lowering: Lowering) -> Lowering:
    reason = "a faster variant costs more code than its share of the work justifies when optimizing for size"
    return replace(lowering, calls=tuple(replace(call, why_not_faster=reason) for call in lowering.calls))

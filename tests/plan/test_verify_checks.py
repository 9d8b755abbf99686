"""Every check of a plan refuses what it is there for, in its own words, and nothing that is right."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mcugen.graph.types import DType
from mcugen.runtimes.aot.plan import Plan, verify_plan
from mcugen.runtimes.aot.plan.types import Buffer
from mcugen.runtimes.aot.plan.verify import PlanError
from tests.plan.hand_made import KEPT, call, graph_of, op, plan_of, step, tensor


def refused(words: str | None) -> contextlib.AbstractContextManager[Any]:
    """What is inside is refused with these words, or right where there are none."""
    return contextlib.nullcontext() if words is None else pytest.raises(PlanError, match=words)


def chain(**changes: Any) -> Plan:
    """t0 → t1 → t2, of 8 bytes each: t1 lies right behind t0, and t2 where t0 was. All of the arena is used."""
    ops = [op(0, [0, -1, 3], [1]), op(1, [1], [2])]
    graph = graph_of([tensor(0), tensor(1), tensor(2), tensor(3, data=KEPT)], ops)
    buffers = [Buffer(0, 8, -1, 0, (0,)), Buffer(8, 8, 0, 1, (1,)), Buffer(0, 8, 1, 2, (2,))]
    made = plan_of(graph, [step(o) for o in ops], {0: 0, 1: 8, 2: 0}, arena=16, buffers=buffers)
    return replace(made, **changes)


def test_a_right_plan_passes() -> None:
    verify_plan(chain())


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_every_tensor_needs_an_address(missing: int) -> None:
    addresses = {i: at for i, at in chain().addresses.items() if i != missing}
    with refused(f'tensor "t{missing}" has no address'):
        verify_plan(chain(addresses=addresses))


def test_a_tensor_between_ops_needs_an_address_whatever_its_number() -> None:
    ops = [op(0, [1], [0]), op(1, [0], [2])]
    graph = graph_of([tensor(0), tensor(1), tensor(2)], ops, inputs=[1])
    verify_plan(plan_of(graph, [step(o) for o in ops], {0: 0, 1: 8, 2: 16}, arena=24))
    with refused('tensor "t0" has no address'):
        verify_plan(plan_of(graph, [step(o) for o in ops], {1: 8, 2: 16}, arena=24))


def test_an_input_that_no_op_reads_needs_an_address() -> None:
    made = op(0, [0], [1])
    graph = graph_of([tensor(0), tensor(1), tensor(2)], [made], inputs=[0, 2])
    with refused('tensor "t2" has no address'):
        verify_plan(plan_of(graph, [step(made)], {0: 0, 1: 8}, arena=24))
    verify_plan(plan_of(graph, [step(made)], {0: 0, 1: 8, 2: 16}, arena=24))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (-1, 't2" at -1 lies outside the arena'),
        (-8, 't2" at -8 lies outside the arena'),
        (9, 't2" at 9 lies outside the arena'),
        (8, 'op 1 ADD "layer1" writes over its input "t1"'),
        (0, None),
    ],
)
def test_every_tensor_lies_in_the_arena(address: int, words: str | None) -> None:
    with refused(words):
        verify_plan(chain(addresses={0: 0, 1: 8, 2: address}))


@pytest.mark.parametrize(
    ("dtype", "address", "right"),
    [
        (DType.INT8, 9, True),
        (DType.INT16, 9, False),
        (DType.INT16, 10, True),
        (DType.FLOAT32, 10, False),
        (DType.FLOAT32, 12, True),
        (DType.INT64, 12, True),
        (DType.INT64, 14, False),
    ],
)
def test_every_tensor_is_aligned_to_its_elements_or_words(dtype: DType, address: int, right: bool) -> None:
    made = op(0, [0], [1])
    graph = graph_of([tensor(0), tensor(1, 1, dtype)], [made])
    with refused(None if right else f'tensor "t1" at {address} is not aligned'):
        verify_plan(plan_of(graph, [step(made)], {0: 0, 1: address}, arena=32))


@pytest.mark.parametrize(
    ("offset", "size", "words"),
    [
        (0, 16, None),
        (12, 4, None),
        (0, 17, "buffer at 0 of 17 bytes lies outside the arena"),
        (12, 5, "buffer at 12 of 5 bytes lies outside the arena"),
        (-1, 4, "buffer at -1 of 4 bytes lies outside the arena"),
        (-4, 4, "buffer at -4 of 4 bytes lies outside the arena"),
        (6, 4, "buffer at 6 is not aligned"),
        (9, 4, "buffer at 9 is not aligned"),
    ],
)
def test_every_buffer_lies_in_the_arena_and_is_aligned(offset: int, size: int, words: str | None) -> None:
    with refused(words):
        verify_plan(chain(buffers=(Buffer(offset, size, 0, 0, ()),)))


A = Buffer(8, 8, 2, 4, (1,))


@pytest.mark.parametrize(
    ("other", "overlap"),
    [
        (Buffer(0, 8, 3, 3, ()), False),
        (Buffer(0, 12, 3, 3, ()), True),
        (Buffer(16, 8, 3, 3, ()), False),
        (Buffer(12, 8, 3, 3, ()), True),
        (Buffer(8, 8, 0, 1, ()), False),
        (Buffer(8, 8, 0, 2, ()), True),
        (Buffer(8, 8, 5, 6, ()), False),
        (Buffer(8, 8, 4, 6, ()), True),
        (Buffer(0, 32, 0, 9, ()), True),
        (Buffer(12, 4, 3, 3, (2,)), True),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("between", [False, True])
def test_buffers_that_live_together_do_not_overlap(other: Buffer, overlap: bool, turned: bool, between: bool) -> None:
    ends = [other, A] if turned else [A, other]
    buffers = [ends[0], *([Buffer(40, 8, 0, 9, ())] if between else []), ends[1]]
    with refused("^buffers .* and .* overlap$" if overlap else None):
        verify_plan(chain(buffers=tuple(buffers), arena_bytes=48))


def test_what_was_overwritten_is_not_read() -> None:
    """t1 waits for the last op while t2 is written."""
    ops = [op(0, [0], [1]), op(1, [0], [2]), op(2, [1, 2], [3])]
    graph = graph_of([tensor(i) for i in range(4)], ops)
    for address, words in (
        (16, None),
        (9, 'op 2 ADD "layer2" reads "t1", which was overwritten'),
        (15, 'op 2 ADD "layer2" reads "t1", which was overwritten'),
    ):
        addresses = {0: 32, 1: 8, 2: address, 3: 24}
        with refused(words):
            verify_plan(plan_of(graph, [step(o) for o in ops], addresses, arena=40))
    addresses = {0: 32, 1: 8, 2: 0, 3: 24}
    verify_plan(plan_of(graph, [step(o) for o in ops], addresses, arena=40))
    with refused('reads "t1", which was overwritten'):
        verify_plan(plan_of(graph, [step(o) for o in ops], {**addresses, 2: 1}, arena=40))


def test_the_first_input_is_not_read_when_it_was_overwritten() -> None:
    ops = [op(0, [0], [1]), op(1, [1, 2], [3]), op(2, [0, 3], [4])]
    graph = graph_of([tensor(i) for i in range(5)], ops, inputs=[0, 2])
    addresses = {0: 0, 1: 8, 2: 16, 3: 24, 4: 32}
    verify_plan(plan_of(graph, [step(o) for o in ops], addresses, arena=40))
    with refused('op 2 ADD "layer2" reads "t0", which was overwritten'):
        verify_plan(plan_of(graph, [step(o) for o in ops], {**addresses, 3: 4 - 4}, arena=40))


def test_inputs_do_not_lie_over_each_other() -> None:
    made = op(0, [0, 2], [1])
    graph = graph_of([tensor(i) for i in range(3)], [made], inputs=[0, 2])
    with refused('reads "t0", which was overwritten'):
        verify_plan(plan_of(graph, [step(made)], {0: 0, 1: 16, 2: 4}, arena=24))


def test_outputs_live_until_the_end() -> None:
    """t1 is an output that no op reads."""
    ops = [op(0, [0], [1]), op(1, [0], [2])]
    graph = graph_of([tensor(0), tensor(1), tensor(2), tensor(3, data=KEPT)], ops, outputs=[1, 2, 3])
    steps = [step(o) for o in ops]
    verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 16}, arena=24))
    with refused('"t1" was overwritten before its end'):
        verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 12}, arena=24))


def test_states_live_from_the_beginning_to_the_end() -> None:
    """t2 is a state that the first op reads and nothing writes."""
    ops = [op(0, [0, 2], [1]), op(1, [1], [3])]
    graph = graph_of([tensor(0), tensor(1), tensor(2, initial=KEPT), tensor(3)], ops)
    steps = [step(o) for o in ops]
    verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 16, 3: 0}, arena=24))
    with refused('"t2" was overwritten before its end'):
        verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 16, 3: 20}, arena=28))


def aliased(address: int, *, size: int = 4) -> Plan:
    """t0 → t1 of 8 bytes at 8; t2 is a view of it, without a step of its own; t2 → t3."""
    ops = [op(0, [0], [1]), op(1, [-1, 4, 0, 1], [2], "RESHAPE"), op(2, [2], [3])]
    graph = graph_of([tensor(0), tensor(1), tensor(2, size), tensor(3), tensor(4, data=KEPT)], ops)
    return plan_of(graph, [step(ops[0]), step(ops[2])], {0: 0, 1: 8, 2: address, 3: 24}, arena=32)


@pytest.mark.parametrize(
    ("address", "size", "right"),
    [(8, 8, True), (8, 4, True), (12, 4, True), (7, 4, False), (13, 4, False), (10, 8, False)],
)
def test_a_view_lies_in_its_input(address: int, size: int, right: bool) -> None:
    with refused(None if right else 'op 1 RESHAPE "layer1": alias "t2" lies outside its input'):
        verify_plan(aliased(address, size=size))


def test_a_view_ends_with_its_bytes() -> None:
    """t3 is written over the end of t1, which its view t2 shares, and then t2 is read."""
    ops = [op(0, [0], [1]), op(1, [1], [2], "RESHAPE"), op(2, [0], [3]), op(3, [2, 3], [4])]
    graph = graph_of([tensor(i) for i in range(5)], ops)
    steps = [step(ops[n]) for n in (0, 2, 3)]
    verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 8, 3: 16, 4: 24}, arena=32))
    with refused('op 3 ADD "layer3" reads "t2", which was overwritten'):
        verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 8, 3: 15, 4: 24}, arena=32))


def joined(
    kind: str = "CONCATENATION",
    axis: int = 1,
    shape: tuple[int, ...] = (1, 8, 2),
    parts: tuple[int, int] = (8, 16),
    at: int = 8,
    first: tuple[int, ...] = (1, 4, 2),
) -> Plan:
    """t1 and t2, 8 bytes each, are t3 where they lie one after the other."""
    ops = [op(0, [0], [1]), op(1, [0], [2]), op(2, [1, 2], [3], kind, SimpleNamespace(axis=axis)), op(3, [3], [4])]
    graph = graph_of([tensor(0), tensor(1, first), tensor(2, (1, 4, 2)), tensor(3, shape), tensor(4)], ops)
    addresses = {0: 0, 1: parts[0], 2: parts[1], 3: at, 4: 32}
    return plan_of(graph, [step(ops[n]) for n in (0, 1, 3)], addresses, arena=48)


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"kind": "PACK"}, True),
        ({"axis": -2}, True),
        ({"axis": 0, "shape": (2, 4, 2)}, True),
        ({"kind": "ADD"}, False),
        ({"axis": 2, "shape": (1, 4, 4)}, False),
        ({"axis": -1, "shape": (1, 4, 4)}, False),
        ({"axis": 2, "shape": (1, 1, 16)}, True),
        ({"parts": (16, 8)}, False),
        ({"parts": (8, 20)}, False),
        ({"at": 12}, False),
        ({"at": 4}, False),
        ({"shape": (1, 9, 2)}, False),
        ({"shape": (1, 5, 3)}, False),
    ],
)
def test_a_concatenation_is_its_parts_one_after_the_other(changes: dict[str, Any], right: bool) -> None:
    with refused(None if right else 'op 2 .* "layer2": alias "t3" lies outside its input'):
        verify_plan(joined(**changes))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (24, None),
        (40, None),
        (36, 'op 1 ADD "layer1": scratch overwrites its inputs \\[1\\]'),
        (12, 'op 1 ADD "layer1": scratch overwrites its inputs \\[2\\]'),
        (2, '"t4" was overwritten before its end'),
        (20, 'op 1 ADD "layer1" writes over its scratch'),
        (45, 'op 1 ADD "layer1": scratch at 45 lies outside the arena'),
        (-1, 'op 1 ADD "layer1": scratch at -1 lies outside the arena'),
    ],
)
def test_scratch_touches_nothing_that_is_alive(at: int, words: str | None) -> None:
    """t4 0…8, t2 8…16, t3 16…24, scratch of 4 bytes, t1 32…40; t0 is dead by then."""
    ops = [op(0, [0], [1]), op(2, [0], [4]), op(1, [-1, 1, 2], [3])]
    graph = graph_of([tensor(i) for i in range(5)], ops, inputs=[0, 2], outputs=[3, 4])
    steps = [step(ops[0]), step(ops[1]), step(ops[2], scratch_bytes=4)]
    addresses = {0: 40, 1: 32, 2: 8, 3: 16, 4: 0}
    with refused(words):
        verify_plan(plan_of(graph, steps, addresses, arena=48, scratch={2: at}))


def test_scratch_may_begin_where_the_arena_does() -> None:
    made = op(0, [0], [1])
    graph = graph_of([tensor(0), tensor(1)], [made])
    verify_plan(plan_of(graph, [step(made, scratch_bytes=8)], {0: 8, 1: 16}, arena=24, scratch={0: 0}))
    verify_plan(plan_of(graph, [step(made, scratch_bytes=8)], {0: 8, 1: 0}, arena=24, scratch={0: 16}))


@pytest.mark.parametrize(
    ("inplace", "address", "words"),
    [
        ((), 8, 'op 0 ADD "layer0" writes over its input "t1"'),
        ((0,), 8, 'op 0 ADD "layer0" writes over its input "t1"'),
        ((1,), 8, None),
        ((0, 1), 8, None),
        ((1,), 9, 'op 0 ADD "layer0" writes over its input "t1"'),
        ((1,), 15, 'op 0 ADD "layer0" writes over its input "t1"'),
        ((1,), 16, None),
        ((1,), 1, 'op 0 ADD "layer0" writes over its input "t0"'),
        ((0,), 0, None),
        ((0,), 1, 'op 0 ADD "layer0" writes over its input "t0"'),
        ((1,), 0, 'op 0 ADD "layer0" writes over its input "t0"'),
    ],
)
def test_an_output_takes_the_place_of_an_input_only_where_the_kernel_allows_it(
    inplace: tuple[int, ...], address: int, words: str | None
) -> None:
    made = op(0, [0, 1], [2])
    graph = graph_of([tensor(0), tensor(1), tensor(2)], [made], inputs=[0, 1])
    with refused(words):
        verify_plan(plan_of(graph, [step(made, inplace=inplace)], {0: 0, 1: 8, 2: address}, arena=24))


def test_an_output_of_another_size_takes_no_place() -> None:
    made = op(0, [0], [1])
    for size in (4, 12):
        graph = graph_of([tensor(0), tensor(1, size)], [made])
        with refused('writes over its input "t0"'):
            verify_plan(plan_of(graph, [step(made, inplace=(0,))], {0: 0, 1: 0}, arena=16))


def test_every_call_and_every_output_of_a_step_is_looked_at() -> None:
    made = op(0, [0, 1], [2, 3])
    graph = graph_of([tensor(i) for i in range(4)], [made], inputs=[0, 1])
    calls = (call([4, 0], [2]), call([1], [3]))
    graph = graph.with_(tensors={**graph.tensors, 4: tensor(4, data=KEPT)})
    steps = [replace(step(made), calls=calls)]
    verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 16, 3: 24}, arena=32))
    for addresses, name in (({2: 0}, "t0"), ({2: 8}, "t1"), ({3: 0}, "t0"), ({3: 8}, "t1")):
        with refused(f'op 0 ADD "layer0" writes over its input "{name}"'):
            verify_plan(plan_of(graph, steps, {0: 0, 1: 8, 2: 16, 3: 24, **addresses}, arena=32))

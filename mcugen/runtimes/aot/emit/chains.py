"""Chains: ops that repeat themselves, as an unrolled recurrent layer's do, and are emitted once, in a `for`.

What differs from round to round (addresses in the arena, scales, tables of functions) stands in arrays that the round
indexes. Weights must be the same in all rounds: layers that are merely alike keep functions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.repeats import Repeat, repeats, weights_of
from mcugen.ops.base import KernelCall, ParamValue
from mcugen.runtimes.aot.plan.types import Plan, Step


@dataclass(frozen=True)
class Address:
    """A kernel's argument that is a place in the arena: the type of the pointer, or "", and the place in bytes."""

    ctype: str
    at: int

    def __str__(self) -> str:
        return self.placed(f"{self.at}u")

    def placed(self, place: str) -> str:
        """The argument with the place as C computes it."""
        return f"({self.ctype})mcg_at({place})" if self.ctype else f"mcg_at({place})"


def find_chains(plan: Plan) -> list[Repeat]:
    """The chains among a plan's steps, in order."""
    return repeats([_likeness(plan, n, step) for n, step in enumerate(plan.steps)])


def _likeness(plan: Plan, number: int, step: Step) -> object:
    """What steps have in common that one function can run."""
    if step.plans:
        return number
    return step.op.kind, weights_of(plan.graph, step.op), tuple(_call_likeness(plan, call) for call in step.calls)


def _call_likeness(plan: Plan, call: KernelCall) -> object:
    inputs = [plan.graph.tensor(i) for i in call.inputs]
    return (
        call.kernel,
        tuple((name, _form(value)) for name, value in call.params),
        tuple((tensor.dtype, tensor.data is None) for tensor in inputs),
        tuple((constant.role, constant.values.dtype.str) for constant in call.constants),
        tuple(plan.graph.tensor(i).dtype for i in call.outputs),
        call.scratch_bytes > 0,
    )


def _form(value: ParamValue) -> object:
    return tuple(type(item) for item in value) if isinstance(value, tuple) else type(value)


def first_of_its_kind(chains: Sequence[Repeat]) -> dict[int, int]:
    """By number of a step in a chain: the step whose function runs it."""
    return {
        chain.start + n: chain.start + n % chain.period for chain in chains for n in range(chain.period * chain.rounds)
    }


def join_rounds(views: list[dict[str, Any]], steps: Sequence[dict[str, Any]], chains: Sequence[Repeat]) -> None:
    """Make the first round's views stand for all rounds, and take the others' out of `views`, in place.

    Args:
        views: of all functions, in the order of the file.
        steps: those of the plan's steps, by number.
    """
    ctypes = {constant["name"]: constant["ctype"] for view in views for constant in view["constants"]}
    gone: set[int] = set()
    for chain in chains:
        # A table may name what any round of any op brought along.
        constants = [constant for view in steps[chain.start : chain.end] for constant in view["constants"]]
        for view in steps[chain.start : chain.end]:
            view["constants"] = constants if view is steps[chain.start] else []
        for position in range(chain.start, chain.start + chain.period):
            others = range(position + chain.period, chain.end, chain.period)
            _join([steps[position], *(steps[n] for n in others)], ctypes)
            gone.update(id(steps[n]) for n in others)
    views[:] = [view for view in views if id(view) not in gone]


def _join(rounds: Sequence[dict[str, Any]], ctypes: Mapping[str, str]) -> None:
    first = rounds[0]
    first["rounds"] = len(rounds)
    numbers = [view["number"] for view in rounds]
    first["facts"].append(f"in {len(rounds)} rounds, as ops {', '.join(numbers[:2])} … {numbers[-1]}")
    tables: dict[tuple[str, str], str] = {}
    for number, calls in enumerate(zip(*(view["calls"] for view in rounds), strict=True)):
        call = calls[0]
        call["arguments"] = [
            _argument(f"a{number}_{n}", same, tables, ctypes)
            for n, same in enumerate(zip(*(each["arguments"] for each in calls), strict=True))
        ]
        if any(each["params"] != call["params"] for each in calls):
            rows = ["{ " + ", ".join(f".{name} = {text}" for name, text in each["params"]) + " }" for each in calls]
            name = tables.setdefault((call["params_type"], _lines(rows)), f"p{number}")
            call["arguments"].insert(0, f"&{name}[round]")
            call["params"] = []
    first["tables"] = [f"static const {ctype} {name}[] = {{\n{rows}\n  }};" for (ctype, rows), name in tables.items()]
    arguments = [str(argument) for call in first["calls"] for argument in call["arguments"]]
    if not any("round" in argument for argument in arguments):
        first["tables"].append("(void)round; /* all are alike */")


def _argument(
    name: str, rounds: Sequence[object], tables: dict[tuple[str, str], str], ctypes: Mapping[str, str]
) -> object:
    """What a call gets in every round."""
    first = rounds[0]
    if all(each == first for each in rounds):
        return first
    if isinstance(first, Address):
        places = [each.at for each in rounds if isinstance(each, Address)]
        step = places[1] - places[0]
        if step > 0 and places == [places[0] + step * n for n in range(len(places))]:
            return first.placed(f"{places[0]}u + {step}u * round")
        ctype = "uint16_t" if max(places) <= 0xFFFF else "uint32_t"
        table = tables.setdefault((ctype, _lines([f"{place}u" for place in places])), name)
        return first.placed(f"{table}[round]")
    names = [str(each) for each in rounds]
    return f"{tables.setdefault((f'{ctypes[names[0].split()[0]]} *const', _lines(names)), name)}[round]"


def _lines(rows: Sequence[str]) -> str:
    """The rows of an array, as many on a line as it holds."""
    lines = ["  "]
    for row in rows:
        if len(lines[-1]) + len(row) > 100 and lines[-1].strip():
            lines.append("  ")
        lines[-1] += f"  {row}," if lines[-1].strip() == "" else f" {row},"
    return "\n".join(lines)


def order(steps: Sequence[dict[str, Any]], chains: Sequence[Repeat]) -> list[dict[str, Any]]:
    """What an inference calls: stretches of functions by label, each once, or the rounds of a chain."""
    found: list[dict[str, Any]] = []
    at = 0
    for chain in [*chains, Repeat(len(steps), 0, 0)]:
        if chain.start > at:
            found.append({"rounds": 1, "numbers": [view["number"] for view in steps[at : chain.start]]})
        if chain.rounds:
            numbers = [view["number"] for view in steps[chain.start : chain.start + chain.period]]
            found.append({"rounds": chain.rounds, "numbers": numbers})
        at = chain.end
    return found

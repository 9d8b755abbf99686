"""Which kernel calls share one function of the emitted C, and which get one of their own.

A function of its own lets the compiler put a layer's shape into the code as constants. That is fastest, and costs a
copy of the kernel per layer. Calls that share a function give it what they do not have in common as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcugen.graph.repeats import Repeat
from mcugen.graph.types import DType
from mcugen.ops.base import KernelCall, ParamValue
from mcugen.resources import kernel_headers
from mcugen.runtimes.aot.emit.chains import first_of_its_kind
from mcugen.runtimes.aot.plan.types import Plan

_MOST_SHAPES = 3
"""So many shapes of a layer are worth a copy of the kernel each when optimizing for speed."""

_PER_LAYER = re.compile(r"(.+_)?(zero_point|min|max)")
"""Parameters that kernels read once per call or keep in a register: nothing is gained where they are constants."""

Place = tuple[int, int]
"""Number of the step, and of the call in it."""


@dataclass(frozen=True, eq=False)
class SharedFunction:
    """One emitted function for several calls.

    Attributes:
        kernel: the kernel that it calls.
        places: the calls, in execution order.
        common: parameters that are the same for all, by name.
        varying: names of the parameters that each call brings, in the struct's order.
    """

    name: str
    kernel: str
    places: tuple[Place, ...]
    common: Mapping[str, ParamValue]
    varying: tuple[str, ...]


def shared_functions(plan: Plan, chains: Sequence[Repeat] = ()) -> list[SharedFunction]:
    """The functions that calls share, in the order of their first calls.

    When optimizing for speed, calls of the same shape share one, and so do the lesser calls of a kernel that would
    otherwise be copied for more than a few shapes. For size or RAM, all calls of a kernel share one.
    The rounds of a chain always do.
    """
    calls = {(n, m): call for n, step in enumerate(plan.steps) for m, call in enumerate(step.calls)}
    of_chain = first_of_its_kind(chains)
    by_kernel: dict[object, list[Place]] = {}
    for place, call in calls.items():
        # A kernel without parameters is small; one that is a function already is shared as it is.
        if call.params and not _is_function(call):
            by_kernel.setdefault(_interface(plan, call), []).append(place)
    groups: list[list[Place]] = []
    for places in by_kernel.values():
        if plan.goal == "size":
            groups.append(places)
        else:
            groups += _by_shape(plan, calls, places, of_chain)
    shared = sorted(group for group in groups if len(group) > 1)
    return [_shared(number, calls, group) for number, group in enumerate(shared)]


def _by_shape(
    plan: Plan, calls: Mapping[Place, KernelCall], places: list[Place], of_chain: Mapping[int, int]
) -> list[list[Place]]:
    """Calls of the same shape together; beyond a few shapes, all that do least work together.

    `of_chain` names, by step, the one that it repeats: their calls stay together, whatever their shapes.
    """
    by_shape: dict[object, list[Place]] = {}
    shape_of: dict[Place, object] = {}  # of the first round of a chain
    for step, position in places:
        place = of_chain.get(step, step), position
        by_stripe = _varying_by_stripe(plan, (step, position))
        params = calls[step, position].params
        own = tuple((k, v) for k, v in params if not _PER_LAYER.fullmatch(k) and k not in by_stripe)
        shape = shape_of.setdefault(place, own)
        by_shape.setdefault(shape, []).append((step, position))
    groups = sorted(
        by_shape.values(), key=lambda group: -sum(plan.steps[step].macs for step in {step for step, _ in group})
    )
    if len(groups) <= _MOST_SHAPES:
        return groups
    rest = [place for group in groups[_MOST_SHAPES - 1 :] for place in group]
    return [*groups[: _MOST_SHAPES - 1], sorted(rest)]


def _varying_by_stripe(plan: Plan, place: Place) -> set[str]:
    """Parameters in which the stripes of a step differ: they are its caller's in any case."""
    step = plan.steps[place[0]]
    if not step.stripes:
        return set()
    same = [dict(call.params) for call in step.calls if call.kernel == step.calls[place[1]].kernel]
    return {name for name, value in same[0].items() if any(other[name] != value for other in same)}


def _interface(plan: Plan, call: KernelCall) -> object:
    """What calls must have in common to be made by one function: the kernel and the types of all arguments."""
    params = tuple((name, _shape_of(value)) for name, value in call.params)
    inputs = tuple(_dtype(plan, i) for i in call.inputs)
    outputs = tuple(_dtype(plan, i) for i in call.outputs)
    constants = tuple((c.role, c.values.dtype.name) for c in call.constants)
    return call.kernel, params, inputs, constants, outputs, call.scratch_bytes > 0


def _shape_of(value: ParamValue) -> object:
    return tuple(type(item) for item in value) if isinstance(value, tuple) else type(value)


def _dtype(plan: Plan, tensor: int) -> DType:
    return plan.graph.tensor(tensor).dtype


def _is_function(call: KernelCall) -> bool:
    """Whether the kernel is one function for all its calls, not inlined into each."""
    text = call.source or kernel_headers()[f"{call.kernel}.h"].read_text()
    return re.search(rf"^MCG_SHARED void {call.kernel}\(", text, re.MULTILINE) is not None


def _shared(number: int, calls: Mapping[Place, KernelCall], places: list[Place]) -> SharedFunction:
    first, *others = (dict(calls[place].params) for place in places)
    common = {name: value for name, value in first.items() if all(other[name] == value for other in others)}
    return SharedFunction(
        name=f"mcg_shared_{number}",
        kernel=calls[places[0]].kernel,
        places=tuple(places),
        common=common,
        varying=tuple(name for name in first if name not in common),
    )

"""Parameters of a kernel's call, as the integers that nearly all of them are."""

from __future__ import annotations

from mcugen.ops.base import KernelCall, ParamValue


def integer(call: KernelCall, name: str) -> int:
    """One parameter."""
    value = dict(call.params)[name]
    assert isinstance(value, int), name
    return value


def integers(call: KernelCall) -> dict[str, int]:
    """All parameters of a call that has no others, in their order."""
    return {name: integer(call, name) for name, _ in call.params}


def integer_list(call: KernelCall, name: str) -> tuple[int, ...]:
    """One parameter that is an array."""
    value = dict(call.params)[name]
    assert isinstance(value, tuple), name
    return tuple(int(v) for v in value)


STAGE = ("per_channel", "scale_down", "output_zero_point", "output_min", "output_max", "fast")
"""Parameters that tell how accumulators become outputs (`mcg_output_stage`); `fast` where factors are doubled."""


def stage(call: KernelCall) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of a call's output stage, in the call's order."""
    return tuple(item for item in call.params if item[0] in STAGE)

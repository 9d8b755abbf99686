"""Parameters of a kernel's call, as the integers that nearly all of them are."""

from __future__ import annotations

from mcugen.ops.base import KernelCall


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

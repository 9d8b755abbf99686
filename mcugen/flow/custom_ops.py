"""The user's own ops, known while a verb runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def takes_custom_ops(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `custom_ops`: sequences of NAME=path/kernel.c, see docs/CUSTOM_OPS.md.

    Raises:
        CustomOpError: a file that is missing or does not hold what it should.
    """

    @functools.wraps(verb)
    def with_custom_ops(*args: P.args, **kwargs: P.kwargs) -> T:
        given = kwargs.get("custom_ops")
        if not given:
            return verb(*args, **kwargs)
        from mcugen.ops.custom import use_custom_ops

        listed = [given] if isinstance(given, str) else list(given)  # type: ignore[call-overload]
        with use_custom_ops(listed):
            return verb(*args, **kwargs)

    return with_custom_ops

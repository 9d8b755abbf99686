"""Whether the user vouches for what a model's file names, known while a verb runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mcugen.guard.trust import trusting

P = ParamSpec("P")
T = TypeVar("T")


def takes_trust(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `trust_model`, see docs/SECURITY.md."""

    @functools.wraps(verb)
    def with_trust(*args: P.args, **kwargs: P.kwargs) -> T:
        with trusting(bool(kwargs.get("trust_model"))):
            return verb(*args, **kwargs)

    return with_trust

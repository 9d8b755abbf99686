"""Whether the user vouches for the model at hand: known while a verb runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


def is_trusted() -> bool:
    """What a model's file names may be run, in the confined process."""
    return _trusted.get()


@contextmanager
def trusting(trust: bool) -> Iterator[None]:
    """Trust models, or not, within."""
    token = _trusted.set(trust)
    try:
        yield
    finally:
        _trusted.reset(token)

"""Whether all samples are steps of a stream, known while a verb runs. Light, as every command imports it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_streamed: ContextVar[bool] = ContextVar("streamed", default=False)


def is_streamed() -> bool:
    """The user says that the model keeps its state over its samples, whatever it looks like."""
    return _streamed.get()


@contextmanager
def streaming(wanted: bool) -> Iterator[None]:
    """Within, all samples are steps of a stream if `wanted`."""
    token = _streamed.set(wanted)
    try:
        yield
    finally:
        _streamed.reset(token)

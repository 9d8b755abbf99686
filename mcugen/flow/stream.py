"""Whether the user says that samples are steps of one stream, known while a verb runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mcugen.tflite.streaming import streaming

P = ParamSpec("P")
T = TypeVar("T")


def takes_stream(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `stream`: the model keeps its state from one sample to the next."""

    @functools.wraps(verb)
    def with_stream(*args: P.args, **kwargs: P.kwargs) -> T:
        with streaming(bool(kwargs.get("stream"))):
            return verb(*args, **kwargs)

    return with_stream

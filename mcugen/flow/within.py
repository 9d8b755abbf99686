"""Arguments of verbs that hold for everything a verb calls, known while it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from mcugen.guard.own_objects import using_objects
from mcugen.guard.trust import trusting
from mcugen.oracle.engines import using
from mcugen.tflite.streaming import streaming

P = ParamSpec("P")
T = TypeVar("T")


def takes_trust(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its arguments `trust_model` and `custom_objects`, see docs/SECURITY.md, `input_shape` and
    `signature`."""

    @functools.wraps(verb)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> T:
        with using_objects(kwargs.get("custom_objects")):  # type: ignore[arg-type]
            if not kwargs.get("input_shape") and not kwargs.get("signature"):
                return verb(*args, **kwargs)
            from mcugen.convert.given_shapes import using_shapes
            from mcugen.convert.given_signature import using_signature

            shapes, signature = kwargs.get("input_shape"), kwargs.get("signature")
            with using_shapes(shapes), using_signature(signature):  # type: ignore[arg-type]
                return verb(*args, **kwargs)

    return _within(scoped, "trust_model", trusting, False)


def takes_scaler(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `scaler`: what the features that a float model was trained on went through."""

    @functools.wraps(verb)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs.get("scaler") is None:
            return verb(*args, **kwargs)
        from mcugen.convert.scaler import using_scaler

        with using_scaler(kwargs["scaler"]):
            return verb(*args, **kwargs)

    return scoped


def takes_stream(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `stream`: the model keeps its state from one sample to the next."""
    return _within(verb, "stream", streaming, False)


def takes_reference(verb: Callable[P, T]) -> Callable[P, T]:
    """Gives a verb its argument `reference`: what results are compared with, see :mod:`mcugen.oracle.engines`."""
    return _within(verb, "reference", using, "auto")


def _within(
    verb: Callable[P, T], argument: str, scope: Callable[[Any], AbstractContextManager[None]], default: object
) -> Callable[P, T]:
    @functools.wraps(verb)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> T:
        with scope(kwargs.get(argument, default)):
            return verb(*args, **kwargs)

    return scoped

"""Which reference a device is compared with."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal, get_args

from mcugen.errors import ToolError
from mcugen.names import ReferenceName

Engine = Literal["tflite-micro", "mcugen"]

VARIABLE = "MCUGEN_REFERENCE"

_CHOSEN: ContextVar[ReferenceName] = ContextVar("reference", default="auto")


@contextlib.contextmanager
def using(choice: ReferenceName) -> Iterator[None]:
    """While it lasts, models are compared so; "auto" leaves it to MCUGEN_REFERENCE."""
    token = _CHOSEN.set(choice)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def chosen() -> tuple[Engine, ...]:
    """The references to use, the first of which is the one that others hear of.

    TFLM's own interpreter where it is installed; else mcugen's.

    Raises:
        ToolError: MCUGEN_REFERENCE names none.
    """
    choice: str = _CHOSEN.get()
    if choice == "auto":
        choice = os.environ.get(VARIABLE) or "auto"
    if choice == "auto":
        return ("tflite-micro",) if importlib.util.find_spec("tflite_micro") else ("mcugen",)
    if choice == "both":
        return ("tflite-micro", "mcugen")
    for engine in get_args(Engine):
        if choice == engine:
            return (engine,)
    raise ToolError(
        f"{choice[:40]!r} is no reference", where=VARIABLE, hint=f"Use one of {', '.join(get_args(ReferenceName))}"
    )

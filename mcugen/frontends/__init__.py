"""Front ends: one module each, found by its `SPEC`. What lies between a sensor's samples and a model's input.

Training calls the reference of the very front end that is deployed::

    from mcugen import frontends

    signal = frontends.Signal("audio", "int16", channels=1, rate=16000)
    front_end = frontends.make("micro", signal, step_ms=20)
    rows = frontends.rows_of(front_end, samples)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mcugen.errors import FrontEndError
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.resources import declared
from mcugen.toml_table import Table

__all__ = [
    "EmittedFrontEnd",
    "FrontEnd",
    "FrontEndSpec",
    "Rows",
    "Signal",
    "Streaming",
    "checked_frames",
    "make",
    "parse",
    "registry",
    "rows_of",
]

HINT = "docs/FRONTENDS.md describes the fields"


@functools.cache
def registry() -> Mapping[str, FrontEndSpec]:
    """The kinds of front ends by their names, in alphabetical order."""
    found = {spec.kind: spec for spec in declared(__name__, __path__, "SPEC")}
    return MappingProxyType(dict(sorted(found.items())))


def parse(table: Table, signal: Signal) -> FrontEnd:
    """A front end from a table with `kind` and that kind's fields.

    Raises:
        FrontEndError: there is no such kind, it is for other signals, or a field is wrong; or the error of the table.
    """
    kinds = registry()
    kind = table.choice("kind", tuple(kinds))
    if signal.kind not in kinds[kind].signals:
        fitting = ", ".join(name for name, spec in kinds.items() if signal.kind in spec.signals)
        raise table.error("kind", f'is "{kind}", which does not take the signal "{signal.kind}"; these do: {fitting}')
    made = kinds[kind].parse(table, signal)
    table.finish()
    return made


def make(kind: str, signal: Signal, **fields: Any) -> FrontEnd:
    """A front end from Python: the fields are those of the pipeline file.

    Raises:
        FrontEndError: see :func:`parse`.
    """
    return parse(Table(Path(kind), "", {"kind": kind, **fields}, FrontEndError, HINT), signal)


def rows_of(front_end: FrontEnd, frames: Array) -> Array:
    """All rows (k, *shape) of a recording, from a fresh start: what a model is trained on.

    Args:
        frames: (n, channels), or (n,) of one channel, of the signal's type.

    Raises:
        FrontEndError: another shape or type.
    """
    return front_end.reference().push(checked_frames(front_end.signal, frames))


def checked_frames(signal: Signal, frames: Array) -> Array:
    """Frames (n, channels) of the signal's type.

    Raises:
        FrontEndError: another shape or type.
    """
    frames = np.asarray(frames)
    if frames.ndim == 1 and signal.channels == 1:
        frames = frames.reshape(-1, 1)
    if frames.ndim != 2 or frames.shape[1] != signal.channels:
        raise FrontEndError(
            f"frames have the shape {list(frames.shape)}, not (any number, {signal.channels})", hint=HINT
        )
    if frames.dtype != np.dtype(signal.dtype):
        raise FrontEndError(
            f"frames are {frames.dtype}, and the signal is {signal.dtype}",
            hint="Convert them: their values are taken as they are",
        )
    return frames

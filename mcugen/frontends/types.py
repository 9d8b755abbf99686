"""What a front end is: between what a sensor gives and the rows that a model takes.

Frames go in, in chunks of any size; rows come out. The numpy reference, which training can call, and the C of
`firmware/frontends/` give the same rows, however the frames are cut into chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.toml_table import Table

Array = NDArray[Any]

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "float32": "float",
}
"""The types of values and rows, as C spells them."""


@dataclass(frozen=True)
class Signal:
    """What the sensor gives: one stream of frames."""

    kind: str
    """"audio", "motion", "image" or "table"."""
    dtype: str
    """Of one value: a key of `C_TYPES`."""
    channels: int
    """Values per frame. 1: mono audio; 3: three axes; the columns of a table. Of an image a frame is one line of
    pixels, and this is its number of bytes."""
    rate: float | None = None
    """Frames per second; None where time means nothing."""
    height: int = 0
    """Of an image, in pixels. Frames of an image: its lines, from the top."""
    width: int = 0
    format: str = ""
    """Of an image: how pixels are coded, "rgb565" and the like (`mcugen.frontends.image.FORMATS`)."""

    @property
    def frame_bytes(self) -> int:
        return self.channels * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Rows:
    """What a front end makes: rows, one after another."""

    shape: tuple[int, ...]
    """Of one row."""
    dtype: str
    frames_first: int
    """Frames until the first row."""
    frames_step: int
    """Frames for each further row."""
    scale: float | None = None
    """Of integers that stand for other numbers, what a step of theirs is in these."""

    @property
    def values(self) -> int:
        """Values of one row."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class EmittedFrontEnd:
    """A front end as C. `config` is text for one .c file, behind the includes of `header`."""

    header: str
    """In `firmware/frontends/`."""
    needs: tuple[str, ...]
    """Other headers that it includes: of `firmware/frontends/` or `firmware/kernels/`."""
    config: str
    """Constant tables, memory, `static const mcg_fe_K NAME` and `static mcg_fe_K_state NAME_state`. Scratch is
    `NAME_scratch` unless the macro `MCG_FRONT_SCRATCH` names other memory, free between two pushes."""
    kind: str
    """K of the names `mcg_fe_K`, `mcg_fe_K_state`, `mcg_fe_K_reset` and `mcg_fe_K_push`."""
    state_bytes: int
    """RAM kept between pushes, on a 32-bit core."""
    scratch_bytes: int
    """RAM used only within a push; 0: none."""
    tolerance: float
    """How far a value of the C may be from the reference's; 0: they are equal, byte for byte."""


class Streaming(Protocol):
    """The numpy reference: a front end at work, with its state."""

    def reset(self) -> None:
        """Forget all frames."""

    def push(self, frames: Array) -> Array:
        """Frames (n, channels) of the signal's type, n of 0 and more; returns the rows (k, *shape) they complete."""


class FrontEnd(Protocol):
    """A frozen dataclass per kind, whose fields are its parameters."""

    @property
    def signal(self) -> Signal: ...

    def rows(self) -> Rows: ...

    def reference(self) -> Streaming: ...

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd: ...


@dataclass(frozen=True)
class FrontEndSpec:
    """A kind of front end, the `SPEC` of its module."""

    kind: str
    signals: tuple[str, ...]
    """Kinds of signals that it takes."""
    parse: Callable[[Table, Signal], FrontEnd]
    """Takes what is its own out of the table (all but `kind`), which the caller then finishes."""

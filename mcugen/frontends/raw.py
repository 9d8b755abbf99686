"""Frames pass as rows, unchanged: for what needs no front end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcugen.frontends.emitting import COMMON_HEADERS, config_text, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.toml_table import Table


@dataclass(frozen=True)
class Raw:
    """A row is a frame. Of an image: a line of bytes."""

    signal: Signal

    def rows(self) -> Rows:
        return Rows((self.signal.channels,), self.signal.dtype, 1, 1)

    def reference(self) -> Streaming:
        return _Reference()

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        config = config_text(
            f"static const mcg_fe_raw {name} = {{{self.signal.frame_bytes}u}};",
            f"static mcg_fe_raw_state {name}_state;",
            state_size_check(name, "mcg_fe_raw_state", 4),
        )
        return EmittedFrontEnd("mcg_fe_raw.h", COMMON_HEADERS, config, "raw", 4, 0, 0.0)


class _Reference:
    def reset(self) -> None:
        pass

    def push(self, frames: Array) -> Array:
        return np.array(frames)


def _parse(table: Table, signal: Signal) -> FrontEnd:
    return Raw(signal)


SPEC = FrontEndSpec("raw", ("audio", "motion", "image", "table"), _parse)

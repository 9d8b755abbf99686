"""What a pipeline file says, before and after its model is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mcugen.decisions import Wanted
from mcugen.errors import PipelineError
from mcugen.frontends import FrontEnd, Signal, rows_of

HINT = "docs/SENSORS.md describes the fields"


@dataclass(frozen=True)
class Pipeline:
    """A pipeline file.

    Attributes:
        model: the model's file; relative paths count from the pipeline file's folder.
        window: rows that an inference takes; None for as many as the model's input holds.
        stride: rows from one inference to the next; None for as many as an inference takes.
        row_scale: what a step of the rows stands for in the numbers that the model was trained on; None where the rows
            are these numbers, or the model's own integers. Without one in the file, it is the front end's own.
        decision: None where outputs are all that is wanted.
        text: the file, as it is kept in a project.
    """

    signal: Signal
    front_end: FrontEnd
    model: Path
    window: int | None
    stride: int | None
    row_scale: float | None
    decision: Wanted | None
    text: str

    def rows(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        """All rows (n, …) of a recording, from a fresh start, in the numbers that a model is trained on.

        Args:
            frames: (n, channels), or (n,) of one channel, of the signal's type.

        Raises:
            FrontEndError: another shape or type.
        """
        rows = np.asarray(rows_of(self.front_end, frames), np.float32)
        return np.asarray(rows * np.float32(self.row_scale or 1.0))

    def windows(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        """The same cut into windows (n, rows, …), as inferences take them; none of a recording that is too short.

        Raises:
            FrontEndError: frames of another shape or type.
            PipelineError: the file does not say how many rows an inference takes.
        """
        if self.window is None:
            raise PipelineError(
                "is not given, so only the model knows how many rows an inference takes",
                where="[model] window",
                hint="Give the number of rows",
            )
        return windowed(self.rows(frames), self.window, self.stride or self.window)


def windowed(rows: NDArray[Any], window: int, stride: int) -> NDArray[Any]:
    """Rows (n, …) as windows (m, window, …), one every `stride` rows."""
    if len(rows) < window:
        return np.empty((0, window, *rows.shape[1:]), rows.dtype)
    found = sliding_window_view(rows, window, axis=0)[::stride]
    return np.ascontiguousarray(np.moveaxis(found, -1, 1))

"""A board's flash, by what the board itself told: how long a read waits that no cache holds.

The cycles of an op are those of its core, which its manual gives, and the waits of its reads of flash:
cycles = core + a · apart + s · in_sequence. Both waits are fitted to measured ops by least squares of the relative
error, with a ≥ s ≥ 0: a line that was fetched ahead does not wait longer than one that was not.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcugen.boards.types import Board
from mcugen.cost.measurements import MeasuredOp, Measurement, front_of
from mcugen.cost.rules import Validation
from mcugen.environment import cache_dir
from mcugen.errors import BoardError
from mcugen.outputs import write_file

CALIBRATED = "calibrated"
FEWEST_OPS = 4
LEAST_CYCLES = 1000
"""An op of fewer cycles tells more of how it was measured than of itself."""


@dataclass(frozen=True)
class Calibration:
    """The waits that were fitted, and how well they fit.

    Attributes:
        apart, in_sequence: cycles that such a read waits.
        ops: how many were fitted to.
        models: how many inferences the errors are of.
        mean, low, high: predicted divided by measured cycles of these inferences: geometric mean, least and largest.
        front: of the board as it was then described.
    """

    apart: float
    in_sequence: float
    ops: int
    models: int
    mean: float
    low: float
    high: float
    front: str

    @property
    def validation(self) -> Validation:
        return Validation(
            self.models, self.mean, self.low, self.high, f"{CALIBRATED} with {self.ops} ops on the board itself"
        )


def fit_waits(board: Board, measured: Sequence[Measurement]) -> Calibration:
    """Fit a board's waits to what it told.

    Raises:
        BoardError: that is too little, or the flash takes no part in it.
    """
    where = f"board {board.name}"
    ops = [op for each in measured for op in each.ops if op.cycles >= LEAST_CYCLES]
    if len(ops) < FEWEST_OPS:
        raise BoardError(
            f"{len(ops)} layers were measured on it, at least {FEWEST_OPS} of {LEAST_CYCLES} cycles are needed",
            where=where,
            hint="Measure models on the board: `api.verify(DIR, port=PORT)`, or `api.deploy`, keeps what it tells",
        )
    if not any(op.apart + op.in_sequence for op in ops):
        raise BoardError("no read of these layers waits for the flash, so there is nothing to fit", where=where)
    apart, in_sequence = _least_squares(ops)
    ratios = [
        sum(op.core + apart * op.apart + in_sequence * op.in_sequence for op in each.ops)
        / sum(op.cycles for op in each.ops)
        for each in measured
        if sum(op.cycles for op in each.ops)
    ]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return Calibration(apart, in_sequence, len(ops), len(ratios), mean, min(ratios), max(ratios), front_of(board))


def _least_squares(ops: Sequence[MeasuredOp]) -> tuple[float, float]:
    """`apart` and `in_sequence`: the best of those with both, with one wait for all reads, and with `apart` alone."""
    measured = np.array([op.cycles for op in ops], np.float64)
    rest = (measured - np.array([op.core for op in ops])) / measured
    jumps = np.array([op.apart for op in ops]) / measured
    reads = np.array([op.apart + op.in_sequence for op in ops]) / measured
    candidates = [(0.0, 0.0)]
    both = np.linalg.lstsq(np.stack([reads, jumps], axis=1), rest, rcond=None)[0]
    candidates.append((float(both[0]), float(both[1])))
    candidates += [(_alone(reads, rest), 0.0), (0.0, _alone(jumps, rest))]
    allowed = [each for each in candidates if min(each) >= 0]
    every, more = min(allowed, key=lambda each: float(np.sum((rest - each[0] * reads - each[1] * jumps) ** 2)))
    return every + more, every


def _alone(column: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    square = float(column @ column)
    return float(column @ rest) / square if square else 0.0


def calibrated(board: Board) -> tuple[Board, Validation | None]:
    """The board with the waits that were fitted on this computer, and how well they fit; as it is where none were."""
    found = read_calibration(board)
    if found is None or board.timing is None:
        return board, None
    miss = (found.apart,) * 3
    hidden = (found.apart - found.in_sequence,) * 3
    timing = replace(board.timing, miss=miss, hidden=hidden, source=f"{board.timing.source}; {found.validation.what}")
    return replace(board, timing=timing), found.validation


def read_calibration(board: Board) -> Calibration | None:
    """What was fitted for the board as it is described now; None where nothing was, or the file is damaged."""
    try:
        facts = json.loads(_path(board).read_text(encoding="utf-8"))
        found = Calibration(
            **{name: float(facts[name]) for name in ("apart", "in_sequence", "mean", "low", "high")},
            ops=int(facts["ops"]),
            models=int(facts["models"]),
            front=str(facts["front"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    sane = 0 <= found.in_sequence <= found.apart < 1e6 and 0 < found.low <= found.mean <= found.high < 1e6
    return found if sane and found.front == front_of(board) else None


def keep_calibration(board: Board, found: Calibration) -> Path:
    """Keep a calibration, to be used from now on.

    Raises:
        ProjectError: the cache cannot be written.
    """
    path = _path(board)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, (json.dumps(asdict(found), indent=1, sort_keys=True) + "\n").encode())
    return path


def forget_calibration(board: Board) -> None:
    """Go by the board file again."""
    with contextlib.suppress(OSError):
        _path(board).unlink()


def _path(board: Board) -> Path:
    return cache_dir() / "calibrated" / f"{board.name}.json"

"""`mcugen calibrate`: a board's flash, fitted to what the board told of its layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.boards.types import Board
    from mcugen.cost.calibration import Calibration
    from mcugen.cost.measurements import Measurement


@dataclass(frozen=True, repr=False)
class Calibrated(Brief):
    """What was fitted, and to what.

    Attributes:
        calibration: None where it was forgotten.
        measured: the inferences that the board told of.
        file: where the calibration is kept; None where it was forgotten.
    """

    board: Board
    calibration: Calibration | None
    measured: tuple[Measurement, ...]
    file: Path | None
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        fitted = asdict(self.calibration) if self.calibration is not None else None
        if fitted is not None:
            del fitted["front"]
        return {
            "schema": "mcugen.calibrate/1",
            "mcugen": __version__,
            "board": self.board.name,
            "clock_hz": self.board.clock_hz,
            "calibration": fitted,
            "file": str(self.file) if self.file is not None else None,
            "models": [
                {
                    "model": each.model,
                    "sha256": each.sha256,
                    "runtime": each.runtime,
                    "measured_cycles": each.cycles,
                    "predicted_cycles": round(each.predicted),
                    "error": round(each.predicted / each.cycles - 1, 4),
                }
                for each in self.measured
            ],
        }


def calibrate(board: str, *, forget: bool = False) -> Calibrated:
    """Fit how long a board's flash takes to what the board told, and use that for its times from now on.

    `verify` and `deploy` with `port` keep what a board reports of every layer in the user's cache. What is fitted holds
    on this computer, and for the board as it is described now: with another clock, its file's figures hold again.

    Args:
        board: board name, or path of a board's .toml file.
        forget: remove the calibration and the measurements instead.

    Raises:
        BoardError: there is no timing that could be fitted, or too little was measured.
        ProjectError: the cache cannot be written.
    """
    from mcugen.cost.calibration import fit_waits, forget_calibration, keep_calibration
    from mcugen.cost.estimate import time_is_known, why_no_time
    from mcugen.cost.measurements import forget_measurements, measurements
    from mcugen.errors import BoardError
    from mcugen.flow.boards import named_board

    chosen = named_board(board)
    if forget:
        forget_calibration(chosen)
        forget_measurements(chosen)
        return Calibrated(chosen, None, (), None)
    if not time_is_known(chosen):
        raise BoardError(
            f"there is nothing to calibrate: {why_no_time(chosen)}",
            where=f"board {chosen.name}",
            hint="Describe its flash in a board file: docs/BOARDS.md, `timing`",
        )
    found = measurements(chosen)
    fitted = fit_waits(chosen, found)
    return Calibrated(chosen, fitted, tuple(found), keep_calibration(chosen, fitted))


def command(
    board: options.Board,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the calibration and what the board told; go by its file again.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Fit a board's flash to the cycles that the board told, for better times."""
    from mcugen.ui.terminal import Terminal

    result = calibrate(board, forget=forget)
    return Terminal(json, as_options).show(result, lambda console: _show(console, result))


def _show(console: Console, result: Calibrated) -> None:
    from mcugen.text import number
    from mcugen.ui.terminal import columns, grid, say_verdict

    fitted = result.calibration
    if fitted is None:
        say_verdict(console, True, f"{result.board.name} goes by its board file again")
        return
    rows = [
        (
            each.model,
            each.runtime,
            number(each.cycles),
            number(round(each.predicted)),
            _error(each.predicted / each.cycles),
        )
        for each in result.measured
    ]
    console.print(columns(("model", "runtime", "measured", "predicted before", "error"), rows, right=(2, 3, 4)))
    console.print()
    timing = result.board.timing
    assert timing is not None
    apart, in_sequence = timing.miss[1], max(0.0, timing.miss[1] - timing.hidden[1])
    console.print(
        grid(
            [
                ("a read apart", f"waits {fitted.apart:.2f} cycles; {apart:g} by the board file"),
                ("in sequence", f"waits {fitted.in_sequence:.2f} cycles; {in_sequence:g} by the board file"),
                ("errors now", f"{_error(fitted.low)} to {_error(fitted.high)} over {fitted.models} models"),
                ("kept in", str(result.file)),
            ]
        )
    )
    say_verdict(console, True, f"{result.board.name} is calibrated with {fitted.ops} layers")


def _error(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"

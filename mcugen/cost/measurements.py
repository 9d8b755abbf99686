"""What boards told of their cycles, beside what their layers execute: kept in the user's cache, a file per board."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen.boards.types import Board
from mcugen.cost.estimate import Estimate
from mcugen.environment import cache_dir
from mcugen.errors import ProjectError
from mcugen.outputs import write_file

MOST = 200
"""Measurements that are kept of a board; the oldest go first."""


@dataclass(frozen=True)
class MeasuredOp:
    """One op.

    Attributes:
        cycles: as the board counted them.
        core: nominal cycles of the core, without waiting for the flash.
        apart, in_sequence: reads of flash that no cache holds: where control or data came from elsewhere, and behind
            the line that was read last.
    """

    cycles: int
    core: float
    apart: int
    in_sequence: int


@dataclass(frozen=True)
class Measurement:
    """A model on a board.

    Attributes:
        front: what stands between core and flash, and how it was described when this was measured.
        cycles, predicted: of an inference, measured and nominal by the manuals.
    """

    model: str
    sha256: str
    runtime: str
    mcugen: str
    clock_hz: int
    front: str
    cycles: int
    predicted: float
    ops: tuple[MeasuredOp, ...]


def front_of(board: Board) -> str:
    """What a measurement depends on besides the model: clock and caches, as one text."""
    return json.dumps(
        [board.cpu, board.clock_hz, asdict(board.timing.front) if board.timing and board.timing.front else 0]
    )


def measurement(
    board: Board, model: str, sha256: str, runtime: str, version: str, told: Estimate, predicted: Estimate
) -> Measurement | None:
    """What a board told beside what was predicted for it; None where the prediction has no cycles by op."""
    if predicted.cycles is None or len(predicted.per_op) != len(told.per_op) or told.cycles is None:
        return None
    ops = tuple(
        MeasuredOp(round(own.cycles.nominal), each.cycles.nominal - each.waits, each.apart, each.in_sequence)
        for own, each in zip(told.per_op, predicted.per_op, strict=True)
    )
    cycles, nominal = round(told.cycles.nominal), predicted.cycles.nominal
    return Measurement(model, sha256, runtime, version, board.clock_hz, front_of(board), cycles, nominal, ops)


def keep_measurement(board: Board, found: Measurement) -> None:
    """Keep a measurement; it replaces those before of its model and runtime. A cache that cannot be written is none."""
    others = [each for each in measurements(board) if (each.sha256, each.runtime) != (found.sha256, found.runtime)]
    lines = [json.dumps(asdict(each), sort_keys=True) for each in [*others, found][-MOST:]]
    with contextlib.suppress(OSError, ProjectError):
        path = _path(board)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, ("\n".join(lines) + "\n").encode())


def measurements(board: Board) -> list[Measurement]:
    """Those of the board as it is described now, the oldest first. Lines that are damaged are left out."""
    try:
        lines = _path(board).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found = [_parsed(line) for line in lines]
    return [each for each in found if each is not None and each.front == front_of(board)]


def forget_measurements(board: Board) -> None:
    """Forget what a board told."""
    with contextlib.suppress(OSError):
        _path(board).unlink()


def _path(board: Board) -> Path:
    return cache_dir() / "measured" / f"{board.name}.jsonl"


def _parsed(line: str) -> Measurement | None:
    try:
        facts = json.loads(line)
        return Measurement(
            **{name: str(facts[name]) for name in ("model", "sha256", "runtime", "mcugen", "front")},
            clock_hz=int(facts["clock_hz"]),
            cycles=int(_above(facts["cycles"])),
            predicted=_above(facts["predicted"]),
            ops=tuple(_op(each) for each in facts["ops"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _op(facts: Mapping[str, Any]) -> MeasuredOp:
    counts = [int(facts[name]) for name in ("cycles", "apart", "in_sequence")]
    if min(counts) < 0:
        raise ValueError("a count below 0")
    return MeasuredOp(counts[0], _above(facts["core"]), counts[1], counts[2])


def _above(value: Any) -> float:
    figure = float(value)
    if not (0 < figure < math.inf):
        raise ValueError("no number above 0")
    return figure

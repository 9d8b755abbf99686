"""Defaults that functions and commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EVAL_SAMPLES = 2000
"""Samples that a model is judged by on the host, unless the user says otherwise."""
SAMPLES_ON_DEVICE = 100
"""How many of them run on the device, too: enough for a figure, and minutes at most in an emulator."""

TRIALS = 40


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What the user wants of a search. `auto` is False where there is to be none."""

    auto: bool = False
    max_flash: int | None = None
    max_ram: int | None = None
    max_instructions: int | None = None
    trials: int = TRIALS
    seed: int = 0


def record_beside(out: str | Path | None) -> Path | None:
    """The file that remembers the trials for an output; None where nothing is written."""
    return Path(out).with_name(Path(out).name + ".search.jsonl") if out is not None else None

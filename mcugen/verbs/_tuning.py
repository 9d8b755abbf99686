"""Options of --auto, the search for the best quantization; and what they are outside of a command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Optional

import typer

TRIALS = 40

Auto = Annotated[
    bool,
    typer.Option("--auto", help="Search calibration and the other choices of quantization for the best model."),
]
MaxFlash = Annotated[
    Optional[int],  # noqa: UP045 (Typer reads it at run time, on Python 3.10 too)
    typer.Option(
        "--max-flash",
        metavar="BYTES",
        min=1,
        show_default=False,
        help="With --auto: what the firmware may take. Default: what the board has.",
    ),
]
MaxRam = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--max-ram", metavar="BYTES", min=1, show_default=False, help="With --auto: the same for RAM."),
]
MaxInstructions = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--max-instructions",
        metavar="N",
        min=1,
        show_default=False,
        help="With --auto: what an inference may take on the board's emulator.",
    ),
]
Trials = Annotated[int, typer.Option("--trials", metavar="N", min=1, help="With --auto: how many models are tried.")]
SearchSeed = Annotated[int, typer.Option("--search-seed", metavar="N", min=0, help="With --auto: seed of the search.")]


@dataclass(frozen=True)
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

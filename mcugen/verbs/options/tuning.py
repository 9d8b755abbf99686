"""Options of --auto, the search for the best quantization."""

from __future__ import annotations

from typing import Annotated

import typer

from mcugen.verbs.options.shared import ADVANCED, SEARCH

Auto = Annotated[
    bool,
    typer.Option(
        "--auto",
        help="Search for the best calibration and quantization settings.",
        rich_help_panel=SEARCH,
    ),
]
MaxFlash = Annotated[
    int | None,
    typer.Option(
        "--max-flash",
        metavar="BYTES",
        min=1,
        show_default=False,
        help="With --auto: flash limit of the firmware. Default: what the board has.",
        rich_help_panel=SEARCH,
    ),
]
MaxRam = Annotated[
    int | None,
    typer.Option(
        "--max-ram",
        metavar="BYTES",
        min=1,
        show_default=False,
        help="RAM limit of the firmware; with --auto, of the search. Default: what the board has.",
        rich_help_panel=SEARCH,
    ),
]
Reserve = Annotated[
    list[str] | None,
    typer.Option(
        "--reserve",
        metavar="MEMORY=N",
        show_default=False,
        help="Memory that the firmware leaves to you, as sram=32K. Repeatable.",
        rich_help_panel=ADVANCED,
    ),
]
MaxInstructions = Annotated[
    int | None,
    typer.Option(
        "--max-instructions",
        metavar="N",
        min=1,
        show_default=False,
        help="With --auto: limit of instructions per inference on the board's emulator.",
        rich_help_panel=SEARCH,
    ),
]
Trials = Annotated[
    int,
    typer.Option("--trials", metavar="N", min=1, help="With --auto: number of models to try.", rich_help_panel=SEARCH),
]
SearchSeed = Annotated[
    int,
    typer.Option(
        "--search-seed", metavar="N", min=0, help="With --auto: random seed of the search.", rich_help_panel=SEARCH
    ),
]

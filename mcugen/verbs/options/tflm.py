"""Options that only the TFLM runtime has, and several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

from mcugen.verbs.options.shared import TFLM

Pushed = Annotated[
    str | None,
    typer.Option(
        "--pushed",
        metavar="MODEL",
        show_default=False,
        help="TFLM: the .tflite that was sent to the device at --port with mcugen push, and that it runs now.",
        rich_help_panel=TFLM,
    ),
]

TflmBuild = Annotated[
    str,
    typer.Option(
        "--tflm-build",
        metavar="release|debug|…",
        show_default=False,
        help="TFLM: which build of the checkout to take (release, release_with_logs, default, debug).",
        rich_help_panel=TFLM,
    ),
]

Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="TFLM: resolver, array, arena and MicroInterpreter as in TFLM's examples, without guards.",
        rich_help_panel=TFLM,
    ),
]

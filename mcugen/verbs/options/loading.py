"""Options of what is taken from a model's file."""

from __future__ import annotations

from typing import Annotated

import typer

from mcugen.verbs.options.shared import ADVANCED

Signature = Annotated[
    str | None,
    typer.Option(
        "--signature",
        metavar="NAME|IN->OUT",
        show_default=False,
        help="Which signature of the file; of a frozen graph, its inputs and outputs.",
        rich_help_panel=ADVANCED,
    ),
]

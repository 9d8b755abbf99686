"""Options of what a device is compared with."""

from __future__ import annotations

from typing import Annotated

import typer

from mcugen.names import ReferenceName
from mcugen.verbs.options.shared import ADVANCED

Reference = Annotated[
    ReferenceName,
    typer.Option(
        "--reference",
        help="What results are compared with; auto is TensorFlow Lite Micro where it is installed.",
        rich_help_panel=ADVANCED,
    ),
]

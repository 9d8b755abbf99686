"""Options about learning on the device."""

from __future__ import annotations

from typing import Annotated

import typer

from mcugen.verbs.options.shared import ADVANCED

Trainable = Annotated[
    str | None,
    typer.Option(
        "--trainable",
        metavar="LAYERS",
        help="Layers at the end that learn on the device, or 'all' (docs/TRAINING.md).",
        show_default=False,
        rich_help_panel=ADVANCED,
    ),
]
Training = Annotated[
    str | None,
    typer.Option(
        "--training",
        metavar="SETTINGS",
        help="How they learn: rate=0.01,momentum=0.9,batch=1,classes=12,loss=softmax,optimizer=adam.",
        show_default=False,
        rich_help_panel=ADVANCED,
    ),
]
Train = Annotated[
    int,
    typer.Option(
        "--train",
        metavar="N",
        help="Make N training steps on the device, and compare each with the reference.",
        show_default=False,
        rich_help_panel=ADVANCED,
    ),
]

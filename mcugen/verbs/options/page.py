"""The options of verbs that can show what they do as a local page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mcugen.ui.watching import Web

Page = Annotated[bool, typer.Option("--web", help="Serve a local page at 127.0.0.1:8765.")]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", show_default=False, help="Address of the page; implies --web."),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="MCUGEN_TOKEN",
        show_default=False,
        help="Access token; required when the page is reachable from other machines.",
    ),
]


def wanted_page(web: bool, listen: str | None, token: str | None) -> Web | None:
    """The page that the options ask for."""
    from mcugen.monitor.web.server import DEFAULT_ADDRESS
    from mcugen.ui.watching import Web

    return Web(listen or DEFAULT_ADDRESS, token) if web or listen is not None else None

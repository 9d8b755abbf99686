"""`mcugen replay`: a recording of `mcugen monitor`, shown again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcugen.verbs.options import page as page_options
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from mcugen.flow.watching import Show, Watching


def replay(recording: str | Path, *, speed: float = 0.0, hold: bool = False, show: Show | None = None) -> Watching:
    """Replay a recording.

    Args:
        recording: the .csv or .parquet file that `monitor` wrote.
        speed: playback speed; 1 is real time, 0 shows everything at once.
        hold: keep running at the end until Ctrl-C, so that the page stays available.
        show: called with every message as it arrives.

    Raises:
        DataError: not a recording, or a damaged one.
        ToolError: a .parquet file without pyarrow.
    """
    from mcugen.errors import DataError
    from mcugen.flow.watching import Watching, follow
    from mcugen.monitor.replay import play

    if not 0 <= speed < 1e6:
        raise DataError(
            f"{speed:g} is not a valid speed", where="`speed`", hint="1 is real time, 0 shows everything at once"
        )
    path = Path(recording)
    with contextlib.closing(play(path, speed, hold)) as messages:
        state, stopped = follow(messages, show, None)
    return Watching("replay", state, stopped, path)


def command(
    recording: Annotated[
        Path, typer.Argument(metavar="RUN.csv", help="Recording made by mcugen monitor --record.", show_default=False)
    ],
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            metavar="X",
            min=0,
            show_default=False,
            help="Playback speed; 0 shows everything at once. Default: 1 on a terminal, else 0.",
        ),
    ] = None,
    lines: options.Lines = False,
    web: page_options.Page = False,
    listen: page_options.Listen = None,
    token: page_options.Token = None,
    json: options.Json = False,
) -> int:
    """Replay a recording of mcugen monitor."""
    from mcugen.ui.terminal import Terminal
    from mcugen.ui.watching import render, shown

    terminal = Terminal(json, as_options)
    page = page_options.wanted_page(web, listen, token)
    live = page is not None or (terminal.out.is_terminal and not json and not lines)
    with shown(terminal, "a recording · Ctrl-C ends", lines=lines, web=page) as show:
        result = replay(recording, speed=speed if speed is not None else 1.0 * live, hold=page is not None, show=show)
    return terminal.show(result, lambda console: render(console, result))

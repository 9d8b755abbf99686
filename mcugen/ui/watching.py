"""Shows devices at work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcugen.monitor.state import State
from mcugen.monitor.types import Message
from mcugen.text import number

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.flow.watching import Show, Watching
    from mcugen.ui.terminal import Terminal


@dataclass(frozen=True)
class Web:
    """Where a page is served, HOST:PORT, and the token that it takes to see it."""

    address: str
    token: str | None


@contextlib.contextmanager
def shown(terminal: Terminal, ending: str, *, lines: bool, web: Web | None) -> Iterator[Show]:
    """A page, the picture of a terminal, or lines where there is none or `lines` are wanted.

    Raises:
        McugenError: the page cannot be served.
    """
    from mcugen.ui.monitor import LineView, LiveView, View
    from mcugen.ui.terminal import say_verdict

    if web is not None:
        from mcugen.monitor.web.server import WebServer

        events = LineView(terminal.out, terminal.err, quiet=True)
        with WebServer(web.address, web.token) as server:
            # Standard error, so that JSON is alone on stdout.
            say_verdict(terminal.err, True, f"watch it at {server.url}  (Ctrl-C to stop)")

            def show(message: Message | None, state: State) -> None:
                server.show(message, state)
                events.show(message, state)

            yield show
        return
    view: View
    if terminal.out.is_terminal and not terminal.as_json and not lines:
        view = LiveView(terminal.out, ending)
    else:
        view = LineView(terminal.out, terminal.err, quiet=terminal.as_json)
    try:
        yield view.show
    finally:
        view.close()


def render(console: Console, result: Watching) -> None:
    """What a terminal shows after the end."""
    from mcugen.ui.monitor import show_summary
    from mcugen.ui.terminal import say_verdict

    show_summary(console, result.state)
    count = number(sum(device.count for device in result.state.devices.values()))
    if result.verb == "monitor" and result.recording is not None:
        say_verdict(console, True, f"wrote {result.recording}: {count} inferences")

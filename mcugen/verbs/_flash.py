"""What `flash` and `deploy` share: a question on the terminal, and a device that was just flashed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from mcugen.device.device import Device
from mcugen.flash import Choose, Flashed, connect_flashed, flash_board
from mcugen.ui.terminal import Progress, Terminal
from mcugen.ui.text import plain
from mcugen.verbs._pipeline import Ready


def flash_and_connect(
    ready: Ready,
    *,
    port: str | None,
    probe: str | None,
    tool: str | None,
    choose: Choose | None,
    progress: Progress,
) -> tuple[Device, Flashed]:
    """Flash a built project's board, and connect to it: it runs this firmware and model, or this fails.

    Gives the port as well that it answers at.

    Raises:
        McugenError: see `mcugen.flash`.
    """
    progress("flashing", -1.0)
    flashed = flash_board(ready.firmware, ready.board, port=port, probe=probe, tool=tool, choose=choose)
    progress("waiting for the board", -1.0)
    sha256 = ready.plan.graph.sha256
    device, port = connect_flashed(flashed, ready.firmware, ready.board, model_sha256=sha256, choose=choose)
    return device, replace(flashed, port=port)


def terminal_choice(terminal: Terminal) -> Choose | None:
    """Asks on the terminal; None where nobody sits at one, so that a choice is an error."""
    if terminal.as_json or not sys.stdin.isatty() or not terminal.err.is_terminal:
        return None

    def choose(question: str, answers: Sequence[str]) -> int:
        terminal.err.print(plain(question))
        for number, answer in enumerate(answers, 1):
            terminal.err.print(f"  {number}  {plain(answer)}")
        while True:
            terminal.err.print(f"Type a number from 1 to {len(answers)}, or press Ctrl-C:")
            given = sys.stdin.readline()
            if not given:
                raise KeyboardInterrupt
            if given.strip().isdecimal() and 1 <= int(given) <= len(answers):
                return int(given) - 1

    return choose

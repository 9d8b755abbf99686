"""Asks at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mcugen.flash import Choose
from mcugen.text import plain
from mcugen.ui.terminal import Terminal


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

"""What reaches a terminal: names from a model are text and nothing else, numbers are readable."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mcugen.text import bar, memory, plain, share, size
from mcugen.ui.terminal import Terminal, columns, grid, make_console, print_error, say_verdict

HOSTILE = "[bold red]x[/] :smile: \x1b[2J\x1b]0;title\x07 \u202eright-to-left"


def test_plain_escapes_what_a_terminal_obeys() -> None:
    assert plain(HOSTILE) == "[bold red]x[/] :smile: \\x1b[2J\\x1b]0;title\\x07 \\u202eright-to-left"
    assert plain("naïve 名前") == "naïve 名前"
    assert plain("two\nlines") == "two\nlines"


def printed(*parts: object, width: int = 120) -> str:
    stream = io.StringIO()
    console = make_console(stream)
    console.width = width
    for part in parts:
        console.print(part)
    say_verdict(console, True, HOSTILE if width > 100 else "done")
    return stream.getvalue()


def test_hostile_names_are_printed_literally() -> None:
    text = printed(grid([("name", HOSTILE)]), columns(("layer",), [(HOSTILE,)]))
    assert text.count("[bold red]x[/] :smile: \\x1b[2J") == 3
    assert "\x1b" not in text
    assert "\x07" not in text


def test_errors_are_printed_literally_and_unbroken_in_a_pipe() -> None:
    stream = io.StringIO()
    where = "/a/very/long/path/" * 20
    print_error(make_console(stream), what=HOSTILE, where=where, hint="[link]")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert where in lines[0]
    assert "\x1b" not in lines[0]
    assert "[link]" in lines[1]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_tables_keep_to_the_width(width: int) -> None:
    text = printed(columns(("op", "layer"), [("CONV_2D", "a/very/long/name" * 5)]), width=width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_no_color_and_pipes_get_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = Tty()
    say_verdict(make_console(coloured), True, "yes")
    assert "\x1b[" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain_stream = Tty()
    say_verdict(make_console(plain_stream), True, "yes")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain_stream.getvalue())


def test_progress_is_silent_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with Terminal().progress() as progress:
        progress("working", 0.5)
        progress("working", -1.0)
    assert capfd.readouterr() == ("", "")


def test_progress_shows_on_a_terminal_and_cleans_up() -> None:
    terminal = Terminal()
    stream = io.StringIO()
    terminal.err = Console(file=stream, force_terminal=True, width=80, markup=False)
    with terminal.progress() as progress:
        progress("building [x]", -1.0)
        progress("verifying", 0.5)
    assert "verifying" in stream.getvalue()


def test_numbers() -> None:
    assert size(512) == "512 B"
    assert size(54016) == "54,016 B (52.8 KiB)"
    assert size(3 << 20) == "3,145,728 B (3.00 MiB)"
    assert (memory(16384), memory(4 << 20), memory(100)) == ("16 KiB", "4 MiB", "100 B")
    assert (share(1, 1000), share(0, 10), share(5, 10), share(1, 0)) == ("<1 %", "0 %", "50 %", "–")
    assert (bar(0, 8), bar(1, 8), bar(0.5, 8), bar(9, 2)) == ("", "█" * 8, "█" * 4, "██")
    assert bar(1 / 16, 8) == "▌"

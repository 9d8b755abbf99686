"""The terminal: results on stdout, progress and errors on stderr, or JSON alone on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcugen.errors import McugenError
from mcugen.progress import Progress
from mcugen.text import plain

Words = Callable[[str], str]
"""Puts a text into the words of whoever reads it: the parameters that it names become options."""

PIPE_WIDTH = 120
"""Columns where there is no terminal to ask."""


def _as_it_is(text: str) -> str:
    return text


class Result(Protocol):
    """What a verb returns: facts as JSON carries them, and the command's exit code."""

    @property
    def exit_code(self) -> int: ...

    def to_dict(self) -> dict[str, Any]: ...


class _Screen(Console):
    """A console that takes every string literally: names from a model are never markup.

    Tables and lines alike render their strings here, so this is where parameters in texts become options.
    """

    def __init__(self, stream: IO[str], words: Words) -> None:
        width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
        super().__init__(file=stream, width=width, markup=False, emoji=False, highlight=False)
        self._words = words

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(self._words(text), **how)


def make_console(stream: IO[str], words: Words = _as_it_is) -> Console:
    """A console that writes texts in the given words."""
    return _Screen(stream, words)


class Terminal:
    """Where one command writes. With `as_json`, stdout gets one JSON object and nothing else."""

    def __init__(self, as_json: bool = False, words: Words = _as_it_is) -> None:
        self.as_json = as_json
        self.out = make_console(sys.stdout, words)
        self.err = make_console(sys.stderr, words)
        self._words = words

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Progress bars on stderr while a verb works; silent where stderr is not a terminal."""
        if not self.err.is_terminal:
            yield lambda _step, _done: None
            return
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self.err, transient=True) as bars:
            task, current = bars.add_task("", total=None), ""

            def report(step: str, done: float) -> None:
                nonlocal current
                if step != current:
                    bars.reset(task, description=plain(step))
                    current = step
                bars.update(task, total=1.0 if done >= 0 else None, completed=max(0.0, done))

            yield report

    def show(self, result: Result, render: Callable[[Console], None]) -> int:
        """Print a verb's result, as JSON or as `render` draws it; returns the command's exit code."""
        if self.as_json:
            print_json(result.to_dict())
        else:
            render(self.out)
        return result.exit_code

    def error(self, error: McugenError) -> None:
        """Print what is wrong, where, and what to try."""
        what, where, hint = (self._words(text) for text in (error.what, error.where, error.hint))
        print_error(self.err, what=what, where=where, hint=hint)
        if self.as_json:
            print_json(error_dict(type(error).__name__, what, where, hint))


def print_json(facts: Mapping[str, Any]) -> None:
    """One JSON object on stdout. NaN and infinities are a bug, not JSON."""
    sys.stdout.write(json.dumps(facts, indent=2, allow_nan=False, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def error_dict(kind: str, what: str, where: str = "", hint: str = "") -> dict[str, Any]:
    """The JSON form of an error."""
    return {"schema": "mcugen.error/1", "error": {"kind": kind, "what": what, "where": where, "hint": hint}}


def print_error(console: Console, *, what: str, where: str = "", hint: str = "") -> None:
    """An error for a person: where and what on one line, the hint under it."""
    soft = not console.is_terminal
    line = Text("✖ ", style="bold red")
    if where:
        line.append(f"{plain(where)}: ", style="bold")
    line.append(plain(what), style="default not bold")
    console.print(line, soft_wrap=soft)
    if hint:
        console.print(Text("  → ", style="cyan").append(plain(hint), style="default"), soft_wrap=soft)


def grid(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Facts as an aligned list: a dim name, then its value."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, plain(value) if isinstance(value, str) else value)
    return table


def columns(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), whole: Sequence[int] = ()
) -> Table:
    """A calm table: headings, a rule under them, no other lines.

    Columns in `right` are aligned to the right; they and those in `whole` are never broken over lines.
    """
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for position, heading in enumerate(headings):
        numeric = position in right
        unbroken = numeric or position in whole
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=unbroken, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    return table


def say_verdict(console: Console, good: bool, text: str) -> None:
    """The last line of a command: done, or judged. Never broken where a program may read it."""
    mark, style = ("✔ ", "bold green") if good else ("✖ ", "bold red")
    console.print(Text(mark + plain(text), style=style), soft_wrap=not console.is_terminal)


def in_words(console: Console, text: str) -> str:
    """A text as a console's reader knows its parameters; safe to print."""
    return console.render_str(plain(text), markup=False, emoji=False, highlight=False).plain


def say_note(console: Console, text: str) -> None:
    """A line that a person should not overlook."""
    line = Text("! ", style="bold yellow").append(in_words(console, text), style="not bold yellow")
    console.print(line, soft_wrap=not console.is_terminal)

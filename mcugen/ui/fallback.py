"""How `inspect --fallback` shows what does not run."""

from __future__ import annotations

from rich.console import Console

from mcugen.flow.survey import Fallback
from mcugen.text import plain
from mcugen.ui.terminal import grid, say_verdict


def show_fallback(console: Console, found: Fallback) -> None:
    for missing in found.missing:
        rows = [("problem", plain(missing.problem))]
        rows += [("rule", missing.rule)] if missing.rule else []
        rows += [(way.name, plain(way.how)) for way in missing.ways]
        console.print(plain(missing.where), markup=False, highlight=False)
        console.print(grid(rows))
        console.print()
    count = len(found.missing)
    if count:
        do = "does" if count == 1 else "do"
        say_verdict(console, False, f"{count} of {found.ops} ops of {plain(found.name)} {do} not run ahead of time")
    else:
        say_verdict(console, True, f"all {found.ops} ops of {plain(found.name)} run")

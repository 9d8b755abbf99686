"""How a search for the best quantization is shown: the trials that no other one beats, and the one that was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from mcugen.convert.choices import Choices
from mcugen.text import number
from mcugen.ui.terminal import columns, say_note


def show_search(console: Console, search: Mapping[str, Any]) -> None:
    """The Pareto front, what plain quantization gives, and the reason of the choice.

    Args:
        search: see :meth:`mcugen.tune.types.Found.to_dict`.
    """
    trials, metric = search["trials"], search["metric"]
    shown = [*search["front"], *({search["chosen"], 0} - set(search["front"]))]
    measured = any(trials[n]["cost"] and trials[n]["cost"]["instructions"] for n in shown)
    heads = ["", "quantization", metric or "error", "lost" if metric else "", "SQNR", "flash", "RAM"]
    heads += ["instructions" if measured else "work"]
    rows = [_row(trials[n], chosen=n == search["chosen"], metric=metric, measured=measured) for n in shown]
    console.print()
    console.print(columns(heads, rows, right=(2, 3, 4, 5, 6, 7), whole=(0,)))
    before = f"; float32 has {search['float_value']:.4f}" if metric else ""
    say_note(console, f"{len(trials)} trials on {number(search['samples'])} samples of {search['origin']}{before}")
    say_note(console, search["reason"])


def _row(trial: Mapping[str, Any], *, chosen: bool, metric: str, measured: bool) -> tuple[str, ...]:
    choices = Choices(**{**trial["choices"], "wide": tuple(trial["choices"]["wide"])})
    cost, lost = trial["cost"], trial["lost"]
    mark = "→" if chosen else "✖" if trial["problem"] else ""
    if cost is None or lost is None:
        return mark, choices.describe(), "", "", "", "", "", ""
    value = f"{trial['value']:.4f}" if metric else f"{lost:.2f} %"
    sqnr = "exact" if trial["sqnr_db"] is None else f"{trial['sqnr_db']:.1f} dB"
    last = cost["instructions"] if measured else cost["work"]
    return (
        mark,
        choices.describe(),
        value,
        f"{lost:.2f}" if metric else "",
        sqnr,
        number(cost["flash"]),
        number(cost["ram"]),
        number(last) if last else "",
    )

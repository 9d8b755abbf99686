"""How a model's places in several memories are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from mcugen.text import memory, number, plain, tail
from mcugen.ui.cost import count
from mcugen.ui.terminal import columns, say_note


def show_memories(console: Console, facts: Mapping[str, Any] | None) -> None:
    """A line per memory, the fastest first: what it holds, how often an inference goes there, what is hottest."""
    if facts is None:
        return
    rows = [
        (
            each["name"],
            each["kind"],
            number(each["arena"]),
            number(each["weights"]),
            number(each["images"]),
            memory(each["room"]),
            f"{each['read_cycles']:g}",
            count(each["accesses"]),
            tail(plain(each["hottest"][0]), 36) if each["hottest"] else "",
        )
        for each in facts["memories"]
    ]
    headings = ("memory", "kind", "arena", "weights", "to copy", "room", "wait", "accesses", "most of them to")
    console.print(columns(headings, rows, right=(2, 3, 4, 5, 6, 7), whole=(0, 1)))
    say_note(console, memories_text(facts))


def memories_text(facts: Mapping[str, Any]) -> str:
    """What placing saves, in a line."""
    waits, without = count(facts["waits"]), count(facts["waits_without"])
    return (
        f"by the plan, data is waited for about {waits} cycles per inference; with the arena in ram and all weights in "
        f"{facts['weights_without']} it would be {without}"
    )

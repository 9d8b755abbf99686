"""The C of a model in several memories: its arenas, and the marks of what lies where.

Sections are named so that a linker script that does not know them puts everything where it would lie anyhow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from mcugen.runtimes.aot.plan.accesses import content_of
from mcugen.runtimes.aot.plan.types import SHARED_FROM, Content, Plan, Weights

OWN_RAM, OWN_FLASH = "ram", "flash"
"""The memories of every board, where nothing is marked."""


def memories_view(plan: Plan) -> dict[str, Any]:
    """What the templates show of arenas: none where there is one in RAM, as on most boards."""
    arenas = [
        {
            "memory": arena.memory,
            "name": _arena_name(arena.memory),
            "mark": "" if arena.memory == OWN_RAM else f"{in_macro(arena.memory)} ",
            "bytes": arena.size,
            "start": arena.start,
            "end": arena.end,
        }
        for arena in plan.arenas
    ]
    beside = [arena.memory for arena in plan.arenas if arena.memory != OWN_RAM]
    marked = sorted({_place(each) for each in plan.weights} - {(OWN_FLASH, "")})
    return {
        "arenas": arenas,
        "at": ("mcg_at(", ")") if arenas else ("&mcg_arena[", "]"),
        "in_memories": [{"macro": in_macro(name), "section": f".bss.mcg_in_{name}"} for name in beside],
        "weights_in": [{"macro": weights_macro(*place), "section": weights_section(*place)} for place in marked],
    }


def _place(weights: Weights) -> tuple[str, str]:
    return weights.memory, weights.image


def _arena_name(memory: str) -> str:
    return "mcg_arena" if memory == OWN_RAM else f"mcg_arena_{memory}"


def in_macro(memory: str) -> str:
    """Marks a variable without initial value that lies in a memory."""
    return f"MCG_IN_{memory.upper()}"


def weights_section(memory: str, image: str = "") -> str:
    """The section of constants that lie in a memory, copied there from another, or not."""
    return f".mcg_in_{memory}_from_{image}" if image else f".mcg_in_{memory}"


def weights_macro(memory: str, image: str = "") -> str:
    """Marks constants that lie in a memory."""
    return weights_section(memory, image)[1:].upper().replace("MCG_IN", "MCG_WEIGHTS_IN")


Marks = Mapping[Content, str]
"""What stands before arrays of constants that do not lie in the board's own flash."""


def marks_of(plan: Plan) -> Marks:
    places = {each.content: _place(each) for each in plan.weights}
    return {content: f"{weights_macro(*place)} " for content, place in places.items() if place != (OWN_FLASH, "")}


def mark_of(marks: Marks, values: NDArray[Any]) -> str:
    """What stands before an array of constants; "" for the board's own flash."""
    return marks.get(content_of(values), "") if marks and values.nbytes >= SHARED_FROM else ""

"""How a model's C is called, and where its arena is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mcugen.emit import c_text
from mcugen.errors import DataError

Arena = Literal["static", "shared", "context"]
"""static: the model's own. shared: one array for all models of an export. context: the caller's, one per instance."""

FIRMWARE_NAME = "mcg_model"
"""The name in firmware that the harness serves."""

_LONGEST = 32


@dataclass(frozen=True)
class Style:
    """How a model's library is written.

    Attributes:
        name: prefix of its functions, and of its macros in capitals; name of its two files.
        several: other models of the same export are linked as well, so that kernels that are functions are kept once.
    """

    name: str = FIRMWARE_NAME
    arena: Arena = "static"
    several: bool = False

    def view(self) -> Mapping[str, Any]:
        """What templates show: the prefix, in capitals, too, and what functions take besides their arguments."""
        context = self.arena == "context"
        parameter = f"{self.name}_context *context" if context else ""
        style = {
            "arena": self.arena,
            "several": self.several,
            "only": parameter or "void",
            "first": f"{parameter}, " if context else "",
            "passed": "context" if context else "",
            "pass_first": "context, " if context else "",
            "shown": "&context" if context else "",
            "open": "  uint8_t *const mcg_arena = (uint8_t *)context->arena;\n" if context else "",
            "op_parameter": "uint8_t *mcg_arena" if context else "void",
            "op_argument": "mcg_arena" if context else "",
            "round_parameter": "uint8_t *mcg_arena, uint32_t round" if context else "uint32_t round",
            "round_argument": "mcg_arena, round" if context else "round",
        }
        return {"name": self.name, "NAME": self.name.upper(), "style": style}


def name_of(model: str) -> str:
    """A prefix made from a model's name."""
    return c_text.identifier(model).lower()[:_LONGEST].rstrip("_")


def check_name(name: str) -> str:
    """A prefix that the user chose.

    Raises:
        DataError: no identifier of C, too long, or one that belongs to mcugen or to the compiler.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]|[a-z]", name) or len(name) > _LONGEST:
        raise DataError(
            f"{name[:60]!r} cannot be the prefix of C functions",
            where="`name`",
            hint=f"Pass up to {_LONGEST} of a-z, 0-9 and _, beginning with a letter, like {name_of(name)!r}",
        )
    if c_text.identifier(name) != name or name == "mcg" or name.startswith("mcg_"):
        raise DataError(f"{name!r} is taken", where="`name`", hint="Pass another name; mcg_ is the kernels' prefix")
    return name

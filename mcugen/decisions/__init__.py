"""Decisions: one module each, found by its `SPEC`. What lies between a model's outputs and events."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.decisions.types import (
    KINDS,
    Decided,
    Deciding,
    Decision,
    DecisionSpec,
    EmittedDecision,
    FoundBox,
    ModelIO,
    Wanted,
)
from mcugen.resources import declared
from mcugen.toml_table import Table

__all__ = [
    "KINDS",
    "Decided",
    "Deciding",
    "Decision",
    "DecisionSpec",
    "EmittedDecision",
    "FoundBox",
    "ModelIO",
    "Wanted",
    "parse",
    "registry",
]


@functools.cache
def registry() -> Mapping[str, DecisionSpec]:
    """The kinds of decisions by their names, in alphabetical order."""
    found = {spec.kind: spec for spec in declared(__name__, __path__, "SPEC")}
    return MappingProxyType(dict(sorted(found.items())))


def parse(table: Table) -> Wanted:
    """What a pipeline file's table wants; its kind is "labels" where it names none.

    Raises:
        McugenError: the table's error: there is no such kind, or a field is wrong.
    """
    kinds = registry()
    wanted = kinds[table.choice("kind", tuple(kinds), "labels")].parse(table)
    table.finish()
    return wanted

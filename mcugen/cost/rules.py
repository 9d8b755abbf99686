"""A core's timing: the rules of its manual, from the core's data file."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcugen import cores
from mcugen.cost.decode import KINDS
from mcugen.errors import McugenError
from mcugen.toml_table import read_toml

Three = tuple[int, int, int]
"""Low, nominal, high."""

NONE: Three = (0, 0, 0)


@dataclass(frozen=True)
class Rule:
    """Cycles of one kind of instruction: `cycles`, and `per_word` more for every register that is loaded or stored.

    `small_multiplier` takes the place of `cycles` in chips with the small one.
    """

    cycles: Three
    per_word: Three = NONE
    small_multiplier: Three | None = None
    source: str = ""


@dataclass(frozen=True)
class CoreTiming:
    """Cycles of a core's instructions, with memory that answers at once.

    Attributes:
        documents: the sources, by the short names that the rules use.
        rules: by kind of instruction.
        load_after_load, store_after_load: what takes the place of a load's or indexed store's cycles directly behind a
            load; None where nothing does.
        wide_at_odd_word: more for such a load of 32 bits that does not begin at a word.
        indexed_store: what takes the place of a store's cycles where its address is a sum; None where nothing does.
        writing_back_store: where it changes its address register.
        literal: more where an address is relative to the PC.
        address: more where the instruction before computes the address.
        fold_behind: if-then behind an instruction of that many bytes takes `folded`; 0: none does.
        refill: more where control goes elsewhere: "direct", by "register", by "load".
        unaligned_target: more where the instruction there has 32 bits and does not begin at a word.
        unaligned: more per access that is not at a multiple of its size.
        validation: what is known of the error: see `Validation`.
    """

    core: str
    documents: Mapping[str, str]
    rules: Mapping[str, Rule]
    load_after_load: Three | None = None
    store_after_load: Three | None = None
    wide_at_odd_word: Three = NONE
    indexed_store: Three | None = None
    writing_back_store: Three | None = None
    literal: Three = NONE
    address: Three = NONE
    fold_behind: int = 0
    folded: Three = NONE
    refill: Mapping[str, Three] = field(default_factory=dict)
    unaligned_target: Three = NONE
    unaligned: Three = NONE
    validation: Validation | None = None


@dataclass(frozen=True)
class Validation:
    """How the model compares with firmware whose times others measured: predicted divided by measured.

    Attributes:
        points: how many.
        mean: the geometric mean.
        low, high: the least and the largest.
        what: which firmware, on which board.
    """

    points: int
    mean: float
    low: float
    high: float
    what: str


def timed_cores() -> tuple[str, ...]:
    """The cores with a timing, in alphabetical order."""
    return tuple(sorted(path.stem for path in Path(cores.__file__).parent.glob("*/*.toml")))


@functools.cache
def core_timing(core: str) -> CoreTiming | None:
    """A core's timing; None where none is published, so that there is nothing to go by.

    Raises:
        McugenError: its data file is wrong.
    """
    found = sorted(Path(cores.__file__).parent.glob(f"*/{core}.toml"))
    if not found:
        return None
    return _timing(core, read_toml(found[0], "a core's timing", McugenError)[1], found[0])


def _timing(core: str, data: dict[str, Any], path: Path) -> CoreTiming:
    def wrong(what: str) -> McugenError:
        return McugenError(what, where=str(path))

    def three(value: Any) -> Three:
        figures = value if isinstance(value, list) else [value] * 3
        whole = all(type(each) is int and each >= 0 for each in figures)
        if len(figures) != 3 or not whole or figures != sorted(figures):
            raise wrong(f"{value!r} is neither a number of cycles nor three that rise")
        return (figures[0], figures[1], figures[2])

    def maybe(table: Mapping[str, Any], key: str) -> Three | None:
        return three(table[key]) if key in table else None

    documents = data.get("documents", {})
    rules: dict[str, Rule] = {}
    parts = ("pipelining", "store", "literal", "address", "folding", "refill", "unaligned")
    if unknown := set(data) - {"documents", "rule", "validation", *parts}:
        raise wrong(f"{sorted(unknown)} is unknown")
    for table in (*data["rule"], *(data[part] for part in parts if part in data)):
        source = str(table.get("source", ""))
        if source.split(",")[0].split(";")[0] not in documents:
            raise wrong(f"the source {source!r} does not begin with one of the documents")
    for table in data["rule"]:
        for kind in table["kinds"]:
            if kind not in KINDS or kind in rules:
                raise wrong(f"{kind!r} is no kind of instruction, or has two rules")
            rules[kind] = Rule(
                three(table["cycles"]),
                three(table.get("per_word", 0)),
                maybe(table, "small_multiplier"),
                table["source"],
            )
    pipelining, store, folding = data.get("pipelining", {}), data.get("store", {}), data.get("folding", {})
    refill = data["refill"]
    return CoreTiming(
        core,
        documents,
        rules,
        maybe(pipelining, "load_after_load"),
        maybe(pipelining, "store_after_load"),
        three(pipelining.get("wide_at_odd_word", 0)),
        maybe(store, "indexed"),
        maybe(store, "writes_back"),
        three(data.get("literal", {}).get("cycles", 0)),
        three(data.get("address", {}).get("cycles", 0)),
        int(folding.get("behind", 0)),
        three(folding.get("cycles", 0)),
        {key: three(refill[key]) for key in ("direct", "register", "load")},
        three(refill.get("unaligned_target", 0)),
        three(data.get("unaligned", {}).get("cycles", 0)),
        Validation(**data["validation"]) if "validation" in data else None,
    )

"""Results of TensorFlow Lite Micro that are not the same at every date: the reference may be newer than a user's TFLM.

`CHANGES` is data: whoever finds another change adds a line, with the last date at which the old result was seen and the
first with the new one.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from mcugen.graph.types import Graph, Op
from mcugen.oracle.engines import chosen


@dataclass(frozen=True)
class Change:
    """Results of an op that changed.

    Attributes:
        kind: TFLite's name of the op.
        dtype: of its output.
        old, new: the last date with the old results, and the first with the new ones, as far as that is known.
        what: what became different, as part of a sentence.
    """

    kind: str
    dtype: str
    old: date
    new: date
    what: str

    def lies_between(self, one: date, other: date) -> bool:
        """Whether TFLM of one date and TFLM of another may differ by this."""
        first, last = sorted((one, other))
        return first < self.new and last > self.old

    def __str__(self) -> str:
        return f"{self.kind} in {self.dtype} ({self.what})"


CHANGES: tuple[Change, ...] = (
    Change("LEAKY_RELU", "int16", date(2026, 10, 12), date(2026, 10, 13), "by up to 1"),
    Change("SUB", "int16", date(2026, 10, 12), date(2026, 10, 13), "by up to 1"),
)

FOLLOWED = date(2026, 10, 23)
"""The ahead-of-time runtime computes what the reference of this date does."""


def reference_date() -> date | None:
    """When the chosen reference was made: mcugen's own computes what the `tflite-micro` does that it was proved by.

    None if `tflite-micro` is chosen and not installed, or its version does not tell.

    Raises:
        ToolError: MCUGEN_REFERENCE names no reference.
    """
    if chosen()[0] == "mcugen":
        from mcugen.reference.names import PROVED_BY  # its package brings every op

        return version_date(PROVED_BY)
    try:
        return version_date(importlib.metadata.version("tflite-micro"))
    except importlib.metadata.PackageNotFoundError:
        return None


def version_date(version: str) -> date | None:
    """The date within a version such as 0.dev20261023182759."""
    found = re.search(r"dev(\d{4})(\d\d)(\d\d)", version)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def changes_of(uses: Collection[tuple[Graph, Op]], one: date | None, other: date | None) -> Iterator[Change]:
    """The changes between TFLM of two dates that concern these uses of ops, each once. None of an unknown date."""
    if one is None or other is None or one == other:
        return
    used = {(op.kind, graph.tensor(op.outputs[0]).dtype.value) for graph, op in uses if op.outputs}
    for change in CHANGES:
        if (change.kind, change.dtype) in used and change.lies_between(one, other):
            yield change

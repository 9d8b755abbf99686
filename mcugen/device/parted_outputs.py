"""Outputs of ops as pauses show them: where rows flow through layers, each shows a part."""

from __future__ import annotations

from collections.abc import Iterator

from mcugen.device.protocol import Paused


class PartedOutputs:
    """Puts outputs of ops together from what is shown of them, and gives them in the ops' order."""

    def __init__(self) -> None:
        self._parts: dict[int, bytearray] = {}
        self._missing: dict[int, int] = {}
        self._next = 0

    def add(self, paused: Paused, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take what a pause shows; the outputs that are complete with it and all before."""
        total = paused.total or paused.nbytes
        whole = self._parts.setdefault(paused.op, bytearray(total))
        self._missing[paused.op] = self._missing.get(paused.op, total) - len(data)
        whole[paused.offset : paused.offset + len(data)] = data
        while self._missing.get(self._next, 1) == 0:
            yield self._next, bytes(self._parts.pop(self._next))
            self._next += 1

    @property
    def incomplete(self) -> list[int]:
        """Ops that were not given."""
        return sorted(self._parts)

"""Traces that were taken before: the same firmware, given the same input in the same emulator, executes the same.

What is kept belongs to the content of the firmware, the input, what was asked of the plugin, the board, QEMU (by size
and time), and to the code that takes traces. It is kept beside firmware that was built, and switched off with it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mcugen import __version__
from mcugen.boards.types import Board
from mcugen.builder import Firmware
from mcugen.builder.kept import KEEP_VARIABLE
from mcugen.cache import find_files, keep_files
from mcugen.emulators.qemu import find_qemu

MOST_BYTES = 128 << 20

_KIND, _LINES, _FACTS = "traces", "trace", "facts.json"


@dataclass(frozen=True)
class Taken:
    """What the plugin wrote of one firmware.

    Attributes:
        lines: as :func:`mcugen.cost.record.read_trace` reads them.
        ops: of the plan.
        turns: the op of each part after the first.
    """

    lines: tuple[str, ...]
    ops: int
    turns: tuple[int, ...]


def trace_key(
    firmware: Firmware, board: Board, sample: Sequence[NDArray[Any]], arguments: Sequence[tuple[str, str]]
) -> str:
    """What a trace depends on, as one name; "" where nothing is kept.

    Args:
        sample: one array per input.
        arguments: those of the plugin that say what to count.

    Raises:
        ToolError: the board's QEMU is not installed.
    """
    if os.environ.get(KEEP_VARIABLE) == "0":
        return ""
    program = Path(os.path.realpath(find_qemu(board.architecture)))
    try:
        emulator, elf = program.stat(), firmware.elf.read_bytes()
    except OSError:
        return ""
    told = [__version__, _code(), repr(board), str(program), emulator.st_size, emulator.st_mtime_ns, *arguments]
    found = hashlib.sha256(json.dumps(told).encode())
    parts = [("elf", elf), *((f"{values.dtype.str} {values.shape}", values.tobytes()) for values in sample)]
    for name, content in parts:
        found.update(f"\0{name} {len(content)}\0".encode() + content)
    return found.hexdigest()


def find_trace(key: str) -> Taken | None:
    """What was kept by this name; None if nothing was, or if it is damaged."""
    found = find_files(_KIND, key) if key else None
    if found is None:
        return None
    try:
        facts = json.loads(found[_FACTS])
        lines = found[_LINES].decode("ascii").splitlines()
        return Taken(tuple(lines), int(facts["ops"]), tuple(int(op) for op in facts["turns"]))
    except (ValueError, KeyError, TypeError):
        return None


def keep_trace(key: str, taken: Taken) -> None:
    """Keep a trace, whole or not at all."""
    if key:
        facts = json.dumps({"ops": taken.ops, "turns": taken.turns})
        files = {_LINES: "\n".join(taken.lines).encode("ascii"), _FACTS: facts.encode()}
        keep_files(_KIND, key, files, most_bytes=MOST_BYTES)


@functools.cache
def _code() -> str:
    """Changes with what counts, what drives the device while it is counted, and what reads the counts."""
    found = hashlib.sha256()
    here = Path(__file__).parent
    for file in sorted([*here.glob("*.py"), *here.glob("*.c"), *(here.parent / "device").glob("*.py")]):
        found.update(file.read_bytes())
    return found.hexdigest()

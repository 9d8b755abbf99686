"""Trace: runs one inference of a firmware on its emulated core, and counts what it executes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mcugen.boards.types import Board, FlashFront
from mcugen.builder import Firmware
from mcugen.builder.linker_map import parse_map
from mcugen.cost.kept import Taken, find_trace, keep_trace, trace_key
from mcugen.cost.plugin import plugin, plugin_arguments
from mcugen.cost.types import Accesses, Counts, Misses, Trace, joined
from mcugen.device.connecting import open_device
from mcugen.errors import ToolError

_INVOKE = "mcg_model_invoke"
_HOOKED = "mcg_model_invoke_hooked"
_PUSH = "mcg_model_push_row"
_PUSH_HOOKED = "mcg_model_push_row_hooked"
_HOOK = "pause_after_op"
_INTERRUPT = "mcg_systick"

_HARNESS = re.compile(r"(?:^|/)(?:lib[0-9a-f]*/mcg_(?:harness|bsp)|src)/[^/]+\.o$")
"""Objects whose code is not the model's. (What both use, as memcpy, is.)"""

MOST_FRONTS = 8

_AGAIN = "Try again; if it stays so, this is an error of mcugen's"

_WHOLE = 0


def record(
    firmware: Firmware,
    board: Board,
    sample: Sequence[NDArray[Any]],
    fronts: Sequence[FlashFront] = (),
    *,
    model_sha256: str | None = None,
) -> Trace:
    """Count what one inference executes.

    The second of two equal inferences is counted, as its cost is measured, and another one op by op.

    Args:
        firmware: built for `board`, which QEMU emulates.
        sample: one array per input.
        fronts: the caches to count misses of, at most `MOST_FRONTS`.

    Raises:
        ToolError: the plugin cannot be had (see `mcugen.cost.plugin`), or what it wrote is not whole.
        DeviceError: the device failed.
    """
    assert len(fronts) <= MOST_FRONTS
    regions = (board.flash, board.ram, *board.regions)[:7]
    arguments = [
        *_functions(firmware, sample),
        *(("own", f"{start:x}-{end:x}") for start, end in _own_code(firmware)),
        *(("region", f"{region.origin:x}-{region.end:x}") for region in regions),
        *(("cache", _front(front)) for front in fronts),
    ]
    key = trace_key(firmware, board, sample, arguments)
    known = find_trace(key)
    taken = known or _take(firmware, board, sample, arguments, model_sha256)
    names = (*(region.name for region in regions), "elsewhere")
    found = read_trace(taken.lines, board.cpu, names, fronts, taken.ops, taken.turns)
    if known is None:
        keep_trace(key, taken)
    return found


def _take(
    firmware: Firmware,
    board: Board,
    sample: Sequence[NDArray[Any]],
    arguments: Sequence[tuple[str, str]],
    model_sha256: str | None,
) -> Taken:
    path = plugin(board.architecture)
    with tempfile.TemporaryDirectory(prefix="mcugen-trace-") as folder:
        out = Path(folder) / "trace"
        with open_device(
            firmware.elf,
            board,
            model_sha256=model_sha256,
            paced=False,
            arguments=plugin_arguments(path, out, arguments),
        ) as device:
            device.run(sample)
            device.run(sample)
            turns = tuple(op for op, _ in device.pieces(sample))
            ops = device.hello.ops
        try:
            return Taken(tuple(out.read_text(encoding="ascii").splitlines()), ops, turns)
        except OSError as error:
            raise ToolError(f"the trace was not written: {error.strerror}", where=str(out)) from error


def _functions(firmware: Firmware, sample: Sequence[NDArray[Any]]) -> Iterator[tuple[str, str]]:
    """Where what the plugin waits for is, and which of its calls make an inference."""
    at = {symbol.name: symbol for symbol in firmware.symbols}
    invoke, hooked = _INVOKE, _HOOKED
    if _PUSH in at:
        invoke, hooked, rows = _PUSH, _PUSH_HOOKED, sample[0].shape[1]
        yield "nth", str(rows + 1)
        yield "times", str(rows)
    for key, name in (("invoke", invoke), ("hooked", hooked), ("hook", _HOOK)):
        if name not in at:
            raise ToolError(f"the firmware has no function {name}", where=str(firmware.elf), hint="Build it again")
        yield key, f"{at[name].address:x}"
    if _INTERRUPT in at:
        handler = at[_INTERRUPT]
        yield "handler", f"{handler.address:x}-{handler.address + handler.size:x}"


def _own_code(firmware: Firmware) -> Iterator[tuple[int, int]]:
    """The ranges of the harness's code, neighbours joined."""
    link = parse_map(firmware.map.read_text(errors="replace"))
    own = [p for p in link.sections if p.size and p.name.startswith(".text") and _HARNESS.search(p.file)]
    start = end = -1
    for low, high in sorted((p.address, p.address + p.size) for p in own):
        if low - end > 3:
            if start >= 0:
                yield start, end
            start = low
        end = high
    if start >= 0:
        yield start, end


def _front(front: FlashFront) -> str:
    code, data = front.code, front.data
    lines = -1 if front.shared else data.lines
    return f"{code.lines}:{code.line_bytes}:{code.ways}:{lines}:{data.line_bytes}:{data.ways}"


def read_trace(
    lines: Iterable[str],
    core: str,
    regions: tuple[str, ...],
    fronts: Sequence[FlashFront],
    ops: int,
    turns: Sequence[int] | None = None,
) -> Trace:
    """What the plugin wrote. `turns` names the op of each part after the first; without it, each op has one in order.

    Raises:
        ToolError: it is damaged, or the end is missing.
    """
    segments: dict[int, Counts] = {}
    complete = False
    try:
        for kind, *fields in map(str.split, lines):
            if kind == "S":
                counts = _Growing(fronts)
                segments[int(fields[0])] = counts.counts
            elif kind == "complete":
                complete = True
            else:
                counts.take(kind, fields)
    except (ValueError, IndexError, UnboundLocalError, KeyError) as error:
        raise ToolError("the trace is damaged", hint=_AGAIN) from error
    turns = range(ops) if turns is None else turns
    if not complete or sorted(segments) != list(range(len(turns) + 1)):
        raise ToolError(
            f"the trace is not whole: {len(segments)} of {len(turns) + 1} parts",
            hint=_AGAIN,
        )
    parts: list[list[Counts]] = [[] for _ in range(ops)]
    for number, op in enumerate(turns, 1):
        parts[op].append(segments[number])
    return Trace(core, regions, segments[_WHOLE], tuple(joined(counts) for counts in parts))


class _Growing:
    """Counts that are read line by line."""

    def __init__(self, fronts: Sequence[FlashFront]) -> None:
        self._fronts = fronts
        self._blocks: dict[tuple[int, int], int] = {}
        self._edges: dict[tuple[int, int], int] = {}
        self._memory: dict[int, Accesses] = {}
        self._misses: dict[FlashFront, dict[int, Misses]] = {front: {} for front in fronts}
        self.counts = Counts(self._blocks, self._edges, self._memory, self._misses)

    def take(self, kind: str, fields: list[str]) -> None:
        first = int(fields[0], 16)
        if kind == "B":
            self._blocks[first, int(fields[1])] = int(fields[2])
        elif kind == "E":
            edge = (first, int(fields[1], 16))
            # Blocks that end alike lead to the same edge.
            self._edges[edge] = self._edges.get(edge, 0) + int(fields[2])
        elif kind == "M":
            unaligned, *touched = map(int, fields[1:])
            self._memory[first] = Accesses(unaligned, tuple(touched[::2]), tuple(touched[1::2]))
        elif kind == "C":
            front, apart, in_sequence, data = map(int, fields[1:])
            self._misses[self._fronts[front]][first] = Misses(apart, in_sequence, data)
        else:
            raise ValueError(kind)

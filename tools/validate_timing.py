"""Compares predicted times with measured ones: python -m tools.validate_timing POINTS.toml [--write]

The file names firmware and the time of an inference that somebody measured on a board:

    board = "nucleo-l4r5zi"       # that was measured

    [[point]]
    name = "somebody's runtime"
    model = "kws"
    firmware = "kws.elf"          # for the emulated twin of the board's core; paths are beside the file
    map = "kws.map"               # of the linker
    inputs = "kws.npy"            # int8, one inference; their values hardly matter
    measured_ms = 99.8

The firmware is the foreign model behind the interface of mcugen's models (mcg_model.h), linked with mcugen's harness.
It is built beside this project, whose licence is not that of others' code. `--write` puts the table into
docs/TIMING.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.builder import Firmware
from mcugen.builder.sizes import measure
from mcugen.cost.decode import instructions_of
from mcugen.cost.estimate import Estimate, estimate, fronts_of
from mcugen.cost.record import record
from mcugen.cost.twin import twin_of
from mcugen.errors import McugenError, ToolError
from mcugen.toml_table import Table, read_toml, short

PAGE = Path(__file__).resolve().parent.parent / "docs" / "TIMING.md"
MARKS = ("<!-- validation: python -m tools.validate_timing -->", "<!-- end of validation -->")


@dataclass(frozen=True)
class Point:
    """A model whose time was measured, and what is predicted for it."""

    name: str
    model: str
    measured_ms: float
    found: Estimate

    @property
    def predicted_ms(self) -> float:
        assert self.found.time_ms is not None
        return self.found.time_ms.nominal

    @property
    def ratio(self) -> float:
        return self.predicted_ms / self.measured_ms


def predict(firmware: Firmware, inputs: Path, board: Board, twin: Board) -> Estimate:
    """What a firmware for the twin costs on the board.

    Raises:
        McugenError: it cannot be traced, or the board's time cannot be told.
    """
    trace = record(firmware, twin, [np.load(inputs, allow_pickle=False)], fronts_of([board]))
    return estimate(trace, board, firmware, instructions_of(firmware.elf), twin.name)


def points(path: Path) -> list[Point]:
    """The points of a file, predicted one after the other.

    Raises:
        McugenError: the file is not as described above, or what `predict` raises.
    """
    _, content = read_toml(path, "a list of measured times", ToolError)
    table = Table(path, path.name, content)
    board = load_board(table.text("board"))
    twin = twin_of(board)
    if twin is None:
        raise ToolError(f"no timing of the {board.cpu} is known", where=board.name)
    found = []
    for number, entry in enumerate(content.get("point", []), start=1):
        entry = dict(entry)
        measured_ms = entry.pop("measured_ms", None)
        each = Table(path, f"{path.name}, point {number}", entry)
        name, model = each.text("name"), each.text("model")
        elf, link_map, inputs = (path.parent / each.text(key) for key in ("firmware", "map", "inputs"))
        each.finish()
        if type(measured_ms) not in (int, float) or not 0 < measured_ms < 1e6:
            raise each.error("measured_ms", f"is {short(measured_ms)}, not a number of milliseconds")
        sizes = measure(elf, link_map)
        firmware = Firmware(
            elf.parent, twin.name, elf, link_map, sizes.flash, sizes.ram, sizes.symbols, sizes.toolchain
        )
        found.append(Point(name, model, measured_ms, predict(firmware, inputs, board, twin)))
        print(f"{name}, {model}: {found[-1].predicted_ms:.2f} of {measured_ms:.2f} ms", flush=True)
    return found


def table_of(found: Sequence[Point]) -> str:
    """The page's part: every point, and what they say of the model's error."""
    lines = [
        "| submission (MLPerf Tiny) | model | instructions | measured, ms | predicted, ms | predicted / measured |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for point in found:
        assert point.found.instructions is not None
        lines.append(
            f"| {point.name} | {point.model} | {point.found.instructions:,} | "
            f"{point.measured_ms:.2f} | {point.predicted_ms:.2f} | {point.ratio:.3f} |"
        )
    ratios = [point.ratio for point in found]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    lines += [
        "",
        f"Of {len(ratios)} points the geometric mean is {mean:.3f}, the least {min(ratios):.3f}, the largest "
        f"{max(ratios):.3f}.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 2 where something is wrong with what was given."""
    parser = argparse.ArgumentParser(prog="python -m tools.validate_timing", description=(__doc__ or "").split(":")[0])
    parser.add_argument("points", type=Path, metavar="POINTS.toml")
    parser.add_argument("--write", action="store_true", help="put the table into docs/TIMING.md")
    given = parser.parse_args(arguments)
    try:
        found = points(given.points)
    except McugenError as error:
        print(error, file=sys.stderr)
        return 2
    text = table_of(found)
    print(text)
    if given.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

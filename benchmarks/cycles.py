"""Cycles, time and energy of the models by core, and on the board that MLPerf Tiny's results are mostly from.

    .venv/bin/python benchmarks/cycles.py --write    puts the section into benchmarks/RESULTS.md

By the model of docs/TIMING.md, so with the same figures on every computer with this compiler.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from baseline import MODELS, TARGETS

from mcugen import api
from mcugen.cost.estimate import Estimate
from mcugen.ui.cost import count, rounded

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("MCUGEN_MODELS", HERE.parent.parent / "shared" / "models"))
SOLD = "nucleo-l4r5zi"
BOARDS = {"M4": "mps2-an386", "M3": "mps2-an385", "M0": "microbit"}
"""Cores without wait states: their boards' files say nothing of flash."""

TITLE = "## Cycles by core, and time on a board"

TFLM = {
    "kws": (8.94e6, 9.38e6),
    "vww": (28.4e6, 29.8e6),
    "resnet": (36.8e6, 41.5e6),
    "ad": (726e3, 901e3),
}
"""Of TFLM with CMSIS-NN on M4, without wait states and on the board: the same trace and rules, measured once."""

MEASURED_MS = {"kws": 43.2, "vww": 88.9, "resnet": 165.1, "ad": 5.26}
"""Of X-CUBE-AI 9.0 on the board, MLPerf Tiny round 1.2."""


def estimates(name: str) -> dict[str, Estimate]:
    """What a model costs, by board."""
    found = api.fit(FOLDER / MODELS[name].file, boards=[*BOARDS.values(), SOLD])
    return {each.board: each for each in found.candidates[0].estimates}


def section() -> Iterator[str]:
    """The lines of the section."""
    yield from [TITLE, ""]
    yield (
        "| model | "
        + " | ".join(f"{core}, cycles" for core in BOARDS)
        + (f" | {SOLD}, cycles | ms | mJ | X-CUBE-AI 9.0, measured ms |")
    )
    yield "|---|" + "---:|" * (len(BOARDS) + 4)
    for name in TARGETS:
        found = estimates(name)
        cells = []
        for core, board in BOARDS.items():
            cycles = found[board].cycles
            assert cycles is not None, found[board].why
            cells.append(_beside(cycles.nominal, TFLM[name][0] if core == "M4" else 0))
        sold = found[SOLD]
        assert sold.cycles is not None
        assert sold.time_ms is not None
        assert sold.energy_uj is not None
        low, high = rounded(sold.time_ms.low), rounded(sold.time_ms.high)
        cells.append(_beside(sold.cycles.nominal, TFLM[name][1]))
        cells.append(f"{rounded(sold.time_ms.nominal)} ({low} to {high})")
        cells.append(rounded(sold.energy_uj.nominal / 1000))
        yield f"| {name} | {' | '.join(cells)} | {MEASURED_MS[name]} |"
    yield from [
        "",
        "Nominal cycles by the rules of docs/TIMING.md, by core without wait states; a model, not measured. Behind the "
        "slash: TFLM with CMSIS-NN by the same rules, without wait states and on the board.",
        "",
    ]


def _beside(ours: float, theirs: float) -> str:
    return f"{count(ours)} / {count(theirs)} ({ours / theirs:.2f}×)" if theirs else count(ours)


def main() -> int:
    if not FOLDER.is_dir():
        print(f"skipped: no models in {FOLDER}; MCUGEN_MODELS names their folder", file=sys.stderr)
        return 0
    text = "\n".join(section())
    print(text)
    if "--write" in sys.argv[1:]:
        page = HERE / "RESULTS.md"
        lines = page.read_text(encoding="utf-8").split("\n## ")
        kept = [part for part in lines if not TITLE.endswith(part.split("\n")[0])]
        kept.insert(2, text.removeprefix("## ").rstrip("\n") + "\n")
        page.write_text("\n## ".join(kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the real models may cost: measured on emulated boards, kept in budgets.toml.

    make budgets        measures everything again and writes budgets.toml; commit it if the change is meant

Counts are deterministic, so budgets are exact for the compiler that they name.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen import api

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("budgets.toml")
BOARDS = ("mps2-an385", "mps2-an386", "mps3-an547")
MODELS = {
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "resnet": "pretrainedResnet_quant.tflite",
    "ad": "ad01_int8.tflite",
}
HEADER = """\
# What the real models cost with the default options. Written by `make budgets`; the tests compare exactly.
"""


@dataclass(frozen=True)
class Budget:
    """Instructions of one inference; the rest in bytes. `code` is without weights and harness."""

    instructions: int
    code: int
    weights: int
    arena: int
    stack: int


def measure(path: Path, board: str) -> tuple[Budget, str]:
    """What a model costs on a board, and the compiler that this holds for.

    Raises:
        AssertionError: the device differs from the oracle; then no figure of it means anything.
    """
    proof: Any = api.verify(path, board=board, samples=2)
    assert proof.verdict.bit_exact, f"{path.name} on {board} is not bit-exact"
    flash, ram, cost = proof.firmware.flash, proof.firmware.ram, proof.cost
    budget = Budget(cost.invoke, flash.code, flash.weights, ram.arena, cost.stack)
    return budget, proof.firmware.toolchain


def load() -> tuple[str, dict[tuple[str, str], Budget]]:
    """(compiler, budgets by board and model)."""
    content = tomllib.loads(FILE.read_text())
    budgets = {(board, model): Budget(**content[board][model]) for board in BOARDS for model in MODELS}
    return content["compiler"], budgets


def update(folder: Path) -> str:
    """Measure everything, write the file, and say what changed."""
    before = load()[1] if FILE.exists() else {}
    lines, changes, compiler = [], [], ""
    for board in BOARDS:
        for model, name in MODELS.items():
            budget, compiler = measure(folder / name, board)
            lines += ["", f"[{board}.{model}]"]
            lines += [f"{key} = {value:_}" for key, value in asdict(budget).items()]
            old = before.get((board, model))
            for key, value in asdict(budget).items():
                was = getattr(old, key) if old else value
                if was != value:
                    changes.append(f"{board} {model} {key}: {was:,} → {value:,} ({value / was - 1:+.2%})")
    FILE.write_text("\n".join([HEADER.rstrip(), f'compiler = "{compiler}"', *lines]) + "\n")
    return "\n".join(changes) or "nothing changed"


if __name__ == "__main__":
    print(update(Path(sys.argv[1])))

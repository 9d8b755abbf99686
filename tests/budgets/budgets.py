"""What whole models may cost: measured on emulated boards, kept in budgets.toml.

    make budgets        measures everything again and writes budgets.toml; commit it if the change is meant

Counts are deterministic, so budgets are exact for the compiler that they name. Budgets of the zoo's models are exact
for the bytes of the model too: these follow from float32 arithmetic, which may round otherwise on another computer.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from mcugen import api
from mcugen.cost.rules import core_timing
from mcugen.flow.estimating import OFF
from tests import zoo
from tests.conftest import MODELS as REAL_MODELS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("budgets.toml")
BOARDS = ("microbit", "mps2-an385", "mps2-an386", "mps3-an547")
REAL = {
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "resnet": "pretrainedResnet_quant.tflite",
    "ad": "ad01_int8.tflite",
}
ZOO = {f"zoo_{name}": name for name in ("autoencoder", "ds_cnn", "mobilenet_v1", "resnet", "transformer", "wake_word")}
MODELS = (*REAL, *ZOO)
SMALL = ("kws", "zoo_autoencoder", "zoo_ds_cnn")
"""Those that fit the board with the least RAM."""

CASES = tuple((board, model) for board in BOARDS for model in (SMALL if board == "microbit" else MODELS))
HEADER = """\
# What whole models cost with the default options. Written by `make budgets`; the tests compare exactly.
"""


@dataclass(frozen=True)
class Budget:
    """Nominal cycles and instructions of one inference, the rest in bytes. `code` is without weights and harness.

    Cycles are without wait states, by the timing of the core's manual; 0 where none is published.
    """

    cycles: int
    instructions: int
    code: int
    weights: int
    arena: int
    stack: int


@dataclass(frozen=True)
class Budgets:
    """What budgets.toml holds: what they were measured with, and budgets by board and model."""

    compiler: str
    zoo: dict[str, str]
    by_board: dict[tuple[str, str], Budget]

    def exact_for(self, model: str, compiler: str) -> bool:
        """Whether a model costs what the budget says, to the last byte."""
        return compiler == self.compiler and (model in REAL or self.zoo[model] == digest(model))


def digest(model: str) -> str:
    """Tells one build of a zoo model from another."""
    return hashlib.sha256(zoo.model(ZOO[model])).hexdigest()[:16]


def prove(path: Path, board: str) -> Any:
    """What `verify` says of a model on a board. Six samples have every extreme of the inputs among them.

    Raises:
        AssertionError: the device differs from the oracle, or its figures contradict each other.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(OFF, raising=False)
        proof: Any = api.verify(path, board=board, samples=6)
    assert proof.verdict.bit_exact, f"{path.name} on {board} is not bit-exact"
    assert proof.verdict.output_moves
    assert proof.cost.stack <= proof.firmware.ram.stack
    assert sum(proof.cost.per_op) <= proof.cost.invoke * 1.1 + 1000
    return proof


def measure(path: Path, board: str) -> tuple[Budget, str]:
    """What a model costs on a board, and the compiler that this holds for.

    Raises:
        AssertionError: what `prove` asserts; then no figure means anything.
    """
    proof = prove(path, board)
    flash, ram, cost = proof.firmware.flash, proof.firmware.ram, proof.cost
    found = proof.estimated
    if core_timing(proof.board.cpu) is not None:
        assert found.cycles is not None, found.why
        assert board in found.traced_on
        assert proof.board.timing is None, "these boards' cycles are without wait states"
    cycles = round(found.cycles.nominal) if found.cycles is not None else 0
    budget = Budget(cycles, cost.invoke, flash.code, flash.weights, ram.arena, cost.stack)
    return budget, proof.firmware.toolchain


def load() -> Budgets:
    content = tomllib.loads(FILE.read_text())
    by_board = {(board, model): Budget(**content[board][model]) for board, model in CASES}
    return Budgets(content["compiler"], content["zoo"], by_board)


def update(folder: Path) -> str:
    """Measure everything, write the file, and say what changed. Budgets of real models that are absent stay.

    Raises:
        AssertionError: those were measured with another compiler.
    """
    content: dict[str, Any] = tomllib.loads(FILE.read_text()) if FILE.exists() else {}
    lines, changes, compilers = [], [], set()
    for board, model in CASES:
        before = content.get(board, {}).get(model, {})
        path = folder / REAL[model] if model in REAL else zoo.path(ZOO[model])
        if path.exists():
            measured, compiler = measure(path, board)
            budget = asdict(measured)
        else:
            budget, compiler = before, content["compiler"]
            changes.append(f"{board} {model}: not measured, {path} is absent")
        compilers.add(compiler)
        lines += ["", f"[{board}.{model}]", *(f"{key} = {value:_}" for key, value in budget.items())]
        for key, value in budget.items():
            was = before.get(key, value)
            if was != value:
                changes.append(f"{board} {model} {key}: {was:,} → {value:,} ({value / was - 1:+.2%})")
    assert len(compilers) == 1, f"budgets of several compilers: {sorted(compilers)}"
    built = ["", "[zoo] # the models' sha256", *(f'{model} = "{digest(model)}"' for model in ZOO)]
    FILE.write_text("\n".join([HEADER.rstrip(), f'compiler = "{compilers.pop()}"', *built, *lines]) + "\n")
    return "\n".join(changes) or "nothing changed"


if __name__ == "__main__":
    print(update(REAL_MODELS))

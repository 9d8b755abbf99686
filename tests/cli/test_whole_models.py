"""Whole models, from the file to the verdict: bit-exact where they fit a board, refused where they do not.

All models run on a board of every kind of core, and one on all others; `make bench` runs all on all. What has a budget
is proved where that is measured, with the same samples: tests/budgets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_boards
from mcugen.errors import DoesNotFitError
from tests import zoo
from tests.budgets.budgets import BOARDS as BOARDS_WITH_BUDGETS
from tests.budgets.budgets import MODELS as BUDGETED
from tests.budgets.budgets import REAL as REAL_BUDGETS
from tests.budgets.budgets import ZOO as ZOO_BUDGETS
from tests.budgets.budgets import prove
from tests.cli.conftest import BOARD
from tests.conftest import find_model
from tests.models import both, model_path, real

pytestmark = pytest.mark.emulator

SMALL = "stm32vldiscovery"
ZOO: dict[str, set[str]] = {
    "ds_cnn_16x8": set(),
    "mobilenet_v1": {SMALL},
    "mobilenet_v2": set(),
    "transformer": set(),
    "u_net": set(),
    "wake_word": set(),
}
REAL: dict[str, set[str]] = {
    "kws_ref_model": set(),
    "vww_96_int8": {"microbit", SMALL},
    "pretrainedResnet_quant": {"microbit", SMALL},
    "ad01_int8": {"lm3s6965evb", "microbit", SMALL},
    "micro_speech_quantized": set(),
    "hello_world_int8": set(),
}
FITS_BY_ROWS = {name: {SMALL} for name in ("mobilenet_v2", "u_net", "kws_ref_model")}
"""Model → boards that it fits only because rows flow through its layers."""
DOES_NOT_FIT = {**ZOO, **REAL}
"""Model → boards that it does not fit."""

FLOAT = {
    "pretrainedResnet.h5": (32, 32, 3),
    "kws_ref_model_float32.tflite": (49, 10, 1),
}
"""Model → shape of its input, without the batch."""


EMULATED = [name for name, board in load_boards().items() if board.emulator]
CORES = ("microbit", "mps2-an385", BOARD, "mps3-an547", "qemu-virt-rv32")
"""One of every instruction set that kernels are written for."""
REAL_ON = (BOARD, "mps3-an547")
EVERYWHERE = ("wake_word",)
ON_BUDGETS_BOARDS = ("mobilenet_v1",)
"""Elsewhere its ops are among mobilenet_v2's."""
WITH_A_BUDGET = {ZOO_BUDGETS.get(name, REAL_BUDGETS.get(name, "").removesuffix(".tflite")) for name in BUDGETED}


def chosen(name: str, board: str) -> bool:
    if name in WITH_A_BUDGET and board in BOARDS_WITH_BUDGETS:
        return False
    if name in EVERYWHERE or board in (*DOES_NOT_FIT[name], *FITS_BY_ROWS.get(name, ())):
        return True
    return name not in ON_BUDGETS_BOARDS and board in (CORES if name in ZOO else REAL_ON)


def test_one_board_of_every_core_is_chosen() -> None:
    sets = {load_boards()[name].target().kernels for name in EMULATED}
    assert {load_boards()[name].target().kernels for name in CORES} == sets


@pytest.mark.parametrize(
    ("name", "board"),
    [
        pytest.param(name, board, marks=[real(f"{name}.tflite")] if name in REAL else [], id=f"{name}-{board}")
        for name in DOES_NOT_FIT
        for board in EMULATED
        if chosen(name, board)
    ],
)
def test_int8_models_on_boards(name: str, board: str) -> None:
    if board in DOES_NOT_FIT[name]:
        with pytest.raises(DoesNotFitError, match=r"[0-9,]+ bytes .*, has [0-9,]+"):
            api.verify(model_path(name), board=board)
        return
    prove(model_path(name), board)


@pytest.mark.parametrize("name", both(["resnet", "mobilenet_v1", "svdf"], ["pretrainedResnet_quant"]))
def test_every_layer_of_a_whole_model(name: str) -> None:
    proof = api.verify(model_path(name), board=BOARD, samples=2, layers=True)
    assert proof.verdict.bit_exact
    assert proof.verdict.layers_checked == 2 * len(proof.plan.steps)


@pytest.mark.parametrize("name", ["mobilenet_v2", "transformer"])
def test_float_models_of_the_zoo_end_with_a_verdict(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "samples.npy", zoo.samples(name, 12, seed=3))
    proof = api.deploy(
        zoo.float_path(name), board=BOARD, data=str(tmp_path / "samples.npy"), out=tmp_path / "firmware", samples=4
    )
    assert proof.verdict.bit_exact
    assert proof.trusted


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", [pytest.param(name, marks=real(name)) for name in FLOAT])
def test_real_float_models_end_with_a_verdict(tmp_path: Path, name: str) -> None:
    samples = np.random.default_rng(3).uniform(0, 1, (12, *FLOAT[name])).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    proof = api.deploy(
        find_model(name), board=BOARD, data=str(tmp_path / "samples.npy"), out=tmp_path / "firmware", samples=4
    )
    assert proof.verdict.bit_exact
    assert proof.trusted

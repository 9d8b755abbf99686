"""Whole models, from the file to the verdict: bit-exact where they fit a board, refused where they do not.

All models run on a board of every kind of core, and a few on the others; `make bench` runs all on all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_boards
from mcugen.errors import DoesNotFitError
from tests import zoo
from tests.cli.conftest import BOARD
from tests.conftest import find_model
from tests.models import both, model_path, real

pytestmark = pytest.mark.emulator

SMALL = "stm32vldiscovery"
ZOO: dict[str, set[str]] = {
    "ds_cnn_16x8": set(),
    "mobilenet_v1": {SMALL},
    "mobilenet_v2": {SMALL},
    "transformer": set(),
    "u_net": {SMALL},
    "wake_word": set(),
}
REAL: dict[str, set[str]] = {
    "kws_ref_model": {SMALL},
    "vww_96_int8": {"microbit", SMALL},
    "pretrainedResnet_quant": {"microbit", SMALL},
    "ad01_int8": {"lm3s6965evb", "microbit", SMALL},
    "micro_speech_quantized": set(),
    "hello_world_int8": set(),
}
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
REAL_ON = (BOARD, "mps3-an547", "mps2-an385")
EVERYWHERE = ("wake_word", "micro_speech_quantized")


def chosen(name: str, board: str) -> bool:
    return name in EVERYWHERE or board in DOES_NOT_FIT[name] or board in (CORES if name in ZOO else REAL_ON)


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
    # Six samples have every extreme among them.
    proof = api.verify(model_path(name), board=board, samples=16 if board == BOARD else 6)
    assert proof.verdict.bit_exact
    assert proof.verdict.output_moves
    assert proof.cost.stack <= proof.firmware.ram.stack
    assert sum(proof.cost.per_op) <= proof.cost.invoke * 1.1 + 1000


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

"""Real models, from the file to the verdict, on every board: bit-exact where they fit, refused where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_boards
from mcugen.errors import DoesNotFitError
from tests.cli.conftest import BOARD

pytestmark = pytest.mark.emulator

INT8 = {
    "kws_ref_model.tflite": {"stm32vldiscovery"},
    "vww_96_int8.tflite": {"microbit", "stm32vldiscovery"},
    "pretrainedResnet_quant.tflite": {"microbit", "stm32vldiscovery"},
    "ad01_int8.tflite": {"lm3s6965evb", "microbit", "stm32vldiscovery"},
    "micro_speech_quantized.tflite": set(),
    "hello_world_int8.tflite": set(),
}
"""Model → boards that it does not fit."""

FLOAT = {
    "pretrainedResnet.h5": (32, 32, 3),
    "vww_96.h5": (96, 96, 3),
    "ad01.h5": (640,),
    "kws_ref_model_float32.tflite": (49, 10, 1),
}
"""Model → shape of its input, without the batch."""


@pytest.mark.parametrize("board", [name for name, board in load_boards().items() if board.emulator])
@pytest.mark.parametrize("name", INT8)
def test_int8_models_on_every_board(models_dir: Path, name: str, board: str) -> None:
    if board in INT8[name]:
        with pytest.raises(DoesNotFitError, match=r"[0-9,]+ bytes .*, has [0-9,]+"):
            api.verify(models_dir / name, board=board)
        return
    # Six samples have every extreme among them; `make bench` runs 16 on every board.
    proof = api.verify(models_dir / name, board=board, samples=16 if board == BOARD else 6)
    assert proof.verdict.bit_exact
    assert proof.verdict.output_moves
    assert proof.cost.stack <= proof.firmware.ram.stack
    assert sum(proof.cost.per_op) <= proof.cost.invoke * 1.1 + 1000


def test_every_layer_of_a_real_model(models_dir: Path) -> None:
    proof = api.verify(models_dir / "pretrainedResnet_quant.tflite", board=BOARD, samples=2, layers=True)
    assert proof.verdict.bit_exact
    assert proof.verdict.layers_checked == 2 * len(proof.plan.steps)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", FLOAT)
def test_float_models_end_with_a_verdict(models_dir: Path, tmp_path: Path, name: str) -> None:
    samples = np.random.default_rng(3).uniform(0, 1, (12, *FLOAT[name])).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    proof = api.deploy(
        models_dir / name, board=BOARD, data=str(tmp_path / "samples.npy"), out=tmp_path / "firmware", samples=4
    )
    assert proof.verdict.bit_exact
    assert proof.trusted

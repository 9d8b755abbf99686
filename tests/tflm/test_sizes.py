from __future__ import annotations

from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.builder.fit import check_fit, fit_report
from mcugen.errors import DoesNotFitError
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from mcugen.runtimes.tflm.resolver import INT8_KERNELS, INT16_KERNELS
from mcugen.runtimes.tflm.sizes import CODE_BYTES
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS
from tests.models import real
from tests.tflm.sized import MODELS
from tests.tflm.support import program, real_tflm
from tests.tflm.test_resolver import TWINS

M4F, M55 = "mps2-an386", "mps3-an547"

CODE = {
    # measured with TFLM of August 2026 and CMSIS-NN
    ("ad01_int8", M4F): 27_131,
    ("hello_world_int8", M4F): 27_175,
    ("keyword_scrambled_8bit", M4F): 41_507,
    ("kws_ref_model", M4F): 52_687,
    ("micro_speech_quantized", M4F): 43_419,
    ("okay_nabu", M4F): 67_143,
    ("pretrainedResnet_quant", M4F): 50_507,
    ("trained_lstm_int8", M4F): 43_655,
    ("vww_96_int8", M4F): 52_695,
    ("ad01_int8", M55): 19_137,
    ("kws_ref_model", M55): 44_081,
    ("micro_speech_quantized", M55): 38_761,
    ("pretrainedResnet_quant", M55): 40_809,
    ("keyword_scrambled_8bit", M55): 33_645,
}


SAME_OPS = [(name, board) for name, twin in TWINS.items() for board in (M4F, M55) if (twin, board) in CODE]
"""Models of the zoo whose ops are a measured model's, and so is their code."""


@pytest.mark.parametrize(
    ("name", "board"), [*SAME_OPS, *(pytest.param(name, board, marks=real(name)) for name, board in CODE)]
)
def test_the_estimate_is_good_to_ten_percent(name: str, board: str) -> None:
    assert program(name, board).code_bytes == pytest.approx(CODE[TWINS.get(name, name), board], rel=0.1)


OTHER_OPS = {
    # the same, of models most of which have no FULLY_CONNECTED
    "convolution": 24_939,
    "convolution, int16": 21_643,
    "joined": 23_311,
    "largest": 16_703,
    "leaky": 15_447,
    "logistic": 18_971,
    "separable": 32_775,
    "separable, int16": 24_903,
    "sum": 19_611,
    "sum, int16": 18_747,
}


@pytest.mark.parametrize("name", OTHER_OPS)
def test_the_estimate_of_other_ops_is_good_to_ten_percent(name: str) -> None:
    made = make_program(MODELS[name](), name, load_board(M4F), TflmOptions("", arena_bytes=8192))
    assert made.code_bytes == pytest.approx(OTHER_OPS[name], rel=0.1)


@pytest.mark.emulator
@pytest.mark.parametrize("name", ["convolution, int16", "sum"])
def test_what_was_measured_is_what_a_build_takes(name: str, tmp_path: Path) -> None:
    tflm, path = real_tflm(), tmp_path / "model.tflite"
    path.write_bytes(MODELS[name]())
    made = api.generate(path, board=M4F, out=tmp_path / "p", runtime="tflm", tflm=tflm)
    assert api.build(tmp_path / "p", tflm=tflm).firmware.flash.code == pytest.approx(OTHER_OPS[name], rel=0.02)
    assert made.plan.code_bytes == pytest.approx(OTHER_OPS[name], rel=0.1)  # type: ignore[attr-defined]


def test_kernels_of_int16_alone_take_less_than_those_of_all_types() -> None:
    for kind in INT16_KERNELS.keys() - {"BATCH_MATMUL"}:
        assert CODE_BYTES[f"{kind}**"] < CODE_BYTES[kind]


def test_every_registration_was_measured() -> None:
    known = {*BUILTINS, *CUSTOMS, *(f"{kind}*" for kind in INT8_KERNELS), *(f"{kind}**" for kind in INT16_KERNELS)}
    assert known >= set(CODE_BYTES) >= {*BUILTINS, *CUSTOMS, *(f"{kind}*" for kind in INT8_KERNELS)}


def test_the_code_counts_where_the_flash_is_small() -> None:
    board = load_board("stm32vldiscovery")  # 128 KB of flash
    with pytest.raises(DoesNotFitError, match="flash: needs about"):
        check_fit(program("mobilenet_v1", "stm32vldiscovery"), board)
    fit = fit_report(program("sine", "stm32vldiscovery"), board)
    assert fit.flash_needed <= board.flash.size
    slots = fit_report(program("sine", slot_bytes=4096), load_board("mps2-an386"))
    without = fit_report(program("sine"), load_board("mps2-an386"))
    assert slots.code - without.code == 15_700

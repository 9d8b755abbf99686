"""The models of TFLM's examples and the other real ones, on Cortex-M4F and M55, with a release and a debug build.

Needs MCUGEN_TFLM_DIR; examples are taken from there. Figures go into the report of `pytest --junitxml`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.builder import build_project
from mcugen.device.connecting import open_device
from mcugen.flow.settle import find_arena
from mcugen.formats.emit import emit_project
from mcugen.oracle import make_inputs
from mcugen.oracle.changes import changes_of, reference_date
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.library import Variant, named_checkout, tflm_arch
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from mcugen.verify import verify_device
from mcugen.verify.parted_oracle import open_oracle
from tests.models import both, model_path
from tests.tflm.support import real_tflm

pytestmark = pytest.mark.emulator

on_both = pytest.mark.parametrize("board_name", ["mps2-an386", "mps3-an547"])
of_both_builds = pytest.mark.parametrize("build_type", ["release", "debug"])

MODELS = both(
    ["lstm"],
    [
        "ad01_int8",
        "keyword_scrambled_8bit",  # SVDF
        "kws_ref_model",
        "okay_nabu",
        "pretrainedResnet_quant",
        "trained_lstm_int8",
        "vww_96_int8",
    ],
)
EXAMPLES = (
    "models/person_detect",
    "examples/mnist_lstm/trained_lstm",
    "examples/micro_speech/models/audio_preprocessor_int8",
    "examples/micro_speech/models/audio_preprocessor_float",
)
SEANET = {
    "add": (0, 1, 10, 11, 12, 16),
    "conv": (0, 1, 5, 8, 10, 15, 20),
    "leaky_relu": (0, 5, 13),
    "pad": (0, 5, 18),
    "quantize": (0, 1),
    "strided_slice": (0, 10, 13, 15),
    "sub": (0, 4),
    "transpose_conv": (0, 2, 4),
}
"""30 of the 150 cases of TFLM's integration test, of each op."""

Check = Callable[[Path, str, str], None]


@pytest.fixture
def check(tmp_path: Path, request: pytest.FixtureRequest) -> Check:
    """Checks that the firmware of a model computes what the reference does, layer by layer."""

    def checks(path: Path, board_name: str, build_type: str) -> None:
        tflm, board, data = real_tflm(), load_board(board_name), path.read_bytes()
        variant = Variant(tflm_arch(board), build_type, optimised=True)
        if not (Path(tflm) / variant.archive).is_file():
            pytest.skip(f"MCUGEN_TFLM_DIR has no {variant.archive}")
        made = make_program(data, path.stem, board, TflmOptions(tflm), library=variant.folder)
        emit_project(made, board, tmp_path, model_files=emit_tflm(made))
        firmware = build_project(tmp_path, tflm=tflm)
        inputs = make_inputs(made.graph, 3)
        with open_oracle(data) as oracle, open_device(firmware.elf, board) as device:
            arena = find_arena(device, made.arena_bytes)
            verdict = verify_device(device, made, oracle, inputs, layers=True)
            _, instructions = device.run(inputs[0])
        found = verdict.first_divergent_op
        exact = found is None and verdict.bit_exact
        figures = {"instructions": instructions, "code": firmware.flash.code, "arena": arena, "bit exact": exact}
        request.node.user_properties.extend(figures.items())
        assert verdict.layers_checked > 0
        assert arena <= made.arena_bytes
        if found is not None:
            uses = [(made.graph, made.steps[found.op].op)]
            assert list(changes_of(uses, named_checkout(tflm).date, reference_date())), found

    return checks


@on_both
@of_both_builds
@pytest.mark.parametrize("name", MODELS)
def test_real_models(name: str, build_type: str, board_name: str, check: Check) -> None:
    check(model_path(name), board_name, build_type)


@on_both
@of_both_builds
@pytest.mark.parametrize("name", EXAMPLES)
def test_tflms_examples(name: str, build_type: str, board_name: str, check: Check) -> None:
    check(Path(real_tflm()) / f"tensorflow/lite/micro/{name}.tflite", board_name, build_type)


@on_both
@pytest.mark.parametrize("name", [f"{op}{n}" for op, numbers in SEANET.items() for n in numbers])
def test_cases_of_seanet(name: str, board_name: str, check: Check) -> None:
    folder = Path(real_tflm()) / "tensorflow/lite/micro/integration_tests/seanet" / name.rstrip("0123456789")
    check(folder / f"{name}.tflite", board_name, "release")

"""Float models that stay float32: taken as they are, verified within the tolerance, and told apart from int8."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.errors import ConversionError, DataError
from mcugen.graph.types import DType
from mcugen.runtimes.aot.graph import read_graph
from tests.cli.conftest import BOARD, Cli, float_model, int8_model
from tests.cli.test_errors import assert_error
from tests.schemas import check


def test_a_float_model_is_kept_byte_for_byte() -> None:
    data = float_model()
    converted = convert(data, quantize=False)
    assert converted.tflite == converted.float_tflite == data
    assert (converted.report.quantized, converted.report.int8_bytes) == (False, 0)
    assert converted.report.trusted
    assert {tensor.dtype for tensor in read_graph(converted.tflite).tensors.values()} == {DType.FLOAT32}


def test_quantized_models_and_calibration_data_are_conflicts() -> None:
    with pytest.raises(ConversionError, match="already quantized"):
        convert(int8_model(), quantize=False)
    with pytest.raises(DataError, match="takes no calibration data"):
        convert(float_model(), "random", quantize=False)


@pytest.mark.parametrize("verb", ["generate", "deploy"])
def test_conflicts_write_nothing(cli: Cli, model: Path, tmp_path: Path, verb: str) -> None:
    ran = cli(verb, model, "--no-quantize", "--board", BOARD, "-o", tmp_path / "out")
    assert_error(ran, "already quantized", "--no-quantize")
    assert not (tmp_path / "out").exists()


def test_a_project_has_its_model_already(cli: Cli, project: Path) -> None:
    assert_error(cli("verify", project, "--no-quantize"), "has its model already")


def test_a_project_says_how_it_was_made(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    ran = cli("generate", float_tflite, "--no-quantize", "--board", BOARD, "-o", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["quantization"]["quantized"] is False
    assert ran.json["weights"] == 4 * (24 + 4)
    model = tmp_path / "out" / "lib" / "mcg_model"
    assert f"with: mcugen generate float.tflite --board {BOARD} --no-quantize" in (model / "mcg_model.c").read_text()
    assert (model / "kernels" / "mcg_fully_connected_f32.h").is_file()
    assert "float *in" in (model / "mcg_model.h").read_text()
    assert "-ffp-contract=off" in (model / "library.json").read_text()
    assert "main.c lib/mcg_model/mcg_model.c -o model -lm\n```" in (tmp_path / "out" / "README.md").read_text()
    assert (tmp_path / "out" / "model" / "model.tflite").read_bytes() == float_model()
    assert check(json.loads((tmp_path / "out" / "model" / "quantization.json").read_text()))["quantized"] is False


def test_inspect_shows_either_form(cli: Cli, float_tflite: Path) -> None:
    kept, quantized = cli("inspect", float_tflite, "--no-quantize", "--json"), cli("inspect", float_tflite, "--json")
    assert kept.json["inputs"][0]["dtype"] == "float32"
    assert quantized.json["inputs"][0]["dtype"] == "int8"
    assert (kept.json["quantized_here"], quantized.json["quantized_here"]) == (False, True)
    assert kept.json["ops"][0]["kernels"] == "mcg_fully_connected_f32"


@pytest.mark.emulator
def test_verify_and_run_on_the_emulated_board(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    ran = cli("verify", float_tflite, "--no-quantize", "--board", BOARD, "--json", "-n", 3)
    assert ran.code == 0, ran.err
    verdict = ran.json["verify"]
    assert verdict["passed"] is True
    assert verdict["comparison"]["kind"] == "tolerance"
    assert verdict["comparison"]["worst_error"] <= 1
    inputs = np.random.default_rng(1).normal(size=(2, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", inputs)
    ran = cli(
        "run", float_tflite, "--no-quantize", "--board", BOARD, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy"
    )
    assert ran.code == 0, ran.err
    weights, bias = (t.data for t in read_graph(float_model()).tensors.values() if t.data is not None)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), inputs @ weights.T + bias, rtol=1e-5, atol=1e-6)

"""Keras models of the kinds people deploy: converted, generated, and proved on this computer and an emulated board."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.convert import Converted, convert
from mcugen.oracle import make_inputs
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.conftest import ROOT
from tests.convert.keras_zoo import ZOO, samples
from tests.guard.conftest import in_this_process
from tests.kernels.cores import M4, join, prove_samples
from tests.kernels.single_op import oracle

__all__ = ["in_this_process"]

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

QUANTIZES_WELL = 35.0
"""Signal to quantization noise in dB that every model reaches, on random weights and data."""


@pytest.fixture(scope="module")
def zoo() -> dict[str, Converted]:
    """All models in int8."""
    keras = pytest.importorskip("keras")
    from mcugen.convert.tensorflow_jobs import convert_keras

    converted = {}
    for name, build in ZOO.items():
        keras.utils.set_random_seed(1)
        model = build(keras)
        converted[name] = convert(convert_keras(model), samples(model))
    return converted


def inputs_for(data: bytes) -> list[list[NDArray[Any]]]:
    """Random inputs; those that are indices, within the embedding."""
    drawn = make_inputs(read_graph(data), 4, 0)
    return [[np.mod(a, 20).astype(np.int32) if a.dtype == np.int32 else a for a in sample] for sample in drawn]


@pytest.mark.parametrize("name", ZOO)
def test_int8_is_near_the_float_model(zoo: dict[str, Converted], name: str) -> None:
    for figures in zoo[name].report.agreement:
        assert figures.sqnr_db is None or figures.sqnr_db > QUANTIZES_WELL
    assert not zoo[name].report.warnings


@pytest.mark.parametrize("name", ZOO)
def test_generated_code_equals_the_oracle(zoo: dict[str, Converted], name: str) -> None:
    data = zoo[name].tflite
    given = inputs_for(data)
    with HostModel(make_plan(optimize(read_graph(data)))) as host:
        for sample, expected in zip(given, oracle(data, given), strict=True):
            for got, want in zip(host.run(sample), expected, strict=True):
                np.testing.assert_array_equal(got.reshape(want.shape), want)


@pytest.mark.emulator
def test_on_an_emulated_board(zoo: dict[str, Converted], tmp_path: Path) -> None:
    """All models side by side in one firmware for the Cortex-M4 of mps2-an386."""
    models = [converted.tflite for converted in zoo.values()]
    parts = [inputs_for(model)[:2] for model in models]
    given = [[array for part in parts for array in part[n]] for n in range(2)]
    model = join(models)
    prove_samples(model, given, oracle(model, given), M4, tmp_path)


def test_several_inputs_from_an_npz_file(tmp_path: Path, in_this_process: None) -> None:
    """Calibration data and model are files, the arrays found by the inputs' names."""
    keras = pytest.importorskip("keras")
    model = ZOO["sensor_fusion"](keras)
    model.save(tmp_path / "fusion.keras")
    np.savez(tmp_path / "data.npz", **samples(model))  # type: ignore[arg-type]
    report = convert(tmp_path / "fusion.keras", tmp_path / "data.npz").report
    shapes = {spec.shape for spec in report.inputs}
    assert shapes == {(1, 32, 6), (1, 8, 8, 1), (1, 2)}
    assert (len(report.outputs), report.calibration.samples) == (2, 24)


def test_models_of_keras_2(tmp_path: Path) -> None:
    """tf_keras writes other ops for the same layers."""
    pytest.importorskip("tf_keras")
    names = ("u_net", "transformer")
    script = (
        "import sys, tf_keras, numpy as np\n"
        "from mcugen.convert.tensorflow_jobs import convert_keras\n"
        "from tests.convert.keras_zoo import ZOO, samples\n"
        f"for name in {names!r}:\n"
        "    tf_keras.utils.set_random_seed(1)\n"
        "    model = ZOO[name](tf_keras)\n"
        "    open(f'{sys.argv[1]}/{name}.tflite', 'wb').write(convert_keras(model))\n"
        "    np.savez(f'{sys.argv[1]}/{name}.npz', **samples(model))\n"
    )
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in names:
        converted = convert(tmp_path / f"{name}.tflite", tmp_path / f"{name}.npz")
        assert converted.report.agreement[0].sqnr_db is None or converted.report.agreement[0].sqnr_db > QUANTIZES_WELL
        make_plan(optimize(read_graph(converted.tflite)))

"""Firmware of several models: the host chooses one, and each answers as the oracle does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.builder import build_project
from mcugen.device.connecting import open_device
from mcugen.device.device import WrongFirmwareError
from mcugen.errors import BoardError, DoesNotFitError, ProjectError
from mcugen.flow.ready import built
from mcugen.project.project import load_project
from tests.export.programs import checked, expected, inputs_of
from tests.models import model_bytes, model_path, real
from tests.schemas import check

BOARD = "mps2-an386"
_REAL = ["kws_ref_model", "vww_96_int8"]
PAIRS = [["ds_cnn", "resnet"], pytest.param(_REAL, marks=real(*_REAL))]


def firmware(models: list[str], out: Path, *, share: bool = False) -> api.export:
    return api.export(
        [model_path(name) for name in models],
        format="firmware",
        board=BOARD,
        out=out,
        name=["one", "two"],
        share_arena=share,
    )


@pytest.mark.emulator
@pytest.mark.parametrize("models", PAIRS)
@pytest.mark.parametrize("share", [False, True])
def test_both_models_are_verified(models: list[str], share: bool, tmp_path: Path) -> None:
    exported = firmware(models, tmp_path / "fw", share=share)
    check(json.loads((tmp_path / "fw" / "mcugen.json").read_text()), "manifest")
    for name, model in zip(("one", "two"), models, strict=True):
        proof = api.verify(f"{tmp_path / 'fw'}:{name}", samples=2, layers=not share)
        assert proof.verdict.bit_exact
        assert proof.to_dict()["model"]["sha256"] == proof.ready.project.manifest.model_sha256
        assert proof.ready.model.data == model_bytes(model)
        assert proof.firmware.ram.arena == exported.arena
        assert proof.cost.unit == "instructions"
        assert proof.cost.invoke > 10_000


@pytest.mark.emulator
def test_one_device_changes_its_model(tmp_path: Path) -> None:
    """Also back again, after a reset, and after the connection was lost; an unknown model is refused."""
    models = ["wake_word", "ds_cnn"]  # the first keeps a state
    firmware(models, tmp_path / "fw")
    inputs = [inputs_of(model_bytes(name), 2) for name in models]
    answers = [expected(model_bytes(name), given) for name, given in zip(models, inputs, strict=True)]
    project = load_project(tmp_path / "fw")
    hashes = [project.manifest.model_sha256, project.manifest.others[0].model_sha256]
    elf = build_project(tmp_path / "fw").elf

    def right(device: object, which: int) -> bool:
        device.select_model(hashes[which])
        device.forget()
        given, wanted = inputs[which], answers[which]
        found = [device.run(sample)[0] for sample in given]
        return all(np.array_equal(a, b) for x, y in zip(found, wanted, strict=True) for a, b in zip(x, y, strict=True))

    with open_device(elf, load_board(BOARD), model_sha256=hashes[1]) as device:
        assert device.hello.models == 2
        assert device.hello.model_sha256 == hashes[1]
        assert all(right(device, which) for which in (1, 0, 1, 0))
        device.reset()
        assert device.hello.model_sha256 == hashes[0], "a reset device runs its first model"
        assert right(device, 1)
        device.reconnect()
        assert device.hello.model_sha256 == hashes[1], "the same model as before"
        device.inputs, device.outputs = device.tensors()
        assert right(device, 1)
        with pytest.raises(WrongFirmwareError, match="none of the device's 2 models"):
            device.select_model("0" * 64)
        assert right(device, 0)


@pytest.mark.emulator
def test_run_takes_a_model_of_the_firmware(tmp_path: Path) -> None:
    firmware(["ds_cnn", "resnet"], tmp_path / "fw")
    given = inputs_of(model_bytes("resnet"), 2)
    wanted = expected(model_bytes("resnet"), given)
    ran = api.run(f"{tmp_path / 'fw'}:two", inputs=np.concatenate([sample[0] for sample in given]))
    assert np.array_equal(np.concatenate([sample[0] for sample in wanted]), ran.outputs[0])


@pytest.mark.emulator
def test_the_plugin_takes_a_model_of_the_firmware(tmp_path: Path) -> None:
    firmware(["ds_cnn", "resnet"], tmp_path / "fw")
    (tmp_path / "test_it.py").write_text(
        "import numpy as np\n\n"
        "def test_it(mcugen_device, mcugen_oracle):\n"
        "    x = np.full(mcugen_device.device.inputs[0].shape, 7, np.int8)\n"
        "    assert mcugen_device.run(x) == mcugen_oracle(x)\n"
    )
    model = f"--mcugen-model={tmp_path / 'fw'}:two"
    checked([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", model, "test_it.py"], tmp_path)


@pytest.mark.emulator
def test_the_monitor_takes_a_model_of_the_firmware(tmp_path: Path) -> None:
    firmware(["ds_cnn", "resnet"], tmp_path / "fw")
    record = tmp_path / "run.csv"
    api.monitor(f"{tmp_path / 'fw'}:two", count=2, record=record)
    assert load_project(tmp_path / "fw").manifest.others[0].model_sha256[:12] in record.read_text()


def test_a_model_must_be_named(tmp_path: Path) -> None:
    firmware(["ds_cnn", "resnet"], tmp_path / "fw")
    with pytest.raises(ProjectError, match="holds 2 models"), built(tmp_path / "fw", None):
        pass
    with pytest.raises(ProjectError, match="has no model 'three'"), built(f"{tmp_path / 'fw'}:three", None):
        pass


def test_what_firmware_refuses(tmp_path: Path) -> None:
    one, two = model_path("ds_cnn"), model_path("resnet")
    out = tmp_path / "out"
    with pytest.raises(ProjectError, match="another verb's"):
        api.export(one, format="firmware", board=BOARD, out=out)
    with pytest.raises(BoardError, match="made for a board"):
        api.export([one, two], format="firmware", core="cortex-m4f", out=out)
    with pytest.raises(ProjectError, match="one instance of each"):
        api.export([one, two], format="firmware", board=BOARD, out=out, context=True)
    with pytest.raises(DoesNotFitError, match=r"does not fit|do not fit"):
        api.export([one, two], format="firmware", board="stm32vldiscovery", out=out)
    assert not out.exists()

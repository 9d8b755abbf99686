from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcugen import api
from mcugen.errors import DeviceError, ModelError, ProjectError, ToolError
from mcugen.runtimes.tflm.library import TFLM_DIR
from mcugen.runtimes.tflm.strip import strip_model
from tests import zoo
from tests.models import both, model_path
from tests.schemas import check
from tests.tflm.support import real_tflm, running
from tests.tflm.test_firmware import retrained


def hello() -> Path:
    return zoo.path("sine")


def test_without_tflm_the_project_is_written_and_build_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TFLM_DIR, raising=False)
    made = api.generate(hello(), board="mps2-an386", out=tmp_path / "p", runtime="tflm")
    facts = check(made.to_dict())
    assert facts["runtime"] == "tflm"
    assert facts["tflm"]["int8_only"] == ["FULLY_CONNECTED"]
    assert facts["tflm"]["saved"] == len(zoo.model("sine")) - len(strip_model(zoo.model("sine"))) > 0
    assert {"lib/mcg_model/mcg_model.cc", "lib/mcg_model/mcg_model_data.cc"} <= set(facts["files"])
    readme = (tmp_path / "p" / "README.md").read_text()
    assert "TARGET_ARCH=cortex-m4+fp OPTIMIZED_KERNEL_DIR=cmsis_nn BUILD_TYPE=release microlite" in readme
    with pytest.raises(ToolError, match=r"MCUGEN_TFLM_DIR.*make -f tensorflow/lite/micro/tools/make/Makefile"):
        api.build(tmp_path / "p")


@pytest.mark.parametrize("name", both(["wake_word"], ["okay_nabu"]))
def test_a_model_with_state_in_subgraphs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TFLM_DIR, raising=False)
    made = api.generate(model_path(name), board="mps2-an386", out=tmp_path / "p", runtime="tflm")
    assert made.to_dict()["tflm"]["registered_ops"] == 13


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"runtime": "tflm", "optimize": "size"}, "`optimize` applies"),
        ({"model_slot": 4096}, 'Add `runtime="tflm"`'),
        ({"keep_names": True}, 'Add `runtime="tflm"`'),
        ({"arena": 4096}, 'Add `runtime="tflm"`'),
        ({"runtime": "tflm", "arena": -1}, "negative"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], what: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=what):
        api.generate(hello(), board="mps2-an386", out=tmp_path / "p", **options)


def test_a_project_knows_its_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TFLM_DIR, raising=False)
    api.generate(hello(), board="mps2-an386", out=tmp_path / "p", runtime="tflm")
    with pytest.raises(ProjectError, match='generated with `runtime="tflm"`'):
        api.verify(tmp_path / "p", runtime="aot")


@pytest.mark.emulator
def test_push_from_the_command_line(tmp_path: Path) -> None:
    tflm = real_tflm()
    api.generate(hello(), board="mps2-an386", out=tmp_path / "p", runtime="tflm", tflm=tflm, model_slot=4096)
    firmware = api.build(tmp_path / "p", tflm=tflm).firmware
    new = tmp_path / "new.tflite"
    new.write_bytes(retrained(zoo.model("sine")))
    with running(firmware.elf) as url:
        done = subprocess.run(
            [sys.executable, "-m", "mcugen", "push", str(new), "--port", url, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        facts = check(json.loads(done.stdout))
        assert (facts["schema"], facts["slot"], facts["board"]) == ("mcugen.push/1", 4096, "mps2-an386")
        with pytest.raises(ModelError, match=r"the model's input is int8\[1, 490\], the firmware's int8\[1, 1\]"):
            api.push(zoo.path("speech"), port=url)


@pytest.mark.emulator
def test_the_arena_is_found_on_a_flashed_device(tmp_path: Path) -> None:
    tflm, folder = real_tflm(), tmp_path / "p"
    bound = api.generate(hello(), board="mps2-an386", out=folder, runtime="tflm", tflm=tflm).plan.arena_bytes
    with running(api.build(folder, tflm=tflm).firmware.elf) as url:
        proof = api.verify(folder, port=url, samples=2, tflm=tflm)
        assert proof.exit_code == 0
        assert proof.plan.arena_bytes == bound
        (told,) = (warning for warning in proof.warnings if "suffices" in warning)
        assert "built again" in told
        with pytest.raises(DeviceError, match=r"another firmware.*Flash this firmware"):
            api.verify(folder, port=url, samples=2, tflm=tflm)
    with running(api.build(folder, tflm=tflm).firmware.elf) as url:
        again = api.verify(folder, port=url, samples=2, tflm=tflm)
    assert again.exit_code == 0
    assert again.plan.arena_exact
    assert again.plan.arena_bytes < bound
    assert f"{again.plan.arena_bytes:,} bytes suffices" in told
    assert not any("suffices" in warning for warning in again.warnings)


@pytest.mark.emulator
def test_a_firmware_without_slot_takes_no_model(tmp_path: Path) -> None:
    tflm = real_tflm()
    api.generate(hello(), board="mps2-an386", out=tmp_path / "p", runtime="tflm", tflm=tflm)
    firmware = api.build(tmp_path / "p", tflm=tflm).firmware
    with running(firmware.elf) as url, pytest.raises(DeviceError, match=r"cannot be replaced.*`model_slot=BYTES`"):
        api.push(hello(), port=url)

"""What a real board lacks is said before the work, and what is done by then is not lost."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from mcugen import api
from mcugen.cli import run
from mcugen.errors import DeviceError, McugenError, ProjectError, ToolError
from mcugen.flash import usb
from mcugen.flow.estimating import OFF
from mcugen.flow.tools import still_built
from mcugen.resources import resource_dir
from tests.cli.conftest import Cli, cli, int8_model
from tests.flash.fakes import fake_ports, fake_tool
from tests.schemas import check

__all__ = ["cli"]

NO_MODEL = "there is no such model.keras"
"""Never read: what is missing is found before."""
BOARD = "nucleo-f446re"


@pytest.fixture
def computer(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer that has a compiler and neither probes nor ports."""
    fake_tool(bin_dir, "arm-none-eabi-gcc")
    fake_ports(monkeypatch, [])
    (bin_dir / "usb").mkdir()
    monkeypatch.setattr(usb, "SYSFS", bin_dir / "usb")
    return bin_dir


def test_a_missing_compiler(bin_dir: Path) -> None:
    with pytest.raises(ToolError, match=r"arm-none-eabi-gcc was not found. Install it"):
        api.deploy(NO_MODEL, board="mps2-an386")
    assert list(bin_dir.iterdir()) == []


@pytest.mark.usefixtures("computer")
def test_a_missing_emulator() -> None:
    with pytest.raises(ToolError, match=r"qemu-system-arm was not found. Install it"):
        api.deploy(NO_MODEL, board="mps2-an386")


@pytest.mark.usefixtures("computer")
def test_a_missing_flash_tool() -> None:
    with pytest.raises(
        ToolError,
        match=r"openocd and pyocd are not installed. Install one of them: .*pip install pyocd. Without the board: "
        r'`flash=False` writes and builds the project, `emulator="renode"` runs it in Renode$',
    ):
        api.deploy(NO_MODEL, board=BOARD)


@pytest.mark.emulator
@pytest.mark.skipif(shutil.which("openocd") is not None, reason="OpenOCD is installed: it would look for a probe")
def test_with_a_limit_a_model_that_is_too_slow_is_told_first(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(OFF, raising=False)
    (tmp_path / "small.tflite").write_bytes(int8_model())

    def deployed(*options: str) -> tuple[int, str]:
        ran = cli("deploy", "small.tflite", "--board", "nucleo-l4r5zi", "-o", "out", "--force", *options, cwd=tmp_path)
        return ran.code, " ".join((ran.out + ran.err).split())

    code, said = deployed("--max-ms", "0.0001")
    assert code == 1
    assert re.search(r"✖ an inference takes about [\d.]+ ms, 0.0001 ms are allowed \(--max-ms\)$", said)
    code, said = deployed("--max-ms", "1000")
    assert code == 2, "that it is fast enough is no proof that it is right"
    assert "openocd and pyocd are not installed" in said
    assert "The project is written and built in out" in said
    code, said = deployed("--max-ms", "1000", "--no-flash")
    assert code == 0
    assert re.search(r"✔ an inference takes about [\d.]+ ms, 1000 ms are allowed \(--max-ms\)$", said)


@pytest.mark.usefixtures("computer")
def test_without_a_timing_the_missing_tool_is_all_that_is_said(tmp_path: Path) -> None:
    known, _timing, _ = (resource_dir("boards") / f"{BOARD}.toml").read_text().partition("[timing]")
    (tmp_path / "untimed.toml").write_text(known)
    with pytest.raises(ToolError, match="openocd and pyocd are not installed"):
        api.deploy(NO_MODEL, board=str(tmp_path / "untimed.toml"), max_ms=4)


def test_a_missing_probe(computer: Path) -> None:
    fake_tool(computer, "openocd")
    with pytest.raises(DeviceError, match=r"no debug probe was found. Connect the USB .* Without the board: `flash=Fa"):
        api.deploy(NO_MODEL, board=BOARD)


def test_where_probes_cannot_be_listed_none_is_missed(computer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(computer, "openocd")
    monkeypatch.setattr(usb, "SYSFS", computer / "no sysfs here")
    with pytest.raises(McugenError, match="there is no such model"):
        api.deploy(NO_MODEL, board=BOARD)


@pytest.mark.usefixtures("computer")
def test_a_missing_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcugen.flow.tools.require_build_tools", lambda board, where: None)
    with pytest.raises(
        DeviceError, match=r"no serial port of this board was found .* Without the board: `flash=False`"
    ):
        api.deploy(NO_MODEL, board="nano33ble")


@pytest.mark.usefixtures("computer")
def test_the_command_line_says_it_in_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", NO_MODEL, "--board", BOARD]) == 2
    said = capsys.readouterr().err
    assert "Without the board: --no-flash writes and builds the project, --emulator renode runs it" in said


@pytest.mark.usefixtures("computer")
def test_a_board_that_is_named_is_not_left_alone() -> None:
    with pytest.raises(ProjectError, match=r"`flash=False` leaves the board alone, so it takes no `port`"):
        api.deploy(NO_MODEL, board=BOARD, flash=False, port="/dev/ttyACM0")
    with pytest.raises(ProjectError, match=r"`report`: a report is about a firmware that ran"):
        api.deploy(NO_MODEL, board=BOARD, flash=False, report="r.html")


@pytest.mark.emulator
def test_without_flashing_the_project_is_written_and_built(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(int8_model())
    ran = cli("deploy", "small.tflite", "--board", BOARD, "--no-flash", "-o", "my out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "my out" / ".pio" / "build" / BOARD / "firmware.elf").is_file()
    assert "It was not run: the board was left alone." in " ".join(ran.out.split())
    assert "next     mcugen flash 'my out', with the board connected" in ran.out
    assert "! nothing ran on a device, so nothing is proved" in ran.out
    assert "verify" not in ran.out, "there is nothing to verify it with"
    assert ran.out.splitlines()[-1] == "✔ written and built in my out"

    proof = api.deploy(tmp_path / "small.tflite", board=BOARD, flash=False, out=tmp_path / "my out")
    facts = check(json.loads(json.dumps(proof.to_dict())))
    assert (facts["cost"], facts["verify"], facts["ram"]["stack"], proof.exit_code) == (None, None, None, 0)
    for of_the_device in ("cost", "verdict"):
        with pytest.raises(
            DeviceError, match=rf"nothing ran, so there is no {of_the_device}. Flash the board: `api.fl"
        ):
            getattr(proof, of_the_device)


def test_the_project_survives_a_failed_flash() -> None:
    error = still_built(DeviceError("no answer", where=BOARD, hint="Plug it in"), Path("my out"), "/dev/ttyACM0")
    assert str(error) == (
        f"{BOARD}: no answer. Plug it in. The project is written and built in my out. To try again: "
        "`api.flash('my out', port='/dev/ttyACM0')`"
    )

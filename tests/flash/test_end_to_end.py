"""From a model to a flashed board and its verdict. The pretended pyOCD starts what it is given in an emulator, whose
UART is a terminal device: a serial port as far as mcugen sees it."""

from __future__ import annotations

import os
import shutil
import signal
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcugen import api
from mcugen.errors import DeviceError
from mcugen.flash import flash as flash_module
from tests.cli.conftest import Cli, cli, int8_model
from tests.flash.fakes import FakeTool, fake_ports, fake_tool

__all__ = ["cli"]

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"),
    pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"),
]

PROBES = '{"boards": [{"unique_id": "9900"}], "status": 0}'
START = """
    import re, subprocess, time
    if sys.argv[1] == "json":
        print({probes!r})
        sys.exit(0)
    if os.path.exists({folder!r} + "/pid"):
        os.kill(int(open({folder!r} + "/pid").read()), 9)
    qemu = subprocess.Popen(
        [{qemu!r}, "-M", "microbit", "-icount", "shift=8,align=off,sleep=off", "-display", "none", "-monitor", "none",
         "-serial", "pty", "-kernel", {elf} or sys.argv[-1]],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )
    open({folder!r} + "/pid", "w").write(str(qemu.pid))
    terminal = re.search(r"/dev/\\S+", qemu.stdout.readline()).group()
    if os.path.lexists({folder!r} + "/port"):
        os.unlink({folder!r} + "/port")
    os.symlink(terminal, {folder!r} + "/port")
"""


@dataclass(frozen=True)
class Bench:
    """A board on a bench. `port` exists while a firmware runs."""

    folder: Path
    pyocd: FakeTool

    @property
    def port(self) -> str:
        return str(self.folder / "port")

    @property
    def flashed(self) -> int:
        return sum(call[0] == "flash" for call in self.pyocd.calls)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    folder = tmp_path / "bench"
    folder.mkdir()
    bench = Bench(folder, pyocd(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    fake_ports(monkeypatch, [])
    yield bench
    if (folder / "pid").exists():
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


def pyocd(folder: Path, elf: Path | None = None) -> FakeTool:
    """The pretended pyOCD. With `elf` it writes that firmware, whatever it is given."""
    body = START.format(
        probes=PROBES, folder=str(folder), qemu=shutil.which("qemu-system-arm"), elf=repr(str(elf) if elf else "")
    )
    return fake_tool(folder, "pyocd", body=textwrap.dedent(body))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(int8_model())
    return path


def test_deploy_then_verify_then_flash_again(cli: Cli, bench: Bench, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    ran = cli("deploy", model, "--board", "microbit", "-o", out, "--port", bench.port, "--samples", "3", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verify"]["bit_exact"] is True
    assert ran.json["emulated"] is False
    assert bench.pyocd.calls[-1][:6] == ["flash", "--no-wait", "--target", "nrf51822", "--uid", "9900"]
    verified = cli("verify", out, "--port", bench.port, "--samples", "1")
    assert verified.code == 0, verified.err
    assert bench.flashed == 1, "verify does not flash"
    flashed = cli("flash", out, "--port", bench.port, "--json")
    assert flashed.code == 0, flashed.err
    facts = flashed.json
    assert bench.flashed == 2
    assert (facts["schema"], facts["board"], facts["tool"], facts["probe"]) == (
        "mcugen.flash/1",
        "microbit",
        "pyocd",
        "9900",
    )
    assert facts["checked"] is True
    assert facts["model"]["sha256"] == ran.json["model"]["sha256"]
    shown = cli("flash", out, "--port", bench.port)
    assert shown.out.splitlines()[-1] == f"✔ microbit at {bench.port} runs this firmware"


def test_a_stale_firmware_is_never_taken_for_the_new_one(bench: Bench, model: Path, tmp_path: Path) -> None:
    """The tool reports success, but the board runs what it ran before."""
    stale = tmp_path / "stale"
    api.generate(model, board="microbit", out=stale)
    (stale / "src" / "main.c").write_text((stale / "src" / "main.c").read_text() + "\nint mcg_other = 1;\n")
    elf = api.build(stale).firmware.elf
    pyocd(bench.folder, elf)
    fresh = tmp_path / "fresh"
    api.generate(model, board="microbit", out=fresh)
    with pytest.raises(DeviceError, match=r"runs another firmware .*, although pyocd reported success"):
        api.flash(fresh, port=bench.port)


def test_a_board_that_does_not_come_back(
    bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flash_module, "RESTART_S", 0.5)
    fake_tool(bench.folder, "pyocd", body=f"if sys.argv[1] == 'json':\n    print({PROBES!r})\n    sys.exit(0)")
    out = tmp_path / "firmware"
    api.generate(model, board="microbit", out=out)
    with pytest.raises(DeviceError, match=r"flashed with pyocd, but does not answer: .*cannot be opened.*reset button"):
        api.flash(out, port=bench.port)


def test_firmware_of_another_protocol_is_flashed_unchecked(bench: Bench, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    api.generate(model, board="microbit", out=out, protocol="mlperf")
    assert api.flash(out, port=bench.port).checked is False
    assert bench.flashed == 1


def test_what_is_no_project_is_refused(cli: Cli, tmp_path: Path) -> None:
    ran = cli("flash", tmp_path)
    assert ran.code == 2
    assert "is not a project of mcugen's" in ran.err
    assert "mcugen deploy MODEL" in ran.err

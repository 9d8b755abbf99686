from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_boards
from mcugen.builder import platformio
from mcugen.errors import McugenError
from mcugen.flow import doctor as doctor_module
from mcugen.flow.doctor import Finding, doctor


def by_name() -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor()}


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


def test_each_tool_says_what_needs_it_and_how_to_get_it() -> None:
    findings = doctor()
    assert len({finding.name for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.needed_for
        assert finding.install
        assert not (finding.found and finding.problem)


def test_it_stays_away_from_tensorflow() -> None:
    loaded = "tensorflow" in sys.modules
    doctor()
    assert ("tensorflow" in sys.modules) == loaded


def test_nothing_installed_is_no_error(bin_dir: Path) -> None:
    findings = by_name()
    for name in ("arm-none-eabi-gcc", "qemu-system-arm", "host C compiler", "openocd"):
        assert not findings[name].found, name
        assert findings[name].path == ""
    assert "gcc-arm-none-eabi libnewlib-arm-none-eabi" in findings["arm-none-eabi-gcc"].install
    assert findings["arm-none-eabi-gcc"].required
    assert not findings["openocd"].required


@pytest.mark.parametrize(
    ("system", "apt", "says"),
    [
        ("Linux", True, "sudo apt-get install qemu-system-arm"),
        ("Linux", False, "package manager (on Debian the packages are qemu-system-arm)"),
        ("Darwin", False, "brew install qemu"),
    ],
)
def test_the_way_to_install_is_this_systems(
    system: str, apt: bool, says: str, bin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_module.platform, "system", lambda: system)
    if apt:
        fake(bin_dir, "apt-get", "exit 0")
    assert says in by_name()["qemu-system-arm"].install


def test_a_compiler_without_newlib_is_not_good(bin_dir: Path) -> None:
    fake(
        bin_dir,
        "arm-none-eabi-gcc",
        'case "$*" in *--version*) echo "arm-none-eabi-gcc (15:9.1-1) 9.2.1 2019";;'
        ' *-E*) echo "fatal error: string.h: No such file"; exit 1;; esac',
    )
    finding = by_name()["arm-none-eabi-gcc"]
    assert not finding.found
    assert finding.version == "9.2.1"
    assert "newlib" in finding.problem


def test_a_compiler_without_a_cores_library_names_the_boards(bin_dir: Path) -> None:
    fake(
        bin_dir,
        "arm-none-eabi-gcc",
        'case "$*" in *cortex-m55*-print-file-name*) echo libc_nano.a;;'
        " *-print-file-name*) echo /lib/libc_nano.a;; esac",
    )
    problem = by_name()["arm-none-eabi-gcc"].problem
    assert problem == "it has no C library for the cores of cortex-m55, mps3-an547, mps3-an547-ddr"


def test_an_emulator_without_a_machine_names_it(bin_dir: Path) -> None:
    machines = [b.emulator.machine for b in load_boards().values() if b.emulator and b.name != "microbit"]
    fake(bin_dir, "qemu-system-arm", "\n".join(f'echo "{machine}   some machine"' for machine in machines))
    assert by_name()["qemu-system-arm"].problem == "it does not support the machines microbit (board microbit)"


def test_tools_that_crash_or_hang_are_reported(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "_SECONDS", 0.3)
    monkeypatch.setattr("mcugen.cost.plugin._SECONDS", 0.3)
    (bin_dir / "openocd").write_text("not a program")
    (bin_dir / "openocd").chmod(0o755)
    fake(bin_dir, "qemu-system-arm", "while :; do :; done")
    findings = by_name()
    assert "Exec format error" in findings["openocd"].problem
    assert "TimeoutExpired" in findings["qemu-system-arm"].problem
    assert not findings["openocd"].found


def test_a_scons_of_another_version_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = platformio.Versions("6.9.0", "4.11.1", "~4.49900.0")
    monkeypatch.setattr(platformio, "installed_versions", lambda: versions)
    finding = by_name()["platformio"]
    assert not finding.found
    assert "asks for tool-scons" in finding.problem


def test_broken_boards_do_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise McugenError("no boards")

    monkeypatch.setattr(doctor_module, "load_boards", broken)
    assert by_name()["platformio"].found

"""What other systems lack of Linux, simulated: processes, locks, and the emulator's link on macOS and Windows.

What runs here runs for real (QEMU over TCP, the watching process of macOS, the reference that is no copy); Windows'
own modules and programs are stand-ins.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mcugen import children
from mcugen.boards.shipped import load_board
from mcugen.builder import in_use, locks
from mcugen.device import emulated
from mcugen.device.connecting import open_device
from mcugen.device.emulated import EmulatedBoard
from mcugen.device.ports import open_port
from mcugen.emulators import qemu
from mcugen.emulators.types import Launch
from mcugen.errors import DeviceError, ProjectError
from mcugen.oracle import Oracle, copies
from mcugen.oracle import oracle as oracles
from tests.cli.conftest import int8_model
from tests.device.build import build_double, double_answer

BOARD = load_board("mps2-an386")


class Windows:
    """`os` as Windows has it, for a module that asks for its name."""

    name = "nt"

    def __getattr__(self, name: str) -> Any:
        if name in ("fork", "killpg", "getpgrp", "getppid"):
            raise AttributeError(name)
        return getattr(os, name)


class Msvcrt:
    """Windows' locks of bytes: one holder each, mandatory, gone with the open file."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.held: dict[int, int] = {}  # byte: file descriptor

    def locking(self, descriptor: int, kind: int, count: int) -> None:
        assert kind == self.LK_NBLCK
        first = os.lseek(descriptor, 0, os.SEEK_CUR)
        wanted = range(first, first + count)
        if any(place in self.held for place in wanted):
            raise PermissionError(13, "Permission denied")
        self.held.update(dict.fromkeys(wanted, descriptor))

    def closed(self, descriptor: int) -> None:
        self.held = {place: holder for place, holder in self.held.items() if holder != descriptor}


@pytest.fixture
def windows_locks(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    found = Msvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", found)  # type: ignore[arg-type]
    monkeypatch.setattr(locks, "os", Windows())
    return found


def test_locks_of_windows(windows_locks: Msvcrt, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a") as one, (tmp_path / "lock").open("a") as other:
        locks.try_to_lock(one, shared=True)
        locks.try_to_lock(other, shared=True)
        assert len(windows_locks.held) == 2
        with (tmp_path / "lock").open("a") as third:
            with pytest.raises(BlockingIOError, match="somebody else"):
                locks.try_to_lock(third)
            windows_locks.closed(one.fileno())
            windows_locks.closed(other.fileno())
            locks.try_to_lock(third)
            with pytest.raises(BlockingIOError, match="somebody else"):
                locks.try_to_lock(one, shared=True)


def test_a_folder_in_use_on_windows(windows_locks: Msvcrt, tmp_path: Path) -> None:
    with in_use.using(tmp_path):
        with in_use.using(tmp_path):
            pass
        with (
            pytest.raises(ProjectError, match="another mcugen is using this folder"),
            in_use.using(tmp_path, writing=True),
        ):
            pass


def test_nothing_is_imported_that_windows_lacks() -> None:
    """POSIX modules are asked for where they are used, and only there."""
    script = "import sys\nfor name in ('fcntl', 'termios', 'pwd', 'grp', 'resource', 'pty'): sys.modules[name] = None\n"
    script += "import mcugen.cli, mcugen.api, mcugen.oracle.oracle, mcugen.verbs.deploy, mcugen.flash, mcugen.monitor"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_programs_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(children, "os", Windows())
    monkeypatch.setattr(children.subprocess, "run", lambda command, **_: asked.append(command))
    assert children.dying_with_us(["program", "x"], in_group=True) == ["program", "x"]
    assert children.group_of_its_own() == {"creationflags": 0x200}
    killed: list[bool] = []
    process: Any = SimpleNamespace(pid=42, poll=lambda: None, kill=lambda: killed.append(True))
    children.end_tree(process)
    assert asked == [["taskkill", "/F", "/T", "/PID", "42"]]
    assert killed == [True]


def ends(pid: int) -> bool:
    for _ in range(6000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "XZ":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_programs_end_with_us_on_macos(tmp_path: Path) -> None:
    """Nothing reports a parent's death there: the process between looks for it."""
    told = tmp_path / "pid"
    program = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    ours = f"""
import subprocess, sys
from mcugen import children
children.sys = type("sys", (), {{"platform": "darwin", "executable": sys.executable}})
command = children.dying_with_us([sys.executable, "-c", {program!r}], in_group=True)
subprocess.Popen(command, **children.group_of_its_own())
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", ours], stdin=subprocess.PIPE) as user:
        for _ in range(6000):
            if told.is_file() and told.read_text():
                break
            time.sleep(0.01)
        user.kill()
    assert ends(int(told.read_text()))


def test_what_a_program_of_macos_ends_with_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "sys", SimpleNamespace(platform="darwin", executable=sys.executable))
    for program, code in (([sys.executable, "-c", "raise SystemExit(3)"], 3), (["/nowhere/program"], 126)):
        with children.running_tree(program, stdout=subprocess.DEVNULL) as process:
            assert process.wait() == code
    assert children.dying_with_us(["program"]) == ["program"]  # a group is needed to end both


def test_a_reference_that_is_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tflite_micro")
    monkeypatch.setattr(oracles, "can_copy", lambda: False)
    x = np.zeros((1, 6), np.int8)
    with Oracle(int8_model(), engine="tflite-micro") as fresh:
        assert isinstance(fresh._process, copies.Fresh)
        pid, answer = fresh._process.pid, fresh.run([x])[0]
    assert ends(pid)
    monkeypatch.undo()
    with Oracle(int8_model(), engine="tflite-micro") as copy:
        np.testing.assert_array_equal(copy.run([x])[0], answer)


@pytest.mark.parametrize(("system", "possible"), [("darwin", False), ("win32", False), ("linux", True)])
def test_only_linux_copies(system: str, possible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "sys", SimpleNamespace(platform=system))
    assert copies.can_copy() is possible


@pytest.mark.emulator
def test_qemu_comes_to_a_port_of_ours_on_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elf = build_double(BOARD, tmp_path)
    monkeypatch.setattr(qemu, "os", Windows())
    with EmulatedBoard(elf, BOARD) as running:
        assert Path(f"/proc/{running.pid}/cmdline").read_bytes().count(b"socket,id=link,host=127.0.0.1,port=") == 1
    sample = np.arange(64, dtype=np.int8).reshape(1, 64)
    with open_device(elf, BOARD) as device:
        np.testing.assert_array_equal(device.run([sample])[0][0], double_answer(sample))


def test_an_emulator_that_does_not_come(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.elf").touch()
    launch = Launch(lambda port: [sys.executable, "-c", "import time; time.sleep(600)"], "listener", start_seconds=0.3)
    chosen = SimpleNamespace(title="QEMU", launch=lambda *_: launch, name="qemu")
    monkeypatch.setattr(emulated, "named_emulator", lambda _: chosen)
    monkeypatch.setattr(emulated, "require_model", lambda *_: None)
    monkeypatch.setattr(emulated, "OwnTime", lambda pid: _Clock())
    with pytest.raises(DeviceError, match=r"did not connect to the UART's port within 0 s.*firewall"):
        EmulatedBoard(tmp_path / "x.elf", BOARD)


class _Clock:
    """Goes on at every look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * 0.1


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii"])
def test_a_console_without_utf_8(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "COLUMNS": "100"}
    command = [sys.executable, "-m", "mcugen", "boards"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "microbit" in done.stdout.decode(encoding)


def test_ports_are_named_as_windows_does(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = pytest.importorskip("serial")
    asked: list[str] = []

    def open_nothing(url: str, **_: object) -> Any:
        asked.append(url)
        refuses: Any = SimpleNamespace()
        refuses.open = lambda: (_ for _ in ()).throw(serial.SerialException(2, "could not open port 'COM3'"))
        return refuses

    monkeypatch.setattr(serial, "serial_for_url", open_nothing)
    with pytest.raises(DeviceError, match="COM3"):
        open_port("COM3", 115_200)
    assert asked == ["COM3"]

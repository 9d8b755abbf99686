"""After flashing: the board comes back, perhaps under another name, or says why not."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.builder import Firmware
from mcugen.errors import DeviceError
from mcugen.flash import Flashed, connect_flashed, flash_board
from mcugen.flash import flash as flash_module
from mcugen.ui.choice import terminal_choice
from mcugen.ui.terminal import Terminal
from tests.flash.fakes import fake_ports, fake_tool

PICO, NUCLEO = load_board("pico-usb"), load_board("nucleo-f446re")


def failing(*errors: Exception | None):  # type: ignore[no-untyped-def]
    """Stands for open_device: raises these one after the other, and gives the port it was asked for at None."""
    left = list(errors)

    def open_device(_elf: Path, _board: object, *, port: str, **_options: object) -> str:
        error = left.pop(0) if len(left) > 1 else left[0]
        if error is None:
            return port
        try:
            raise error
        except OSError as cause:
            raise DeviceError("the port cannot be opened", where=port) from cause

    return open_device


def test_a_board_that_comes_back_under_another_name(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(flash_module, "RETRY_S", 0.0)
    monkeypatch.setattr(flash_module, "open_device", failing(FileNotFoundError(2, "gone"), None))
    fake_ports(monkeypatch, [("/dev/ttyACM4", "2e8a:000a", "E66")])
    flashed = Flashed("uf2", None, str(tmp_path / "ttyACM3"))
    assert connect_flashed(flashed, firmware, PICO) == ("/dev/ttyACM4", "/dev/ttyACM4")
    (tmp_path / "ttyACM3").touch()
    assert connect_flashed(flashed, firmware, PICO)[1] == flashed.port, "it is still there"


CAUSES = [
    (PermissionError(13, "Permission denied"), "join the group"),
    (OSError(16, "Device or resource busy"), "Close serial monitors"),
    (BlockingIOError(11, "Could not exclusively lock port"), "Close serial monitors"),
    (FileNotFoundError(2, "gone"), "Press its reset button"),
]


@pytest.mark.parametrize(("cause", "hint"), CAUSES)
def test_why_it_does_not_answer(cause: OSError, hint: str, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash_module, "open_device", failing(cause))
    fake_ports(monkeypatch, [])
    with pytest.raises(DeviceError, match="flashed with openocd, but does not answer: the port") as error:
        connect_flashed(Flashed("openocd", None, "/dev/x"), firmware, NUCLEO, wait=0)
    assert hint in error.value.hint


def test_a_port_without_permission_is_told_before_writing(
    bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_ports(monkeypatch, [])
    port = tmp_path / "port"
    port.touch()
    monkeypatch.setattr(os, "access", lambda path, _mode: str(path) != str(port))
    tool = fake_tool(bin_dir, "openocd")
    with pytest.raises(DeviceError, match=r"no permission to use the port.*usermod"):
        flash_board(firmware, NUCLEO, port=str(port), tool="openocd")
    assert tool.calls == []


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_until_the_answer_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Tty()
    monkeypatch.setattr("sys.stdin", Tty("x\n3\n0\n2\n"))
    monkeypatch.setattr("sys.stderr", err)
    choose = terminal_choice(Terminal())
    assert choose is not None
    assert choose("Which is it?", ["/dev/a", "/dev/b"]) == 1
    assert "Which is it?" in err.getvalue()
    assert err.getvalue().count("from 1 to 2") == 4
    with pytest.raises(KeyboardInterrupt):
        choose("And now?", ["/dev/a", "/dev/b"])


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Tty())
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))
    assert terminal_choice(Terminal()) is None
    monkeypatch.setattr("sys.stdin", Tty("1\n"))
    assert terminal_choice(Terminal(as_json=True)) is None

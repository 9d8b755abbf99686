"""Ports that people have trouble with, and ports whose speed or name is another one than expected."""

from __future__ import annotations

import errno
import os
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcugen.boards.shipped import load_board
from mcugen.device import device as device_module
from mcugen.device import opening, ports
from mcugen.device.connecting import connect
from mcugen.device.device import Device, WrongFirmwareError
from mcugen.device.link import ConnectionLostError, Link, NoAnswerError
from mcugen.device.ports import FollowedPort, ListedPort, open_port
from mcugen.errors import DeviceError
from tests.device.build import build_loaded_double, double_answer
from tests.device.simulated import BadLink, Faults, LoadedDouble

X = np.arange(64, dtype=np.int8).reshape(1, 64)


class FakePort:
    """pyserial's port that cannot be opened."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def open(self) -> None:
        raise self._error


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("serial.serial_for_url", lambda *_args, **_options: FakePort(error))


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Decides which ports this computer has: (device, USB vendor, product, serial number)."""

    def set_ports(*found: tuple[str, int | None, int | None, str | None]) -> None:
        known = [SimpleNamespace(device=d, vid=v, pid=p, serial_number=s) for d, v, p, s in found]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: known)

    return set_ports


def test_no_permission_names_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import grp

    port = tmp_path / "ttyACM0"
    port.touch()
    failing(monkeypatch, OSError(errno.EACCES, "could not open port"))
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: SimpleNamespace(gr_name="uucp"))
    with pytest.raises(
        DeviceError, match=r"no permission to use it.*group uucp: sudo usermod -aG uucp \$USER, and log in"
    ):
        open_port(str(port), 115_200)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: SimpleNamespace(gr_name="root"))
    with pytest.raises(DeviceError, match="belongs to root: add a udev rule"):
        open_port(str(port), 115_200)


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EAGAIN])
def test_a_busy_port_names_who_has_it(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    failing(monkeypatch, OSError(code, "Could not exclusively lock port"))
    monkeypatch.setattr(ports, "_holder", lambda _path: "process 42 (minicom)")
    with pytest.raises(DeviceError, match=r"process 42 \(minicom\) holds it.*Close serial monitors"):
        open_port("/dev/ttyACM0", 115_200)
    monkeypatch.setattr(ports, "_holder", lambda _path: "")
    with pytest.raises(DeviceError, match="another program holds it"):
        open_port("/dev/ttyACM0", 115_200)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells who has a file open")
def test_the_holder_is_found(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "port"
    path.touch()
    assert ports._holder(str(path)) == ""
    with path.open() as stream, subprocess.Popen(["sleep", "30"], stdin=stream) as other:
        assert ports._holder(str(path)) == f"process {other.pid} (sleep)"
        other.kill()


def test_a_missing_port_lists_those_there_are(listed: Callable[..., None]) -> None:
    listed(("/dev/ttyUSB7", None, None, None), ("/dev/ttyACM3", 1, 2, "x"))
    with pytest.raises(DeviceError, match=r"no such port.*Ports of this computer: /dev/ttyACM3, /dev/ttyUSB7"):
        open_port("/dev/does-not-exist", 115_200)
    listed()
    with pytest.raises(DeviceError, match="Ports of this computer: none"):
        open_port("/dev/does-not-exist", 115_200)


@pytest.mark.parametrize("url", ["nonsense://", "socket://", "socket://host", "socket://host:99999", "rfc2217://host"])
def test_what_is_no_port(url: str) -> None:
    with pytest.raises(DeviceError, match="port cannot be opened"):
        open_port(url, 115_200)


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_nobody_listens(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DeviceError, match=r"cannot be opened: .*refused.*`api\.serve\(\)`"):
            open_port(url, 115_200)


def test_a_port_is_followed_by_its_serial_number(listed: Callable[..., None]) -> None:
    listed(("/dev/ttyACM0", 0x2341, 0x005A, "AB12"), ("/dev/ttyACM1", 0x2341, 0x005A, "CD34"))
    followed, plain = FollowedPort("/dev/ttyACM0"), FollowedPort("/dev/ttyS0")
    assert followed.find() == "/dev/ttyACM0"
    listed(("/dev/ttyACM0", 0x2341, 0x005A, "CD34"), ("/dev/ttyACM2", 0x2341, 0x005A, "AB12"))
    assert followed.find() == "/dev/ttyACM2"
    listed()
    assert followed.find() == "/dev/ttyACM2"
    assert plain.find() == "/dev/ttyS0"
    assert ports.list_ports() == []
    listed(("/dev/ttyACM0", 1, 2, None))
    assert ports.list_ports() == [ListedPort("/dev/ttyACM0", None)], "without a serial number it may be any board"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_loaded_double(tmp_path_factory.mktemp("double"))


@contextmanager
def board(double: LoadedDouble, path: Path, speed: int) -> Iterator[None]:
    """The double at a serial port (a pseudo-terminal) that it understands at one speed only, after some boot text."""
    host, port = os.openpty()
    path.unlink(missing_ok=True)
    path.symlink_to(os.ttyname(port))
    ended = threading.Event()

    def serve() -> None:
        os.write(host, b"\x00\xffboot v1.2\r\n\x03half a frame")
        with suppress(OSError):
            while not ended.is_set():
                data = os.read(host, 4096)
                if termios.tcgetattr(port)[4] != speed:
                    data = bytes(byte >> 1 | 0x80 for byte in data)
                answer = double.exchange(data)
                if answer:
                    os.write(host, answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # A read of the other end's bytes ends the thread, which may wait for some.
        with suppress(OSError):
            os.write(port, b"\0")
        thread.join(5)
        os.close(port)
        os.close(host)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FIRST_TRY_S", 0.3)
    monkeypatch.setattr(opening, "OTHER_TRY_S", 0.3)
    monkeypatch.setattr(device_module, "RETRY_S", 0.02)


@pytest.mark.usefixtures("_impatient")
def test_the_speed_is_found_and_told(library: Path, tmp_path: Path) -> None:
    double = LoadedDouble(library, tmp_path)
    with board(double, tmp_path / "port", termios.B57600):
        with connect(str(tmp_path / "port"), board=load_board("microbit")) as device:
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
            assert device.warnings() == ("the device answers at 57600 baud, not at 115200",)
        with connect(str(tmp_path / "port")) as device:
            assert device.warnings() == (), "nothing was known of its speed"
    double.close()


@pytest.mark.usefixtures("_impatient")
def test_no_answer_at_any_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "OTHER_TRY_S", 0.01)
    monkeypatch.setenv("MCUGEN_TIMEOUT", "0.1")
    host, port = os.openpty()
    try:
        with pytest.raises(NoAnswerError, match=r"at any speed \(115200, 921600, .*baud\).*reset button"):
            connect(os.ttyname(port), timeout=0.1)
    finally:
        os.close(host)
        os.close(port)


@pytest.mark.usefixtures("_impatient")
def test_a_port_that_vanishes_and_comes_back(library: Path, tmp_path: Path) -> None:
    path, double = tmp_path / "port", LoadedDouble(library, tmp_path)
    with board(double, path, termios.B115200):
        device = connect(str(path))
        device.run([X])
    path.unlink()
    with pytest.raises(ConnectionLostError, match="connection was lost"):
        device.run([X])
    with pytest.raises(ConnectionLostError, match=r"did not come back within 0\.05 s: .*no such port"):
        device.reconnect(wait=0.05)
    with board(double, path, termios.B115200):
        again = device.reconnect(wait=10)
        assert again.resumed
        assert str(again).endswith("its session continues")
        np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
    double.reset()
    with board(double, path, termios.B115200):
        with pytest.raises(ConnectionLostError, match="connection was lost"):
            device.run([X])
        again = device.reconnect(wait=10)
        assert not again.resumed
        assert str(again).endswith("it begins anew")
        np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
    other = LoadedDouble(build_loaded_double(tmp_path, extra=("-DMODEL_SHA=9",)), tmp_path)
    with (
        board(other, path, termios.B115200),
        pytest.raises(WrongFirmwareError, match="another model answers than before"),
    ):
        device.reconnect(wait=10)
    device.close()
    other.close()
    double.close()


def test_a_device_without_a_way_back(library: Path, tmp_path: Path) -> None:
    double = LoadedDouble(library, tmp_path)
    wire = BadLink(double, Faults(), 0)
    with (
        Device(Link(wire.connect(), "x", clock=wire.clock)) as device,
        pytest.raises(DeviceError, match="re-established"),
    ):
        device.reconnect()
    double.close()

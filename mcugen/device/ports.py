"""Ports by URL: serial ports, here or on other computers (RFC 2217), and sockets; and what keeps people from them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcugen.device.link import SocketTransport, Transport
from mcugen.errors import DeviceError

CONNECT_S = 5.0
_BUSY = (errno.EBUSY, errno.EAGAIN)
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


def open_port(url: str, baud: int) -> Transport:
    """Open a port: /dev/ttyACM0, COM3, socket://host:port, rfc2217://host:port.

    Raises:
        DeviceError: it cannot be opened; says why, and what to try.
    """
    return _connect(url) if url.startswith("socket://") else SerialTransport(url, baud)


def _connect(url: str) -> SocketTransport:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise DeviceError("the port cannot be opened: not a valid address", where=url, hint="Write socket://host:port")
    try:
        sock = socket.create_connection((host, port), CONNECT_S)
    except OSError as error:
        raise _network_error(url, str(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketTransport(sock)


class SerialTransport:
    """A serial port of this computer, or of another by RFC 2217; any other URL that pyserial opens, too."""

    def __init__(self, url: str, baud: int) -> None:
        import serial

        is_remote = url.startswith("rfc2217://")
        self._port: Any = None
        try:
            self._port = serial.serial_for_url(url, do_not_open=True)
            self._port.baudrate = baud
            # A short fixed timeout: changing it configures the port anew, which is slow over a network.
            self._port.timeout = 0.02
            if not is_remote:  # RFC 2217 knows neither
                self._port.write_timeout = 10
                self._port.exclusive = True
            self._port.open()
        except (OSError, ValueError) as error:  # SerialException is an OSError
            if is_remote:
                raise _network_error(url, _what_was_said(self._port) or str(error)) from error
            raise _serial_error(url, error) from error

    def set_baud(self, baud: int) -> None:
        """Change the speed, and drop what arrived at the old one. Raises OSError when closed."""
        with _os_errors():
            self._port.baudrate = baud
            self._port.reset_input_buffer()

    def read(self, timeout: float) -> bytes:
        until = time.monotonic() + timeout
        while True:
            with _os_errors():
                data: bytes = self._port.read(max(1, self._port.in_waiting))
            if data or time.monotonic() >= until:
                return data

    def write(self, data: bytes) -> None:
        with _os_errors():
            self._port.write(data)

    def close(self) -> None:
        with contextlib.suppress(OSError), _os_errors():  # what has vanished cannot be closed
            self._port.close()


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """What pyserial lets through when a port vanishes is an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if type(error).__module__ not in ("termios", "serial.serialutil"):
            raise
        raise OSError(str(error)) from error


def _what_was_said(port: Any) -> str:
    """What a server said in plain text before it closed the connection: why it refused."""
    unread = getattr(port, "_read_buffer", None)
    parts = []
    while unread is not None and not unread.empty():
        parts.append(unread.get_nowait() or b"")
    return " ".join(b"".join(parts).decode("utf-8", "replace").split())[:300]


def _network_error(url: str, said: str) -> DeviceError:
    return DeviceError(
        f"the port cannot be opened: {said}",
        where=url,
        hint="Check that the server runs there (`api.serve()`), that it is free, and that no firewall blocks it",
    )


def _serial_error(url: str, error: Exception) -> DeviceError:
    """Why a serial port cannot be opened, in the words of a person who has to do something about it."""
    code = getattr(error, "errno", None)
    what, hint = f"the port cannot be opened: {error}", "Check that it is a serial port and that its name is right"
    if code in (errno.EACCES, errno.EPERM):
        what, hint = "the port cannot be opened: no permission to use it", _group_hint(url)
    elif code in _BUSY:
        what = f"the port cannot be opened: {_holder(url) or 'another program'} holds it"
        hint = "Close serial monitors, debuggers and IDEs that hold it, and try again"
    elif code in _ABSENT:
        others = ", ".join(port.device for port in list_ports()) or "none"
        what = "the port cannot be opened: there is no such port"
        hint = f"Connect the board with a data cable. Ports of this computer: {others}"
    return DeviceError(what, where=url, hint=hint)


def _group_hint(path: str) -> str:
    """How to get the right to use a port."""
    try:
        import grp

        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "Run as a user with access to serial ports"
    if group == "root":
        return "It belongs to root: add a udev rule for it, or ask your administrator"
    return f"It belongs to the group {group}: sudo usermod -aG {group} $USER, and log in again"


def _holder(path: str) -> str:
    """The program that has a port open, as far as Linux tells: "process 1234 (minicom)"."""
    wanted = os.path.realpath(path)
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        process = entry.parts[2]
        if process == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            if str(entry.readlink()) == wanted:
                name = Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"process {process} ({name})"
    return ""


@dataclass(frozen=True)
class ListedPort:
    """A serial port of this computer. `usb` is vendor, product and serial number; None where it has no such."""

    device: str
    usb: tuple[int, int, str] | None


def list_ports() -> list[ListedPort]:
    """All serial ports of this computer, by name."""
    from serial.tools.list_ports import comports

    found = []
    for port in comports():
        usb = (port.vid, port.pid, port.serial_number) if port.vid and port.pid and port.serial_number else None
        found.append(ListedPort(port.device, usb))
    return sorted(found, key=lambda port: port.device)


class FollowedPort:
    """A port whose board may come back under another name after it was unplugged or reset.

    Only a USB device with a serial number is followed: anything else may be another board.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._usb = next((port.usb for port in _local(url) if port.device == url), None)

    def find(self) -> str:
        """Where it is now; its last name if it is nowhere."""
        if self._usb is not None:
            self.url = next((port.device for port in list_ports() if port.usb == self._usb), self.url)
        return self.url


def _local(url: str) -> Sequence[ListedPort]:
    return [] if "://" in url else list_ports()

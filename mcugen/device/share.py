"""Shares a device's port over the network by RFC 2217, with one client at a time."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mcugen.device.emulated import EmulatedBoard
from mcugen.device.link import Transport
from mcugen.device.ports import SerialTransport
from mcugen.errors import DeviceError, McugenError

POLL_S = 0.2
SEND_S = 10.0
"""A client that takes no bytes for so long has gone."""
MAX_SUBOPTION_BYTES = 256
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, tries: a client whose computer vanished does not keep the port for long."""

Say = Callable[[str], None]


@dataclass
class Traffic:
    """What went through a shared port."""

    clients: int = 0
    refused: int = 0
    bytes_to_device: int = 0
    bytes_from_device: int = 0


class EmulatorTransport:
    """An emulator as a port, which ends when the port is closed."""

    def __init__(self, emulator: EmulatedBoard) -> None:
        self._emulator = emulator

    def read(self, timeout: float) -> bytes:
        return self._emulator.transport.read(timeout)

    def write(self, data: bytes) -> None:
        self._emulator.transport.write(data)

    def close(self) -> None:
        self._emulator.stop()


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPV6]:PORT or PORT alone, which is of this computer; port 0 takes a free one.

    Raises:
        DeviceError: it is none of them.
    """
    try:
        parts = urlsplit(f"//{text}" if ":" in text else f"//127.0.0.1:{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path or parts.username is not None:
        raise DeviceError(
            f"{text[:60]!r} is not a valid address", where="`listen`", hint="Use HOST:PORT, such as 127.0.0.1:2217"
        )
    return host, port


def is_local(host: str) -> bool:
    """Whether only programs of this computer reach an address."""
    return host in ("localhost", "::1") or host.startswith("127.")


class SharedPort:
    """A listening socket and a device's port behind it. A context manager.

    The port is opened when it is made, and again for the next client after it was lost.

    Args:
        open_port: opens the port, or starts the emulator.
        listen: see `parse_address`.
        say: told what happens, for a person.

    Raises:
        DeviceError: the port cannot be opened, or the address not be used.
    """

    def __init__(self, open_port: Callable[[], Transport], listen: str, say: Say) -> None:
        self._open_port, self._say = open_port, say
        self.traffic = Traffic()
        self._client: _Client | None = None
        self._port: Transport | None = open_port()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        try:
            self._listener = _listen(*parse_address(listen))
        except BaseException:
            self._port.close()
            raise
        host, port = self._listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def __enter__(self) -> SharedPort:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the client go, and close the port."""
        self._leave("the server ends")
        self._lose_port(self._port)
        self._listener.close()

    def serve(self, stop: threading.Event) -> None:
        """Serve until `stop` is set. Emulators live as long as the thread that calls this."""
        while not stop.is_set():
            client = self._client
            if client is not None and (client.is_lost or self._port is None):
                self._leave("the board's port was lost" if self._port is None else "")
                continue
            sockets = [self._listener, *([client.sock] if client is not None else [])]
            ready = select.select(sockets, [], [], POLL_S)[0]
            if self._listener in ready:
                self._welcome()
            if client is not None and client.sock in ready:
                self._take(client)

    def _welcome(self) -> None:
        try:
            sock, peer = self._listener.accept()
        except OSError:
            return  # it has gone again
        name = f"{peer[0]}:{peer[1]}"
        if self._client is not None:
            seconds = time.monotonic() - self._client.since
            self._refuse(sock, name, f"the port is in use by {self._client.name} for {seconds:.0f} s")
            return
        if self._port is None:
            try:
                self._port = self._open_port()
            except McugenError as error:
                self._refuse(sock, name, f"the board's port is lost: {error.what}")
                return
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, args=(self._port,), daemon=True)
            self._reader.start()
        self.traffic.clients += 1
        self._say(f"{name} has the port")
        with self._lock:
            self._client = _Client(sock, name, self._port)

    def _refuse(self, sock: socket.socket, name: str, why: str) -> None:
        self.traffic.refused += 1
        self._say(f"{name} was refused: {why}")
        threading.Thread(target=_send_and_close, args=(sock, f"mcugen serve: {why}\r\n"), daemon=True).start()

    def _take(self, client: _Client) -> None:
        """From the client to the device."""
        data = client.receive()
        port = self._port
        if not data or port is None:
            return
        self.traffic.bytes_to_device += len(data)
        try:
            port.write(data)
        except OSError as error:
            self._port_broke(port, error)

    def _read(self, port: Transport) -> None:
        """From the device to the client, in a thread of its own. What comes while there is no client is nobody's."""
        try:
            while port is self._port:
                data = port.read(POLL_S)
                with self._lock:
                    client = self._client
                if data and client is not None:
                    self.traffic.bytes_from_device += len(data)
                    client.send(data)
        except (OSError, ValueError) as error:  # ValueError: closed under its hands
            self._port_broke(port, error)

    def _port_broke(self, port: Transport, error: Exception) -> None:
        if port is self._port:
            self._say(f"the board's port was lost: {error}")
            self._lose_port(port)

    def _lose_port(self, port: Transport | None) -> None:
        self._port = None
        if port is not None:
            port.close()
        reader, self._reader = self._reader, None
        if reader is not None and reader is not threading.current_thread():
            reader.join(10 * POLL_S)

    def _leave(self, why: str) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            self._say(f"{client.name} has left{': ' if why else ''}{why}")


class _Client:
    """The one that has the port."""

    def __init__(self, sock: socket.socket, name: str, port: Transport) -> None:
        from serial.rfc2217 import PortManager

        self.sock, self.name, self.since = sock, name, time.monotonic()
        self.is_lost = False
        self._lock = threading.Lock()
        sock.settimeout(SEND_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self._telnet: Any = PortManager(_Settings(port), self)

    def write(self, data: bytes) -> None:
        """Send as it is; the telnet layer calls this, too."""
        try:
            with self._lock:
                self.sock.sendall(data)
        except OSError:
            self.is_lost = True

    def send(self, data: bytes) -> None:
        """Send what the device said."""
        self.write(b"".join(self._telnet.escape(data)))

    def receive(self) -> bytes:
        """What the client wants to tell the device."""
        try:
            data = self.sock.recv(65_536)
            out = b"".join(self._telnet.filter(data))
            endless = len(self._telnet.suboption or b"") > MAX_SUBOPTION_BYTES
        except OSError:
            data, out, endless = b"", b"", False
        except Exception:  # whatever the telnet layer makes of nonsense
            data, out, endless = b"", b"", True
        self.is_lost = self.is_lost or not data or endless
        return out

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


@dataclass
class _Settings:
    """The port as a client sets it up: only its speed changes. 8 data bits, no parity and 1 stop bit are what there is;
    control lines stay as they are."""

    port: Transport
    baud: int = 115_200
    bytesize: int = 8
    parity: str = "N"
    stopbits: float = 1
    cts: bool = True
    dsr: bool = True
    ri: bool = False
    cd: bool = True
    rts: bool = True
    dtr: bool = True
    rtscts: bool = False
    xonxoff: bool = False
    break_condition: bool = False

    @property
    def baudrate(self) -> int:
        return self.baud

    @baudrate.setter
    def baudrate(self, wanted: int) -> None:
        if isinstance(self.port, SerialTransport):
            try:
                self.port.set_baud(wanted)
            except OSError as error:
                raise ValueError(str(error)) from error  # the client is told the speed that there is
        self.baud = wanted

    def reset_input_buffer(self) -> None:
        """Nothing is kept here."""

    def reset_output_buffer(self) -> None:
        """As above."""


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere it would let others take the address over
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(8)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise DeviceError(
            f"the address cannot be used: {getattr(error, 'strerror', None) or error}",
            where=f'`listen="{host}:{port}"`',
            hint='Another server may have it; `listen="127.0.0.1:0"` picks a free port',
        ) from error
    return listener


def _send_and_close(sock: socket.socket, text: str) -> None:
    """Tell a client why it must go. Its own bytes are read first: else the text would be lost with the connection."""
    with contextlib.suppress(OSError), sock:
        sock.settimeout(3)
        sock.sendall(text.encode())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

"""The link: requests and responses over a byte stream that may drop, repeat, reorder or corrupt what it carries.

One request is under way at a time. A request that is not answered in time is sent again under the same sequence
number until the deadline; the device runs it once and repeats its answer. A link that loses nothing repeats its
first request, for which the program may not have been ready, and others seldom: copies would pile up before a slow one.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Callable
from typing import Protocol

from mcugen.device.protocol import (
    FAULT,
    PROGRESS,
    RESPONSE,
    VERSION,
    Command,
    Fault,
    Frame,
    ProtocolError,
    Status,
    decode_frame,
    encode_frame,
    parse_fault,
    parse_progress,
)
from mcugen.errors import DeviceError

MAX_FRAME_BYTES = 80_000
"""More bytes than this without a delimiter are no frame (the largest payload is 65,535)."""

FIRST_RETRY_S = 0.4
LAST_RETRY_S = 1.0
WRITE_S = 10.0
"""Without a byte taken for so long, the other end takes no more."""
SELDOM_S = 5.0
"""On a link that loses nothing, a request is repeated for one reason: the program was restarted, and forgot it."""
MOST_STEPS = 1 << 16
"""Ops are numbered in 16 bits."""
LOOK_S = 0.25
"""How often to look whether the other end still lives."""


class Transport(Protocol):
    """A byte stream to a device."""

    def read(self, timeout: float) -> bytes:
        """What has arrived, waiting up to `timeout` seconds for the first byte. Raises OSError when closed."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SocketTransport:
    """A connected stream socket.

    Args:
        clock: seconds by which the other end may be late in taking what is written.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock, self._clock = sock, clock
        self._sock.setblocking(False)

    def read(self, timeout: float) -> bytes:
        if not select.select([self._sock], [], [], timeout)[0]:
            return b""
        data = self._sock.recv(65_536)
        if not data:
            raise ConnectionResetError("the other end closed the link")
        return data

    def write(self, data: bytes) -> None:
        left, late = memoryview(data), self._clock() + WRITE_S
        while left:
            if select.select([], [self._sock], [], LOOK_S)[1]:
                left, late = left[self._sock.send(left) :], self._clock() + WRITE_S
            elif self._clock() > late:
                raise TimeoutError(f"nothing was taken within {WRITE_S:g} s")

    def close(self) -> None:
        self._sock.close()


class ConnectionLostError(DeviceError):
    """The connection broke, or the device fell silent or was restarted: `Device.reconnect` may bring it back."""


class NoAnswerError(ConnectionLostError):
    """The device did not answer in time."""


class DeviceFault(DeviceError):
    """The device's program has stopped; `fault` says where."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"the device's program stopped with exception {fault.exception} at {fault.pc:#010x}")


class Refusal(Exception):
    """The device answered a request with an error status."""

    def __init__(self, command: Command, status: int, detail: bytes) -> None:
        self.command, self.status, self.detail = command, status, detail
        super().__init__(f"{command.name} refused: {status_name(status)}")


def status_name(status: int) -> str:
    return Status(status).name if status in Status.__members__.values() else f"status {status}"


class Link:
    """Requests to a device and its answers, over one connection.

    Args:
        name: the link in messages.
        byte_seconds: time one byte takes on the wire, which waiting allows for.
        check: called with seconds that it may wait; raises when the other end has ended.
        on_close: called after the transport is closed.
        lossless: every byte arrives, or the connection breaks.
        clock: seconds by which deadlines are set: the other end's own, where those can be told.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        *,
        byte_seconds: float = 0.0,
        check: Callable[[float], None] | None = None,
        on_close: Callable[[], None] | None = None,
        first_retry: float = FIRST_RETRY_S,
        lossless: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.byte_seconds = byte_seconds
        self._transport, self.name = transport, name
        self._check, self._on_close = check, on_close
        self._first_retry, self._lossless, self._clock = first_retry, lossless, clock
        self._session = 0
        self._sequence = 0
        self._received = bytearray()
        self._heard = False

    def close(self) -> None:
        self._transport.close()
        if self._on_close is not None:
            self._on_close()

    def start_session(self) -> None:
        """Begin another session; the next request must be HELLO.

        Session 0 is never used: a device that was just reset has it.
        """
        before = self._session
        while self._session == before:
            self._session = secrets.randbelow(0xFFFF) + 1
        self._sequence = 0

    def resume_session(self, other: Link) -> None:
        """Go on with the session of another link to the same device."""
        self._session, self._sequence = other._session, other._sequence

    def request(
        self,
        command: Command,
        payload: bytes = b"",
        *,
        timeout: float,
        reply_bytes: int = 64,
        on_progress: Callable[[int], None] | None = None,
        steps: int = MOST_STEPS,
    ) -> bytes:
        """Send a request and return the payload of its response, without the status.

        Args:
            timeout: seconds until the request is given up, anew whenever the device says that it got further.
            reply_bytes: about how long the response is.
            on_progress: called with the number of the op that is done.
            steps: how many ops there are; what claims to have done more has not got further.

        Raises:
            Refusal: the device answered with an error.
            DeviceFault: the device's program has stopped.
            NoAnswerError: no answer in time.
            ConnectionLostError: a broken connection.
            DeviceError: another protocol version.
        """
        self._sequence = (self._sequence + 1) & 0xFFFF
        data = encode_frame(Frame(VERSION, command, self._session, self._sequence, payload))
        wire_seconds = (len(data) + reply_bytes) * 1.05 * self.byte_seconds
        deadline = self._clock() + timeout + wire_seconds
        patience = self._first_retry
        step = -1
        while (now := self._clock()) < deadline:
            self._write(data)
            wait = SELDOM_S if self._lossless and self._heard else patience
            retry = now + wait + wire_seconds
            while (frame := self._await_response(min(deadline, retry))) is not None:
                if frame.type != PROGRESS:
                    return _answer(command, frame)
                done = _progress(frame)
                if step < done < steps:  # else it came twice, or late
                    step, now = done, self._clock()
                    deadline = now + timeout + wire_seconds
                    retry = now + wait + wire_seconds
                    if on_progress is not None:
                        on_progress(step)
            patience = min(2 * patience, LAST_RETRY_S)
        raise NoAnswerError(
            f"no answer to {command.name} within {timeout:g} s{'' if step < 0 else f' after op {step}'}",
            where=self.name,
            hint="Check that this firmware runs on the device and that its port is right; a slow board needs "
            "`paced=True`, or from Python a longer timeout",
        )

    def _await_response(self, until: float) -> Frame | None:
        """What concerns the request under way: its response or progress; None when `until` has passed."""
        while True:
            frame = self._next_frame(until)
            if frame is None:
                return None
            if frame.session != self._session or frame.sequence != self._sequence:
                continue  # late or repeated
            if frame.version != VERSION:
                raise self._wrong_version(frame.version)
            if frame.type == FAULT:
                try:
                    raise DeviceFault(parse_fault(frame.payload))
                except ProtocolError:
                    continue
            if frame.type & RESPONSE and frame.payload:
                self._heard = True
                return frame

    def _wrong_version(self, version: int) -> DeviceError:
        return DeviceError(
            f"the device speaks protocol version {version}, this mcugen speaks {VERSION}",
            where=self.name,
            hint="Generate, build and flash the firmware again with this version of mcugen",
        )

    def _next_frame(self, until: float) -> Frame | None:
        """The next frame that arrives whole; boot messages and broken frames are skipped."""
        while True:
            end = self._received.find(0)
            if end >= 0:
                encoded = bytes(self._received[:end])
                del self._received[: end + 1]
                try:
                    return decode_frame(encoded)
                except ProtocolError:
                    continue
            if len(self._received) > MAX_FRAME_BYTES:
                self._received.clear()
            wait = until - self._clock()
            if wait <= 0:
                return None
            self._received += self._read(min(wait, LOOK_S))

    def _read(self, timeout: float) -> bytes:
        try:
            data = self._transport.read(timeout)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            self._check_other_end(0)
        return data

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> ConnectionLostError:
        self._check_other_end(1)  # knows better why
        return ConnectionLostError(f"the connection was lost: {error}", where=self.name)

    def _check_other_end(self, seconds: float) -> None:
        if self._check is None:
            return
        try:
            self._check(seconds)
        except DeviceError as error:
            raise ConnectionLostError(error.what, where=error.where, hint=error.hint) from error


def _progress(frame: Frame) -> int:
    """The op that a frame says is done; −1 if it makes no sense."""
    try:
        return parse_progress(frame.payload)
    except ProtocolError:
        return -1


def _answer(command: Command, frame: Frame) -> bytes:
    status = frame.payload[0]
    if status == Status.BAD_VERSION:
        raise DeviceError(
            f"the device does not understand protocol version {VERSION}",
            hint="Generate, build and flash the firmware again with this version of mcugen",
        )
    if frame.type != RESPONSE | command or status != Status.OK:
        raise Refusal(command, status, frame.payload[1:])
    return frame.payload[1:]

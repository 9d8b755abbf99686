"""A signal through a device: frames in, and what came out of them, row by row."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.device import protocol
from mcugen.device.device import DEFAULT_TIMEOUT_S, Device
from mcugen.device.protocol import Command, Cost, ProtocolError
from mcugen.errors import DeviceError

_PUSH_HEADER = 2
_HEADER = struct.Struct("<IHQII")
_EVENT = struct.Struct("<IIHBQB")
_RANKED = struct.Struct("<Hq")
_BOX = struct.Struct("<Hq4h")
_HAS_BOXES = 0x80
_ROW, _INFERENCE, _EVENT_FLAG, _LONG = 1, 2, 4, 8

MEASURE_STACK = 1


@dataclass(frozen=True)
class ToldEvent:
    """An event as a device tells it. `kind` is 1 for a start and 2 for an end.

    `boxes` are label, score, ymin, xmin, ymax, xmax.
    """

    frame: int
    inference: int
    label: int
    kind: int
    score: int
    top: tuple[tuple[int, int], ...]
    boxes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Told:
    """What a row led to: the row's bytes, those of all outputs if the model ran, and the event if there was one."""

    row: bytes
    outputs: bytes | None
    event: ToldEvent | None


@dataclass(frozen=True)
class Pushed:
    """What a request led to.

    Attributes:
        taken: frames that the device took; the others are to be pushed again.
        steps: measurements in `cost`.
        stack: bytes below the caller; 0 unless asked for.
        told: by row; None for a long one, whose bytes are to be read.
    """

    taken: int
    steps: int
    cost: Cost
    stack: int
    records: tuple[tuple[int, Told], ...]


def parse_push(payload: bytes, row_bytes: int, outputs_bytes: int) -> Pushed:
    """The answer to APP_PUSH, whose records tell rows and outputs of so many bytes."""
    if len(payload) < _HEADER.size:
        raise ProtocolError("a message that is too short")
    taken, steps, ticks, interrupts, stack = _HEADER.unpack_from(payload)
    at, records = _HEADER.size, []

    def take(count: int) -> bytes:
        nonlocal at
        if at + count > len(payload):
            raise ProtocolError("a record that is too short")
        at += count
        return payload[at - count : at]

    while at < len(payload):
        flags = take(1)[0]
        if not flags & _ROW or flags > 15:
            raise ProtocolError(f"a record of kind {flags}")
        whole = not flags & _LONG
        row = take(row_bytes) if whole else b""
        outputs = take(outputs_bytes if whole else 0) if flags & _INFERENCE else None
        event = None
        if flags & _EVENT_FLAG:
            frame, inference, label, kind, score, count = _EVENT.unpack(take(_EVENT.size))
            if kind not in (1, 2):
                raise ProtocolError(f"an event of kind {kind}")
            form = _BOX if count & _HAS_BOXES else _RANKED
            listed = tuple(form.unpack(take(form.size)) for _ in range(count & ~_HAS_BOXES))
            event = ToldEvent(frame, inference, label, kind, _signed(score), listed)
            if count & _HAS_BOXES:
                event = replace(event, top=(), boxes=listed)
        records.append((flags, Told(row, outputs, event)))
    return Pushed(taken, steps, Cost(ticks, interrupts), stack, tuple(records))


def _signed(score: int) -> int:
    return score - (1 << 64) if score >> 63 else score


class SignalDevice:
    """A device whose firmware takes a signal.

    Raises:
        DeviceError: it takes none, or frames of other bytes.
    """

    def __init__(self, device: Device, frame_bytes: int) -> None:
        self._device = device
        self._row_bytes, has = device.hello.front_bytes, device.hello.frame_bytes
        self._outputs_bytes = sum(info.nbytes for info in device.outputs)
        self.cost = 0
        """Of all steps since it was set to 0, in the device's unit."""
        self.stack = 0
        if has != frame_bytes:
            raise device.session.error(
                f"its frames have {has} bytes, the pipeline's {frame_bytes}" if has else "it takes no signal",
                hint="Flash this pipeline's firmware, or check the port",
            )
        self._step = (device.hello.max_payload - _PUSH_HEADER) // frame_bytes
        if self._step < 1:
            raise device.session.error(f"a frame of {frame_bytes} bytes is larger than what it can be sent")

    def reset(self) -> None:
        """Forget everything, as `mcg_app_reset()` does."""
        self._device.session.ask(Command.APP_RESET, bytes)

    def push(self, frames: NDArray[Any], *, stack: bool = False) -> Iterator[Told]:
        """Push frames (n, channels), in as many requests as it takes; gives what each row led to.

        Args:
            stack: measure the stack in place of the cost.

        Raises:
            DeviceError: a fault, or an answer that makes no sense.
        """
        at = 0
        while at < len(frames):
            part = np.ascontiguousarray(frames[at : at + self._step])
            pushed = self._ask(part.astype(part.dtype.newbyteorder("<"), copy=False).tobytes(), stack)
            if not 0 < pushed.taken <= len(part):
                raise self._error(f"it took {pushed.taken} of {len(part)} frames")
            at += pushed.taken
            self.stack = max(self.stack, pushed.stack)
            if not stack:
                self.cost += self._device.meter.cost(pushed.cost, pushed.steps)
            for flags, told in pushed.records:
                yield self._whole(flags, told)

    def _ask(self, data: bytes, stack: bool) -> Pushed:
        request = struct.pack("<H", MEASURE_STACK if stack else 0) + data

        def parse(payload: bytes) -> Pushed:
            return parse_push(payload, self._row_bytes, self._outputs_bytes)

        return self._device.session.ask(Command.APP_PUSH, parse, request, timeout=DEFAULT_TIMEOUT_S)

    def _whole(self, flags: int, told: Told) -> Told:
        """A record with the bytes that did not fit into it."""
        if not flags & _LONG:
            return told
        session = self._device.session
        row = session.read_blocks(Command.APP_ROW, protocol.read_op_output_request, self._row_bytes)
        outputs = None
        if flags & _INFERENCE:
            outputs = b"".join(self._output(index, info.nbytes) for index, info in enumerate(self._device.outputs))
        return Told(row, outputs, told.event)

    def _output(self, index: int, nbytes: int) -> bytes:
        def request(offset: int, count: int) -> bytes:
            return protocol.read_output_request(index, offset, count)

        return self._device.session.read_blocks(Command.READ_OUTPUT, request, nbytes)

    def _error(self, what: str) -> DeviceError:
        return self._device.session.error(what)

"""A device that learns: steps, predictions of the trained layers, and the head, that is their parameters."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.device import protocol
from mcugen.device.device import DEFAULT_TIMEOUT_S, Device
from mcugen.device.protocol import Command, Cost, ProtocolError

_INFO = struct.Struct("<IIII")
_STEPPED = struct.Struct("<fQIII")
_MEASURE_STACK, _HAS_TARGET, _TELL_HEAD = 1, 2, 4


@dataclass(frozen=True)
class TrainInfo:
    """What a device says of its trainable layers.

    Attributes:
        head_bytes: of all parameters.
        fingerprint: of the head's shape.
        outputs: how many the last layer has.
        ram_bytes: what learning takes beside the model's arena.
    """

    head_bytes: int
    fingerprint: int
    outputs: int
    ram_bytes: int


@dataclass(frozen=True)
class Stepped:
    """What a training step gave. `loss` is before the step; `stack` and `head_crc` are 0 unless asked for."""

    loss: np.float32
    cost: Cost
    stack: int
    head_crc: int


def parse_info(payload: bytes) -> TrainInfo:
    if len(payload) != _INFO.size:
        raise ProtocolError("a message of another length")
    info = TrainInfo(*_INFO.unpack(payload))
    if not 0 < info.head_bytes <= protocol.MAX_TENSOR_BYTES or info.head_bytes % 4 or not 0 < info.outputs < 1 << 20:
        raise ProtocolError(f"a head of {info.head_bytes} bytes with {info.outputs} outputs")
    return info


def parse_stepped(payload: bytes) -> Stepped:
    if len(payload) != _STEPPED.size:
        raise ProtocolError("a message of another length")
    loss, ticks, interrupts, stack, crc = _STEPPED.unpack(payload)
    return Stepped(np.float32(loss), Cost(ticks, interrupts), stack, crc)


class TrainingDevice:
    """A device whose firmware learns.

    Raises:
        DeviceError: it does not.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.info: TrainInfo = device.session.ask(Command.TRAIN_INFO, parse_info)

    def reset(self) -> None:
        """The head as it was deployed, no momentum."""
        self.device.session.ask(Command.TRAIN_RESET, bytes)

    def set_rate(self, rate: float) -> None:
        self.device.session.ask(Command.TRAIN_RATE, bytes, struct.pack("<f", rate))

    def step(self, target: int | NDArray[np.float32], *, stack: bool = False, crc: bool = True) -> Stepped:
        """Learn the input of the last inference: its class, or a target for every output.

        Args:
            stack: measure the stack in place of the cost.
            crc: tell the checksum of the head after the step.

        Raises:
            DeviceError: no such class, or no inference came before.
        """
        flags, label, data = _MEASURE_STACK * stack | _TELL_HEAD * crc, 0, b""
        if isinstance(target, int | np.integer):
            label = int(target)
        else:
            data, flags = np.asarray(target, "<f4").tobytes(), flags | _HAS_TARGET
        request = struct.pack("<BH", flags, label) + data
        return self.device.session.ask(Command.TRAIN_STEP, parse_stepped, request, timeout=DEFAULT_TIMEOUT_S)

    def predict(self) -> NDArray[np.float32]:
        """The outputs of the trained layers for the input of the last inference, (outputs,)."""
        data = self.device.session.read_blocks(Command.PREDICT, protocol.read_op_output_request, 4 * self.info.outputs)
        return np.frombuffer(data, "<f4").astype(np.float32)

    def read_head(self) -> bytes:
        """All parameters, float32, little endian."""
        return self.device.session.read_blocks(Command.HEAD_GET, protocol.read_op_output_request, self.info.head_bytes)

    def write_head(self, head: bytes) -> None:
        """Replace all parameters, and forget the momentum.

        Raises:
            DeviceError: a head of another size, or one that did not arrive.
        """
        session = self.device.session
        if len(head) != self.info.head_bytes:
            raise session.error(f"its head has {self.info.head_bytes:,} bytes, the given one {len(head):,}")
        step, crc = session.hello.max_payload - protocol.WRITE_MODEL_OVERHEAD, 0
        for offset in range(0, len(head), step):
            request = protocol.write_model_request(offset, head[offset : offset + step])
            crc = session.ask(Command.HEAD_SET, _parse_crc, request)
        if crc != zlib.crc32(head):
            raise session.error("the head did not arrive as it was sent")

    def keep_head(self) -> None:
        """Write the head into the board's flash, from where every start takes it.

        Raises:
            DeviceError: the firmware has no flash for it, or the flash did not take it; then what was kept is still
                there.
        """
        session = self.device.session
        result = session.ask(Command.HEAD_KEEP, _parse_result)
        if result != 0:
            raise session.error(
                f"the flash did not take the head (result {result}); what was kept before is still there"
            )


def _parse_result(payload: bytes) -> int:
    if len(payload) != 4:
        raise ProtocolError("a message of another length")
    return int.from_bytes(payload, "little", signed=True)


def _parse_crc(payload: bytes) -> int:
    if len(payload) != 4:
        raise ProtocolError("a message of another length")
    return int.from_bytes(payload, "little")

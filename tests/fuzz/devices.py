"""Devices that answer anything: each ends in an error of mcugen's or in a sound answer, in bounded time."""

from __future__ import annotations

import random
import struct
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mcugen.device import protocol
from mcugen.device.device import Device
from mcugen.device.link import Link
from mcugen.device.protocol import PROGRESS, RESPONSE, Command, Frame
from mcugen.errors import McugenError
from tests.device.test_messages import hello, tensor_info

OK = b"\0"
OPS = 2
SIZE = 6
COST = struct.pack("<QI", 1000, 0)
LONGEST_S = 2000.0
"""Of the device's time: two ops, each request's deadline, and attempts to say hello."""


@dataclass
class Campaign:
    """What a campaign found."""

    tried: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class HostileDevice:
    """A transport with a device behind it that begins honestly, and does not stay so.

    Attributes:
        now: seconds, which pass with every look at the clock and with every wait.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._pending, self.now, self._op = rng, bytearray(), 0.0, 0
        self._evil = rng.choice((0.02, 0.1, 0.5))

    def clock(self) -> float:
        self.now += 0.001
        return self.now

    def read(self, timeout: float) -> bytes:
        if self._rng.random() < 0.002:
            raise ConnectionResetError("gone")
        if not self._pending:
            self.now += timeout
            return b""
        self.now += 0.001
        count = self._rng.choice((len(self._pending), 1, 7, 100))
        part = bytes(self._pending[:count])
        del self._pending[:count]
        return part

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        frame = protocol.decode_frame(data[1:-1])
        rng = self._rng
        if frame.type == Command.INVOKE and frame.payload[:1] != b"\0":
            for op in range(rng.choice((OPS, 1000))) if rng.random() < 0.5 else ():
                self._say(Frame(1, PROGRESS, frame.session, frame.sequence, struct.pack("<H", op)))
        payload = self._honest(Command(frame.type), frame.payload)
        answer = Frame(1, RESPONSE | frame.type, frame.session, frame.sequence, payload)
        if rng.random() < self._evil:
            answer = self._lie(answer)
        if rng.random() < self._evil / 4:
            self._pending += rng.randbytes(rng.choice((1, 100, 90_000)))
        for _ in range(rng.choice((0, 2, 50)) if rng.random() < self._evil else 1):
            self._say(answer)

    def _say(self, frame: Frame) -> None:
        self._pending += protocol.encode_frame(frame)

    def _lie(self, frame: Frame) -> Frame:
        rng, payload = self._rng, bytearray(frame.payload)
        what = rng.randrange(6)
        if what == 0:
            payload = bytearray(rng.randbytes(rng.choice((0, 1, 5, 64, 4000))))
        elif what == 1 and payload:
            for _ in range(rng.randint(1, 4)):
                payload[rng.randrange(len(payload))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 2:
            del payload[rng.randrange(len(payload) + 1) :]
        elif what == 3:
            payload[:1] = bytes([rng.randrange(1, 20)])
        elif what == 4:
            return Frame(rng.randrange(256), rng.randrange(256), rng.randrange(65536), frame.sequence, bytes(payload))
        else:
            at = rng.randrange(len(payload) + 1)
            payload[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 30)))
        return Frame(frame.version, frame.type, frame.session, frame.sequence, bytes(payload))

    def _honest(self, command: Command, payload: bytes) -> bytes:
        output = bytes(SIZE)
        paused = struct.pack("<BHII", 1, self._op, SIZE, zlib.crc32(output)) + COST
        done = struct.pack("<B", 0) + COST + struct.pack("<II", 100, zlib.crc32(output))
        answers: dict[Command, Callable[[], bytes]] = {
            Command.HELLO: lambda: hello(inputs=1, outputs=1, ops=OPS, init=0, slot=1 << 16, rest=b"\0"),
            Command.TENSOR_INFO: lambda: tensor_info(),
            Command.INVOKE: lambda: done,
            Command.CONTINUE: lambda: paused,
            Command.READ_OUTPUT: lambda: bytes(min(SIZE, struct.unpack("<HIH", payload)[2])),
            Command.READ_OP_OUTPUT: lambda: bytes(min(SIZE, struct.unpack("<IH", payload)[1])),
            Command.INIT: lambda: struct.pack("<iI", 0, 1000),
            Command.STORED: lambda: struct.pack("<Bi", 1, 0),
            Command.LOAD_MODEL: lambda: struct.pack("<i", 0),
        }
        return OK + answers.get(command, lambda: b"")()


def attack(seed: int, count: int) -> Campaign:
    """Open and use `count` hostile devices."""
    found = Campaign()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        hostile = HostileDevice(rng)
        what = ""
        try:
            _use(hostile, rng)
            found.ended["answered"] += 1
        except McugenError as error:
            found.ended[type(error).__name__] += 1
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} ({str(error)[:80]}) in {Path(frame.filename).name}:{frame.lineno}"
        if hostile.now > LONGEST_S:
            what = f"took {hostile.now:.0f} s"
        if what:
            found.faults.append(f"seed {seed}, device {number}: {what}")
        found.tried += 1
    return found


def _use(hostile: HostileDevice, rng: random.Random) -> None:
    link = Link(hostile, "hostile", clock=hostile.clock, lossless=rng.random() < 0.5)
    with Device(link, name="hostile", timeout=5, paced=rng.random() < 0.5) as device:
        device.warnings()
        sample = [np.zeros(info.shape, info.dtype.numpy) for info in device.inputs]
        uses: tuple[Callable[[], object], ...] = (
            lambda: device.run(sample),
            lambda: device.profile(sample),
            lambda: list(device.layers(sample)),
            lambda: device.stack_used(sample),
            lambda: device.start_model(),
            lambda: device.forget(),
            lambda: device.stored(),
            lambda: device.push_model(bytes(64), "00" * 32),
            lambda: device.reset(),
        )
        for _ in range(rng.randint(1, 4)):
            rng.choice(uses)()

"""The device end of the protocol inside this process, behind a link that does what bad links do, in virtual time."""

from __future__ import annotations

import ctypes
import heapq
import random
import shutil
from _ctypes import dlclose
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from mcugen.device import protocol

LATENCY_S = 0.002
REPLY_BYTES = 1 << 16


class LoadedDouble:
    """The harness and the test double as a library; a class, since a reset loads it afresh."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library, self._folder, self._numbers = library, folder, count()
        self._reply = ctypes.create_string_buffer(REPLY_BYTES)
        self.resets = -1
        self._loaded: ctypes.CDLL | None = None
        self.reset()

    def reset(self) -> None:
        self.close()
        # Under another name: what is loaded already would be the same library, with its memory.
        copy = self._folder / f"double{next(self._numbers)}.so"
        shutil.copy(self._library, copy)
        self._loaded = ctypes.CDLL(str(copy))
        copy.unlink()
        self.resets += 1

    def exchange(self, data: bytes) -> bytes:
        assert self._loaded is not None
        size = self._loaded.double_exchange(data, len(data), self._reply, REPLY_BYTES)
        answer = self._reply.raw[:size]
        if self._loaded.double_was_reset():
            self.reset()
        return answer

    def close(self) -> None:
        if self._loaded is not None:
            dlclose(self._loaded._handle)
            self._loaded = None


@dataclass(frozen=True)
class Faults:
    """Chances per frame, in either direction; `byte_…` per byte; `reset` and `unplug` per request."""

    drop: float = 0
    repeat: float = 0
    delay: float = 0
    corrupt: float = 0
    truncate: float = 0
    garbage: float = 0
    split: float = 0
    byte_drop: float = 0
    byte_repeat: float = 0
    byte_swap: float = 0
    reset: float = 0
    unplug: float = 0
    slow_op: float = 0
    """Seconds that the device needs for an op of a paced inference."""


@dataclass(order=True)
class _Arrival:
    time: float
    number: int
    data: bytes = field(compare=False)
    at_device: bool = field(compare=False)


class BadLink:
    """Frames between a host and a `LoadedDouble`. Nothing waits: the clock jumps to when something happens."""

    def __init__(self, device: LoadedDouble, faults: Faults, seed: int) -> None:
        self.device, self.faults = device, faults
        self.now = 0.0
        self.frames = self.damaged = self.unplugged = 0
        self._random = random.Random(seed)
        self._under_way: list[_Arrival] = []
        self._numbers = count()
        self._busy_until = 0.0

    def clock(self) -> float:
        return self.now

    def connect(self) -> Plug:
        """A transport. An older one is dead, and what is under way to it is lost."""
        self._under_way = [arrival for arrival in self._under_way if arrival.at_device]
        heapq.heapify(self._under_way)
        return Plug(self)

    def pulls_the_plug(self) -> bool:
        pulled = self._random.random() < self.faults.unplug
        self.unplugged += pulled
        return pulled

    def send(self, frame: bytes, *, at_device: bool, start: float) -> None:
        """Put a frame on the wire, with what happens to it there."""
        self.frames += 1
        r, f = self._random, self.faults
        data = self._damage(frame)
        if data != frame:
            self.damaged += 1
        for _ in range(2 if r.random() < f.repeat else 1):
            late = r.expovariate(1.0) if r.random() < f.delay else 0.0
            parts = [data]
            if r.random() < f.split and len(data) > 1:
                cut = r.randrange(1, len(data))
                parts = [data[:cut], data[cut:]]
            for part in parts:
                late += r.random() * f.split
                self._arrive(start + LATENCY_S + late, part, at_device)

    def _damage(self, frame: bytes) -> bytes:
        r, f = self._random, self.faults
        if r.random() < f.drop:
            return b""
        data = bytearray(frame)
        if r.random() < f.corrupt:
            for _ in range(r.randint(1, 3)):
                data[r.randrange(len(data))] ^= 1 << r.randrange(8)
        if r.random() < f.truncate:
            cut = r.randrange(len(data))
            del data[cut : cut + r.randint(1, 20)]
        if r.random() < f.garbage:
            at = r.randrange(len(data) + 1)
            data[at:at] = r.randbytes(r.randint(1, 30))
        if data and r.random() < len(data) * f.byte_drop:
            del data[r.randrange(len(data))]
        if data and r.random() < len(data) * f.byte_repeat:
            at = r.randrange(len(data))
            data.insert(at, data[at])
        if len(data) > 1 and r.random() < len(data) * f.byte_swap:
            at = r.randrange(len(data) - 1)
            data[at], data[at + 1] = data[at + 1], data[at]
        return bytes(data)

    def _arrive(self, time: float, data: bytes, at_device: bool) -> None:
        if data:
            heapq.heappush(self._under_way, _Arrival(time, next(self._numbers), data, at_device))

    def wait(self, timeout: float) -> bytes:
        """What arrives at the host first, up to `timeout` virtual seconds from now."""
        until = self.now + timeout
        while self._under_way and self._under_way[0].time <= until:
            arrival = heapq.heappop(self._under_way)
            self.now = max(self.now, arrival.time)
            if not arrival.at_device:
                return arrival.data
            if arrival.time < self._busy_until:  # it listens when the inference is done
                self._arrive(self._busy_until, arrival.data, at_device=True)
                continue
            if self._random.random() < self.faults.reset:
                self.device.reset()
            self._answer(self.device.exchange(arrival.data))
        self.now = until
        return b""

    def _answer(self, data: bytes) -> None:
        time = self.now
        for part in data.split(b"\0"):
            if not part:
                continue
            if protocol.decode_frame(part).type == protocol.PROGRESS:
                time += self.faults.slow_op
                self._busy_until = time
            self.send(b"\0" + part + b"\0", at_device=False, start=time)


class Plug:
    """A transport: the host's end of a `BadLink`."""

    def __init__(self, link: BadLink) -> None:
        self._link, self._broken = link, False

    def read(self, timeout: float) -> bytes:
        self._check()
        return self._link.wait(timeout)

    def write(self, data: bytes) -> None:
        self._broken = self._broken or self._link.pulls_the_plug()
        self._check()
        self._link.send(data, at_device=True, start=self._link.now)

    def _check(self) -> None:
        if self._broken:
            raise OSError("device disconnected")

    def close(self) -> None:
        self._broken = True

"""A device as a process of the host, behind a link that does what bad links do."""

from __future__ import annotations

import random
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


class PipeTransport:
    """The standard streams of a process."""

    def __init__(self, program: Path, *arguments: str) -> None:
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def read(self, timeout: float) -> bytes:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            return b""
        data: bytes = self.process.stdout.read(65_536)
        if not data:
            raise ConnectionResetError("the program ended")
        return data

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@dataclass(frozen=True)
class Faults:
    """Chances per frame, in either direction."""

    drop: float = 0
    repeat: float = 0
    delay: float = 0
    corrupt: float = 0
    truncate: float = 0
    garbage: float = 0


class LossyTransport:
    """Damages what passes through, frame by frame and by seeded chance.

    A delayed frame is held back and delivered behind a later one, possibly several requests later.
    """

    def __init__(self, inner: PipeTransport, faults: Faults, seed: int) -> None:
        self.inner, self.faults = inner, faults
        self.random = random.Random(seed)
        self.frames = 0
        self._held: dict[str, list[bytes]] = {"out": [], "in": []}
        self._partial = b""

    def _pass(self, direction: str, frame: bytes) -> bytes:
        self.frames += 1
        r, f = self.random, self.faults
        data = bytearray(frame)
        if r.random() < f.corrupt:
            for _ in range(r.randint(1, 3)):
                data[r.randrange(len(data))] ^= 1 << r.randrange(8)
        if r.random() < f.truncate:
            cut = r.randrange(len(data))
            del data[cut : cut + r.randint(1, 20)]
        out = bytes(data)
        if r.random() < f.drop:
            out = b""
        elif r.random() < f.delay:
            self._held[direction].append(out)
            out = b""
        if r.random() < f.repeat:
            out += out
        if r.random() < f.garbage:
            out += r.randbytes(r.randint(1, 30))
        held = self._held[direction]
        while held and r.random() < 0.4:
            out += held.pop(r.randrange(len(held)))
        return out

    def read(self, timeout: float) -> bytes:
        until = time.monotonic() + timeout
        while True:
            self._partial += self.inner.read(max(0, until - time.monotonic()))
            *whole, self._partial = self._partial.split(b"\0")
            out = b"".join(self._pass("in", b"\0" + frame + b"\0") for frame in whole if frame)
            if out or time.monotonic() >= until:
                return out

    def write(self, data: bytes) -> None:
        out = self._pass("out", data)
        if out:
            self.inner.write(out)

    def close(self) -> None:
        self.inner.close()

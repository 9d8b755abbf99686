"""The firmware's harness under hostile bytes, with the sanitizers for addresses and undefined behaviour."""

from __future__ import annotations

import random
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from mcugen.device import protocol
from mcugen.device.link import Link
from mcugen.device.protocol import Command, Frame
from mcugen.errors import DeviceError
from tests.device.build import build_fuzzer, build_host_double
from tests.device.pipe import PipeTransport

PER_PROCESS = 250
"""Requests that one process gets before it must still answer an honest one."""
SIZE = 64


@dataclass
class Campaign:
    """What a campaign found: requests that were sent, processes that were started, and every fault with its seed."""

    requests: int = 0
    processes: int = 0
    faults: list[str] = field(default_factory=list)


def build(folder: Path) -> Path:
    """The harness with a test double of two inputs, as a program that ends at the first wrong address."""
    return build_host_double(folder, size=SIZE, inputs=2, extra=("-fsanitize=address",))


def attack(server: Path, seed: int, processes: int) -> Campaign:
    """Send hostile requests to so many processes."""
    found = Campaign()
    for number in range(processes):
        rng = random.Random(f"{seed}/{number}")
        transport = PipeTransport(server)
        link = Link(transport, "the harness", first_retry=5.0)
        try:
            session = 0
            for _ in range(PER_PROCESS):
                if rng.random() < 0.1:
                    session = rng.randrange(1, 4)
                transport.write(hostile(rng, session))
                found.requests += 1
                while transport.read(0):
                    pass
            transport.write(b"\0")
            link.start_session()
            protocol.parse_hello(link.request(Command.HELLO, timeout=20))
        except (DeviceError, OSError, ValueError) as error:
            found.faults.append(f"seed {seed}, process {number}: {error} (exit {transport.process.poll()})")
        finally:
            found.processes += 1
            transport.process.kill()
            transport.close()
    return found


def search(folder: Path, seed: int, runs: int, *, twin: tuple[str, str] | None = None) -> Campaign:
    """Let libFuzzer search for requests that break the harness: it keeps those that reach new code, and varies them.

    Args:
        folder: an empty one, for the program and what breaks it.
        runs: sessions that are tried, each of some requests.
        twin: as of `build_fuzzer`.
    """
    program = build_fuzzer(folder, size=SIZE, inputs=2, twin=twin)
    options = [f"-runs={runs}", f"-seed={seed + 1}", "-max_len=1024", "-timeout=60", "-rss_limit_mb=2048"]
    done = subprocess.run([program, *options], cwd=folder, capture_output=True, text=True, timeout=3600)
    found = Campaign(runs, 1)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR: " in line or "error: " in line]
        sample = [line for line in done.stderr.splitlines() if line.startswith("Base64: ")]
        found.faults.append(f"seed {seed}: exit {done.returncode}: {' '.join([*said, *sample])}")
    return found


def hostile(rng: random.Random, session: int) -> bytes:
    """The bytes of one request: nearly right, wrong, or no request at all. None is a reset, which ends the process."""
    what = rng.random()
    if what < 0.1:
        return rng.randbytes(rng.choice((1, 10, 300, 2000)))
    command = rng.choice((*(each for each in Command if each is not Command.RESET), rng.randrange(16, 256)))
    payload = _payload(Command(command), rng) if command in Command.__members__.values() else rng.randbytes(8)
    if rng.random() < 0.4:
        payload = _damaged(payload, rng)
    version = 1 if rng.random() < 0.97 else rng.randrange(256)
    data = bytearray(protocol.encode_frame(Frame(version, command, session, rng.randrange(4), payload)))
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _payload(command: Command, rng: random.Random) -> bytes:
    number = rng.choice((0, 0, 1, 2, 65535))
    offset = rng.choice((0, 0, 1, SIZE - 1, SIZE, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF))
    count = rng.choice((0, 1, SIZE, 255, 65535))
    body = rng.randbytes(rng.choice((0, 1, SIZE, 200)))
    return {
        Command.TENSOR_INFO: struct.pack("<BH", rng.choice((0, 1, 2)), number),
        Command.WRITE_INPUT: struct.pack("<HI", number, offset) + body,
        Command.INVOKE: struct.pack("<BI", rng.randrange(8), rng.getrandbits(32)),
        Command.READ_OUTPUT: struct.pack("<HIH", number, offset, count),
        Command.READ_OP_OUTPUT: struct.pack("<IH", offset, count),
        Command.INIT: struct.pack("<I", offset),
        Command.WRITE_MODEL: struct.pack("<I", offset) + body,
        Command.LOAD_MODEL: struct.pack("<II", offset, rng.getrandbits(32)) + rng.randbytes(32),
    }.get(command, b"")


def _damaged(payload: bytes, rng: random.Random) -> bytes:
    data = bytearray(payload)
    if rng.random() < 0.5:
        del data[rng.randrange(len(data) + 1) :]
    else:
        data += rng.randbytes(rng.choice((1, 4, 250)))
    return bytes(data)

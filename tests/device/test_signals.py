"""What a device tells about a signal, from bytes that may be anything."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mcugen.device.protocol import Cost, ProtocolError
from mcugen.device.signals import Told, ToldEvent, parse_push

HEADER = struct.pack("<IHQII", 5, 2, 900, 1, 64)
EVENT = struct.pack("<IIHBQB", 400, 7, 2, 1, (1 << 64) - 3, 1) + struct.pack("<Hq", 2, -3)
ANSWER = HEADER + b"\x01ab" + b"\x07cdxyz" + EVENT


def test_rows_outputs_and_events_are_told() -> None:
    pushed = parse_push(ANSWER, 2, 3)
    assert (pushed.taken, pushed.steps, pushed.cost, pushed.stack) == (5, 2, Cost(900, 1), 64)
    event = ToldEvent(400, 7, 2, 1, -3, ((2, -3),))
    assert [told for _, told in pushed.records] == [Told(b"ab", None, None), Told(b"cd", b"xyz", event)]


def test_long_records_leave_out_what_is_read_later() -> None:
    ((flags, told),) = parse_push(HEADER + b"\x0b", 9000, 3).records
    assert (flags, told) == (11, Told(b"", b"", None))


def test_other_bytes_are_no_answer() -> None:
    for length in set(range(len(ANSWER))) - {len(HEADER), len(HEADER) + 3}:
        with pytest.raises(ProtocolError, match="too short"):
            parse_push(ANSWER[:length], 2, 3)
    for kind in (0, 2, 16, 255):
        with pytest.raises(ProtocolError, match=f"a record of kind {kind}"):
            parse_push(HEADER + bytes([kind]), 2, 3)
    with pytest.raises(ProtocolError, match="an event of kind 3"):
        parse_push(ANSWER[: len(HEADER) + 3] + b"\x05cd" + struct.pack("<IIHBQB", 1, 1, 1, 3, 0, 0), 2, 3)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        noise = rng.integers(0, 256, int(rng.integers(0, 80)), dtype=np.uint8).tobytes()
        try:
            parse_push(HEADER + noise, 2, 3)
        except ProtocolError:
            continue

"""The messages' bytes, without a device."""

from __future__ import annotations

import contextlib
import random
import struct
import zlib

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from mcugen.device import protocol
from mcugen.device.faults import fault_causes
from mcugen.device.protocol import Command, Cost, Frame, ProtocolError
from mcugen.graph.types import DType


@given(st.binary(max_size=700), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_frames_survive_the_wire(payload: bytes, session: int, sequence: int) -> None:
    frame = Frame(1, Command.INVOKE, session, sequence, payload)
    encoded = protocol.encode_frame(frame)
    assert encoded[0] == 0
    assert encoded[-1] == 0
    assert 0 not in encoded[1:-1]
    assert protocol.decode_frame(encoded[1:-1]) == frame


def test_frame_layout_is_the_documented_one() -> None:
    encoded = protocol.encode_frame(Frame(1, 4, 0x1234, 0x5678, b"\x00\xff"))
    raw = bytes.fromhex("01043412785600ff")
    assert cobs.decode(encoded[1:-1]) == raw + struct.pack("<I", zlib.crc32(raw))


def test_any_damage_is_noticed() -> None:
    encoded = protocol.encode_frame(Frame(1, 3, 7, 9, bytes(range(64))))[1:-1]
    rng = random.Random(1)
    for _ in range(3000):
        damaged = bytearray(encoded)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        if bytes(damaged) != encoded:
            with pytest.raises(ProtocolError, match=r"not a COBS block|wrong checksum|too short|version"):
                protocol.decode_frame(bytes(damaged))
    for length in range(len(encoded)):
        with pytest.raises(ProtocolError, match=r"not a COBS block|too short|wrong checksum"):
            protocol.decode_frame(encoded[:length])


def _tensor_info(dtype: int = 2, dims: tuple[int, ...] = (1, 6), nbytes: int = 6, name: bytes = b"x") -> bytes:
    head = struct.pack("<BBIfi", dtype, len(dims), nbytes, 0.5, -3)
    return head + struct.pack(f"<{len(dims)}i", *dims) + bytes([len(name)]) + name


def test_tensor_info() -> None:
    info = protocol.parse_tensor_info(_tensor_info())
    assert (info.name, info.dtype, info.shape, info.nbytes, info.scale, info.zero_point) == (
        "x",
        DType.INT8,
        (1, 6),
        6,
        0.5,
        -3,
    )


@pytest.mark.parametrize(
    "payload",
    [
        _tensor_info(dtype=9),
        _tensor_info(dims=(1, 7)),
        _tensor_info(dims=(-1, -6)),
        _tensor_info(dims=(0, 6), nbytes=0),
        _tensor_info()[:-1],
        _tensor_info() + b"\0",
        b"",
    ],
)
def test_nonsense_tensor_info_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"bytes for a|message that is too (long|short)|element type 9"):
        protocol.parse_tensor_info(payload)


def test_invoke_answers() -> None:
    done = protocol.parse_invoke(struct.pack("<BQIII", 0, 1 << 40, 3, 99, 0xDEADBEEF))
    assert done == protocol.Done(Cost(1 << 40, 3), 99, 0xDEADBEEF)
    paused = protocol.parse_invoke(struct.pack("<BHIIQI", 1, 5, 640, 7, 8, 9))
    assert paused == protocol.Paused(5, 640, 7, Cost(8, 9))
    for bad in (b"", b"\2", struct.pack("<BQII", 0, 1, 2, 3), struct.pack("<BQIIIB", 0, 1, 2, 3, 4, 5)):
        with pytest.raises(ProtocolError, match=r"message that is too (long|short)|inference state 2"):
            protocol.parse_invoke(bad)


@given(st.binary(max_size=300))
def test_parsers_refuse_rather_than_break(payload: bytes) -> None:
    for parse in (protocol.parse_hello, protocol.parse_tensor_info, protocol.parse_invoke, protocol.parse_fault):
        with contextlib.suppress(ProtocolError):
            parse(payload)


def test_fault_causes_are_named() -> None:
    fault = protocol.Fault(3, 0, 0, 0, 0, 1 << 16 | 1 << 9, 1 << 1, 0, 0)
    assert fault_causes(fault) == [
        "bus error on data access",
        "undefined instruction",
        "vector table could not be read",
    ]

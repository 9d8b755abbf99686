"""Every message of the protocol byte by byte as docs/PROTOCOL.md lays it out, and every way to be wrong."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cobs import cobs

from mcugen.device import protocol as p
from mcugen.device.faults import fault_causes
from mcugen.device.protocol import Command, Cost, Counter, Fault, Frame, ProtocolError, Status
from mcugen.graph.types import DType

SHA256 = bytes(range(1, 33))
TOO_SHORT, TOO_LONG = "^a message that is too short$", "^a message that is too long$"


def hello(**changed: Any) -> bytes:
    """The payload of HELLO's answer; every field has another value."""
    fields: dict[str, Any] = {
        "max_payload": 1024,
        "sha256": SHA256,
        "arena": 0x01020304,
        "inputs": 2,
        "outputs": 3,
        "ops": 517,
        "stack": 0x2000,
        "counter": 3,
        "bits": 24,
        "per_interrupt": 21,
        "hz": 64_000_000,
        "overhead": 7,
        "calibration": 65_543,
        "slot": 0x30000,
        "init": -4,
        "ticks": 1 << 40,
        "interrupts": 5,
        "init_stack": 700,
        "build_id": b"\xab\xcd\x00\x01",
        "texts": (b"microbit", b"aot", b"mcugen 1.2", "f\xfcr".encode()),
        "rest": b"\3",
    }
    assert changed.keys() <= fields.keys()
    f = {**fields, **changed}
    head = struct.pack(
        "<H32sIHHHI", *(f[k] for k in ("max_payload", "sha256", "arena", "inputs", "outputs", "ops", "stack"))
    )
    counter = struct.pack("<BBBI", *(f[k] for k in ("counter", "bits", "per_interrupt", "hz")))
    costs = struct.pack(
        "<IIIiQII", *(f[k] for k in ("overhead", "calibration", "slot", "init", "ticks", "interrupts", "init_stack"))
    )
    texts = b"".join(bytes([len(text)]) + text for text in (f["build_id"], *f["texts"]))
    return head + counter + costs + texts + bytes(f["rest"])


def test_hello() -> None:
    assert p.parse_hello(hello()) == p.Hello(
        max_payload=1024,
        model_sha256=SHA256.hex(),
        arena_bytes=0x01020304,
        inputs=2,
        outputs=3,
        ops=517,
        stack_bytes=0x2000,
        counter=Counter.TIMER,
        counter_bits=24,
        instructions_per_interrupt=21,
        counter_hz=64_000_000,
        overhead_ticks=7,
        calibration_ticks=65_543,
        slot_bytes=0x30000,
        init_result=-4,
        init_cost=Cost(1 << 40, 5),
        init_stack=700,
        build_id="abcd0001",
        board="microbit",
        runtime="aot",
        generator="mcugen 1.2",
        model="für",
        has_watchdog=True,
    )


@pytest.mark.parametrize(
    ("rest", "watchdog"), [(b"", False), (b"\0", False), (b"\1", True), (b"\2", False), (b"\3", True)]
)
def test_hello_of_older_and_newer_firmware(rest: bytes, watchdog: bool) -> None:
    assert p.parse_hello(hello(rest=rest)).has_watchdog is watchdog


def test_the_watchdog_is_no_part_of_a_plain_hello() -> None:
    known = vars(p.parse_hello(hello(rest=b"")))
    del known["has_watchdog"]
    assert p.Hello(**known).has_watchdog is False


@pytest.mark.parametrize("max_payload", [256, 65_535])
def test_payloads_of_the_smallest_and_the_largest_size(max_payload: int) -> None:
    assert p.parse_hello(hello(max_payload=max_payload)).max_payload == max_payload


@pytest.mark.parametrize(("kind", "bits"), [(0, 0), (1, 32), (2, 24), (3, 64), (4, 64)])
def test_every_kind_of_counter(kind: int, bits: int) -> None:
    parsed = p.parse_hello(hello(counter=kind, bits=bits))
    assert (parsed.counter, parsed.counter_bits) == (Counter(kind), bits)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (hello(max_payload=255), "^a payload size of 255$"),
        (hello(max_payload=0), "^a payload size of 0$"),
        (hello(counter=5), "^counter kind 5 of 24 bits$"),
        (hello(bits=65), "^counter kind 3 of 65 bits$"),
        (hello(rest=b"\1\0"), "^firmware of several models, but 0$"),
        (hello(rest=b"\1\1"), "^firmware of several models, but 1$"),
        (hello(rest=b"\1\2\0"), TOO_LONG),
        (hello()[:-2], TOO_SHORT),
        (hello()[:1], TOO_SHORT),
        (b"", TOO_SHORT),
    ],
)
def test_nonsense_hello(payload: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        p.parse_hello(payload)


def test_text_that_is_no_utf8_is_shown_as_far_as_it_goes() -> None:
    assert p.parse_hello(hello(texts=(b"a\xffb", b"", b"", b""))).board == "a\ufffdb"


def tensor_info(code: int = 2, shape: tuple[int, ...] = (1, 6), nbytes: int = 6, name: bytes = b"x") -> bytes:
    return struct.pack(f"<BBIfi{len(shape)}i", code, len(shape), nbytes, 0.5, -3, *shape) + bytes([len(name)]) + name


CODES = {1: DType.FLOAT32, 2: DType.INT8, 3: DType.UINT8, 4: DType.INT16, 5: DType.INT32, 6: DType.BOOL}


@pytest.mark.parametrize("code", CODES)
def test_tensor_info_of_every_type(code: int) -> None:
    dtype = CODES[code]
    info = p.parse_tensor_info(tensor_info(code, (2, 1, 3), 6 * dtype.itemsize, b"name"))
    assert info == p.TensorInfo("name", dtype, (2, 1, 3), 6 * dtype.itemsize, 0.5, -3)


def test_tensor_info_of_a_single_value() -> None:
    assert p.parse_tensor_info(tensor_info(2, (), 1, b"")) == p.TensorInfo("", DType.INT8, (), 1, 0.5, -3)


def test_a_tensor_that_is_not_quantized_has_scale_0() -> None:
    payload = struct.pack("<BBIfii", 1, 1, 8, 0.0, 0, 2) + b"\1x"
    assert p.parse_tensor_info(payload) == p.TensorInfo("x", DType.FLOAT32, (2,), 8, 0.0, 0)


MOST = 64 * 1024 * 1024


def test_sizes_are_believed_up_to_64_mib() -> None:
    assert p.parse_tensor_info(tensor_info(2, (MOST,), MOST)).nbytes == MOST
    with pytest.raises(ProtocolError, match=f"^a tensor of {MOST + 1} bytes$"):
        p.parse_tensor_info(tensor_info(2, (MOST + 1,), MOST + 1))
    assert p.parse_invoke(struct.pack("<BHIIQI", 1, 5, MOST, 7, 8, 9)) == p.Paused(5, MOST, 7, Cost(8, 9))
    with pytest.raises(ProtocolError, match=f"^an op's output of {MOST + 1} bytes$"):
        p.parse_invoke(struct.pack("<BHIIQI", 1, 5, MOST + 1, 7, 8, 9))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (tensor_info(code=0), "^element type 0$"),
        (tensor_info(code=7), "^element type 7$"),
        (tensor_info(shape=(1, 7)), r"^6 bytes for a int8 tensor of shape \(1, 7\)$"),
        (tensor_info(shape=(-1, -6)), r"^6 bytes for a int8 tensor of shape \(-1, -6\)$"),
        (tensor_info(shape=(0, 6), nbytes=0), r"^0 bytes for a int8 tensor of shape \(0, 6\)$"),
        (tensor_info(code=4), r"^6 bytes for a int16 tensor of shape \(1, 6\)$"),
        (struct.pack("<BBIfi2i", 2, 2, 6, float("nan"), 0, 1, 6) + b"\1x", "^a scale of nan$"),
        (struct.pack("<BBIfi2i", 2, 2, 6, float("inf"), 0, 1, 6) + b"\1x", "^a scale of inf$"),
        (struct.pack("<BBIfi2i", 2, 2, 6, -0.5, 0, 1, 6) + b"\1x", "^a scale of -0.5$"),
        (tensor_info(shape=(1 << 16, 1 << 11), nbytes=1 << 27), "^a tensor of 134217728 bytes$"),
        (tensor_info()[:-1], TOO_SHORT),
        (tensor_info() + b"\0", TOO_LONG),
    ],
)
def test_nonsense_tensor_info(payload: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        p.parse_tensor_info(payload)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (p.tensor_info_request(False, 0x0201), "000102"),
        (p.tensor_info_request(True, 3), "010300"),
        (p.write_input_request(0x0102, 0x03040506, b"ab"), "0201060504036162"),
        (p.invoke_request(5, 0x01020304), "0504030201"),
        (p.init_request(0x01020304), "04030201"),
        (p.write_model_request(0x01020304, b"z"), "040302017a"),
        (p.read_op_output_request(0x01020304, 0x0506), "040302010605"),
        (p.read_output_request(0x0102, 0x03040506, 0x0708), "0201060504030807"),
    ],
)
def test_requests(made: bytes, wanted: str) -> None:
    assert made.hex() == wanted


def test_hello_says_how_many_models() -> None:
    assert p.parse_hello(hello(rest=b"\1")).models == 1
    assert p.parse_hello(hello(rest=b"\0\3")).models == 3


def test_request_to_load_a_model() -> None:
    data = b"a model"
    made = p.load_model_request(data, SHA256.hex())
    assert made == struct.pack("<II", 7, zlib.crc32(data)) + hashlib.sha256(data).digest() + SHA256


def test_what_requests_add_to_their_data() -> None:
    assert len(p.write_input_request(0, 0, b"")) == p.WRITE_OVERHEAD
    assert len(p.write_model_request(0, b"")) == p.WRITE_MODEL_OVERHEAD
    assert len(bytes([Status.OK])) == p.READ_OVERHEAD
    assert (p.MIN_PAYLOAD, p.MAX_PAYLOAD) == (256, 0xFFFF)
    assert (p.PAUSE, p.MEASURE_STACK, p.PACE) == (1, 2, 4)
    assert (p.RESPONSE, p.PROGRESS, p.FAULT) == (0x80, 0xFE, 0xFF)
    assert p.CALIBRATION_INSTRUCTIONS == 1 << 16


def test_numbers_of_the_documentation() -> None:
    assert [(c.name, c.value) for c in Command] == [
        ("HELLO", 1),
        ("TENSOR_INFO", 2),
        ("WRITE_INPUT", 3),
        ("INVOKE", 4),
        ("CONTINUE", 5),
        ("READ_OP_OUTPUT", 6),
        ("READ_OUTPUT", 7),
        ("RESET", 8),
        ("INIT", 9),
        ("WRITE_MODEL", 10),
        ("LOAD_MODEL", 11),
        ("ERROR_TEXT", 12),
        ("STORED", 13),
        ("SELECT_MODEL", 14),
        ("APP_RESET", 15),
        ("APP_PUSH", 16),
        ("APP_ROW", 17),
        ("TRAIN_INFO", 18),
        ("TRAIN_RESET", 19),
        ("TRAIN_RATE", 20),
        ("TRAIN_STEP", 21),
        ("PREDICT", 22),
        ("HEAD_GET", 23),
        ("HEAD_SET", 24),
        ("HEAD_KEEP", 25),
    ]
    assert [(s.name, s.value) for s in Status] == [
        ("OK", 0),
        ("BAD_VERSION", 1),
        ("BAD_COMMAND", 2),
        ("BAD_LENGTH", 3),
        ("BAD_INDEX", 4),
        ("BAD_RANGE", 5),
        ("BAD_INPUT", 6),
        ("BAD_STATE", 7),
        ("MODEL_FAILED", 8),
        ("NO_SESSION", 9),
        ("STACK_OVERFLOW", 10),
    ]
    assert [(c.name, c.value) for c in Counter] == [
        ("NONE", 0),
        ("DWT", 1),
        ("SYSTICK", 2),
        ("TIMER", 3),
        ("MCYCLE", 4),
    ]


INTEGERS: list[tuple[Callable[[bytes], object], bytes, object]] = [
    (p.parse_invoke, struct.pack("<BQIII", 0, 1 << 40, 3, 99, 0xDEADBEEF), p.Done(Cost(1 << 40, 3), 99, 0xDEADBEEF)),
    (p.parse_invoke, struct.pack("<BQII", 2, 1 << 40, 3, 99), p.Done(Cost(1 << 40, 3), 99, 0, complete=False)),
    (p.parse_invoke, struct.pack("<BHIIQI", 1, 5, 640, 7, 8, 9), p.Paused(5, 640, 7, Cost(8, 9))),
    (p.parse_progress, struct.pack("<H", 0x0102), 0x0102),
    (p.parse_init, struct.pack("<iI", -4, 0xFFFFFFF0), p.Started(-4, 0xFFFFFFF0)),
    (p.parse_load, struct.pack("<i", -9), -9),
    (p.parse_stored, struct.pack("<Bi", 0, -8), p.Stored(False, -8)),
    (p.parse_stored, struct.pack("<Bi", 1, 1), p.Stored(True, 1)),
    (p.parse_stored, struct.pack("<Bi", 2, 0), p.Stored(True, 0)),
    (p.parse_fault, struct.pack("<9I", *range(0xFFFFFFF0, 0xFFFFFFF9)), Fault(*range(0xFFFFFFF0, 0xFFFFFFF9))),
]


@pytest.mark.parametrize(("parse", "payload", "wanted"), INTEGERS)
def test_answers(parse: Callable[[bytes], object], payload: bytes, wanted: object) -> None:
    assert parse(payload) == wanted
    with pytest.raises(ProtocolError, match=TOO_LONG):
        parse(payload + b"\0")
    for length in range(len(payload)):
        with pytest.raises(ProtocolError, match=TOO_SHORT):
            parse(payload[:length])


def test_a_pause_after_some_rows() -> None:
    rows = struct.pack("<BHIIQIII", 1, 5, 64, 7, 8, 9, 128, 640)
    assert p.parse_invoke(rows) == p.Paused(5, 64, 7, Cost(8, 9), 128, 640)
    with pytest.raises(ProtocolError, match=r"^bytes 577 to 641 of an op's output of 640$"):
        p.parse_invoke(struct.pack("<BHIIQIII", 1, 5, 64, 7, 8, 9, 577, 640))


def test_an_inference_in_no_known_state() -> None:
    with pytest.raises(ProtocolError, match=r"^inference state 3$"):
        p.parse_invoke(b"\3")


def test_a_frame_is_laid_out_as_documented() -> None:
    raw = bytes.fromhex("01043412785600ff")
    encoded = p.encode_frame(Frame(1, 4, 0x1234, 0x5678, b"\x00\xff"))
    assert encoded == b"\0" + cobs.encode(raw + struct.pack("<I", zlib.crc32(raw))) + b"\0"
    assert p.decode_frame(encoded[1:-1]) == Frame(1, 4, 0x1234, 0x5678, b"\x00\xff")
    empty = Frame(1, 1, 2, 3, b"")
    assert p.decode_frame(p.encode_frame(empty)[1:-1]) == empty
    assert p.VERSION == 1


def with_crc(body: bytes, crc: int | None = None) -> bytes:
    return bytes(cobs.encode(body + struct.pack("<I", zlib.crc32(body) if crc is None else crc)))


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\5ab", "^not a COBS block$"),
        (b"", "^too short$"),
        (with_crc(b"\1\2\3\4\5"), "^too short$"),
        (with_crc(b"\1\2\3\4\5\6", 0), "^wrong checksum$"),
        (with_crc(b"\1\2\3\4\5\6\7")[:-1], "^not a COBS block$"),
    ],
)
def test_what_is_no_frame(encoded: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        p.decode_frame(encoded)


def test_every_cause_of_a_fault() -> None:
    """The bits of CFSR by the Armv7-M manual: MMFSR from bit 0, BFSR from 8, UFSR from 16, with the gaps it has."""
    names = {bit: fault_causes(Fault(3, 0, 0, 0, 0, 1 << bit, 0, 0, 0)) for bit in range(32)}
    told = {bit: causes for bit, causes in names.items() if causes}
    assert sorted(told) == [0, 1, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 24, 25]
    assert all(len(causes) == 1 for causes in told.values())
    assert (told[1], told[9], told[16], told[25]) == (
        ["data access refused"],
        ["bus error on data access"],
        ["undefined instruction"],
        ["division by zero"],
    )
    for bit in range(32):
        by_hfsr = fault_causes(Fault(3, 0, 0, 0, 0, 0, 1 << bit, 0, 0))
        assert by_hfsr == (["vector table could not be read"] if bit == 1 else [])
    both = fault_causes(Fault(3, 0, 0, 0, 0, 1 << 9, 1 << 1 | 1 << 30, 0, 0))
    assert both == ["bus error on data access", "vector table could not be read"]


def test_errors_of_the_tflm_runtime_are_numbered_from_the_top() -> None:
    assert list(p.MODEL_ERRORS) == list(range(-1, -15, -1))
    assert p.MODEL_ERRORS[p.ARENA_TOO_SMALL] == "the arena is too small"

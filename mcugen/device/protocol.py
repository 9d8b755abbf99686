"""The messages between host and device, as typed values: docs/PROTOCOL.md describes their bytes.

Everything here is pure: bytes in, dataclasses out. Anything that does not fit raises `ProtocolError`.
"""

from __future__ import annotations

import enum
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass, replace

from cobs import cobs

from mcugen.graph.types import DType

VERSION = 1
HEADER = struct.Struct("<BBHH")
CRC_BYTES = 4
MIN_PAYLOAD, MAX_PAYLOAD = 256, 65_535
RESPONSE = 0x80
PROGRESS = 0xFE
FAULT = 0xFF
WRITE_OVERHEAD, WRITE_MODEL_OVERHEAD, READ_OVERHEAD = 6, 4, 1


class ProtocolError(Exception):
    """Bytes that are not what the protocol says. Not a user's error: the link turns it into one."""


class Command(enum.IntEnum):
    HELLO = 0x01
    TENSOR_INFO = 0x02
    WRITE_INPUT = 0x03
    INVOKE = 0x04
    CONTINUE = 0x05
    READ_OP_OUTPUT = 0x06
    READ_OUTPUT = 0x07
    RESET = 0x08
    INIT = 0x09
    WRITE_MODEL = 0x0A
    LOAD_MODEL = 0x0B
    ERROR_TEXT = 0x0C
    STORED = 0x0D
    SELECT_MODEL = 0x0E
    APP_RESET = 0x0F
    APP_PUSH = 0x10
    APP_ROW = 0x11
    TRAIN_INFO = 0x12
    TRAIN_RESET = 0x13
    TRAIN_RATE = 0x14
    TRAIN_STEP = 0x15
    PREDICT = 0x16
    HEAD_GET = 0x17
    HEAD_SET = 0x18
    HEAD_KEEP = 0x19


class Status(enum.IntEnum):
    OK = 0
    BAD_VERSION = 1
    BAD_COMMAND = 2
    BAD_LENGTH = 3
    BAD_INDEX = 4
    BAD_RANGE = 5
    BAD_INPUT = 6
    BAD_STATE = 7
    MODEL_FAILED = 8
    NO_SESSION = 9
    STACK_OVERFLOW = 10


class Counter(enum.IntEnum):
    NONE = 0
    DWT = 1
    SYSTICK = 2
    TIMER = 3
    MCYCLE = 4


PAUSE, MEASURE_STACK, PACE = 1, 2, 4
"""Flags of INVOKE."""

_DTYPES = {
    1: DType.FLOAT32,
    2: DType.INT8,
    3: DType.UINT8,
    4: DType.INT16,
    5: DType.INT32,
    6: DType.BOOL,
}


@dataclass(frozen=True)
class Frame:
    version: int
    type: int
    session: int
    sequence: int
    payload: bytes


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the wire, delimiters included."""
    raw = HEADER.pack(frame.version, frame.type, frame.session, frame.sequence) + frame.payload
    return b"\0" + bytes(cobs.encode(raw + struct.pack("<I", zlib.crc32(raw)))) + b"\0"


def decode_frame(encoded: bytes) -> Frame:
    """The frame in the bytes between two delimiters."""
    try:
        raw = cobs.decode(encoded)
    except cobs.DecodeError as error:
        raise ProtocolError("not a COBS block") from error
    if len(raw) < HEADER.size + CRC_BYTES:
        raise ProtocolError("too short")
    body, crc = raw[:-CRC_BYTES], raw[-CRC_BYTES:]
    if struct.pack("<I", zlib.crc32(body)) != crc:
        raise ProtocolError("wrong checksum")
    version, kind, session, sequence = HEADER.unpack_from(body)
    return Frame(version, kind, session, sequence, body[HEADER.size :])


class _Reader:
    """Takes fields off the front of a payload."""

    def __init__(self, payload: bytes) -> None:
        self._rest = payload

    @property
    def left(self) -> int:
        return len(self._rest)

    def take(self, count: int) -> bytes:
        if count > len(self._rest):
            raise ProtocolError("a message that is too short")
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def integer(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def float32(self) -> float:
        (value,) = struct.unpack("<f", self.take(4))
        return float(value)

    def text(self) -> str:
        return self.take(self.integer(1)).decode("utf-8", "replace")

    def cost(self) -> Cost:
        return Cost(self.integer(8), self.integer(4))

    def finish(self) -> None:
        if self._rest:
            raise ProtocolError("a message that is too long")


@dataclass(frozen=True)
class Cost:
    """`ticks` of the device's counter, in which its overflow interrupt ran `interrupts` times."""

    ticks: int
    interrupts: int


@dataclass(frozen=True)
class Hello:
    """What a device says of itself.

    Attributes:
        max_payload: bytes a frame's payload can have.
        model_sha256: of the model file that the firmware was made from, in hex.
        counter_bits: width of the counter; costs are modulo 2**counter_bits ticks.
        counter_hz: rate of the counter on real hardware.
        overhead_ticks: ticks of an empty measurement, contained in every cost.
        calibration_ticks: ticks that 65,536 instructions of a known loop took.
        slot_bytes: the largest model that can replace the running one; 0 where none can.
        init_result: 0, or the model's negative error.
        init_stack, stack_bytes: stack that init used, and that is reserved.
        build_id: of the running firmware, in hex.
        has_watchdog: its watchdog must be fed between ops, so that inferences must be paced.
        models: how many models the firmware has, of which it runs one at a time.
        pieces: where rows flow through ops, how many stripes and other ops an inference takes; else 0.
        row_bytes: of an input that is brought row by row, else 0.
        frame_bytes, front_bytes: of a frame of the signal that the firmware takes, and of a row of its front end; 0
            where it takes none.
    """

    max_payload: int
    model_sha256: str
    arena_bytes: int
    inputs: int
    outputs: int
    ops: int
    stack_bytes: int
    counter: Counter
    counter_bits: int
    instructions_per_interrupt: int
    counter_hz: int
    overhead_ticks: int
    calibration_ticks: int
    slot_bytes: int
    init_result: int
    init_cost: Cost
    init_stack: int
    build_id: str
    board: str
    runtime: str
    generator: str
    model: str
    has_watchdog: bool = False
    models: int = 1
    pieces: int = 0
    row_bytes: int = 0
    frame_bytes: int = 0
    front_bytes: int = 0


CALIBRATION_INSTRUCTIONS = 65_536

_HAS_WATCHDOG, _HAS_ROWS, _HAS_APP = 1, 2, 4
MOST_PIECES = 1 << 20
"""More stops than any inference makes: a number beyond it is not believed."""


def parse_hello(payload: bytes) -> Hello:
    r = _Reader(payload)
    max_payload = r.integer(2)
    if not MIN_PAYLOAD <= max_payload <= MAX_PAYLOAD:
        raise ProtocolError(f"a payload size of {max_payload}")
    sha256, arena = r.take(32).hex(), r.integer(4)
    inputs, outputs, ops, stack_bytes = r.integer(2), r.integer(2), r.integer(2), r.integer(4)
    kind, bits, per_interrupt, hz = r.integer(1), r.integer(1), r.integer(1), r.integer(4)
    if kind not in Counter.__members__.values() or bits > 64:
        raise ProtocolError(f"counter kind {kind} of {bits} bits")
    hello = Hello(
        max_payload=max_payload,
        model_sha256=sha256,
        arena_bytes=arena,
        inputs=inputs,
        outputs=outputs,
        ops=ops,
        stack_bytes=stack_bytes,
        counter=Counter(kind),
        counter_bits=bits,
        instructions_per_interrupt=per_interrupt,
        counter_hz=hz,
        overhead_ticks=r.integer(4),
        calibration_ticks=r.integer(4),
        slot_bytes=r.integer(4),
        init_result=r.integer(4, signed=True),
        init_cost=r.cost(),
        init_stack=r.integer(4),
        build_id=r.take(r.integer(1)).hex(),
        board=r.text(),
        runtime=r.text(),
        generator=r.text(),
        model=r.text(),
    )
    flags = r.integer(1) if r.left else 0  # older firmware ends here
    pieces, row_bytes = (r.integer(4), r.integer(4)) if flags & _HAS_ROWS and r.left >= 8 else (0, 0)
    if row_bytes > MAX_TENSOR_BYTES or pieces > MOST_PIECES:
        raise ProtocolError(f"{pieces} pieces, rows of {row_bytes} bytes")
    frame, front = (r.integer(2), r.integer(4)) if flags & _HAS_APP else (0, 0)
    if front > MAX_TENSOR_BYTES or (flags & _HAS_APP and not frame):
        raise ProtocolError(f"frames of {frame} bytes, rows of {front}")
    models = _models(r) if r.left else 1  # and firmware of one model here
    r.finish()
    watched = flags & _HAS_WATCHDOG != 0
    flow = replace(hello, pieces=pieces, row_bytes=row_bytes, frame_bytes=frame, front_bytes=front)
    return replace(flow, has_watchdog=watched, models=models)


def _models(r: _Reader) -> int:
    models = r.integer(1)
    if models < 2:
        raise ProtocolError(f"firmware of several models, but {models}")
    return models


MAX_TENSOR_BYTES = 64 << 20
"""More than any microcontroller's memory: a size beyond it is not believed."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the device's model; `scale` is 0 where it is not quantized.

    Names are cut at 31 bytes.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    nbytes: int
    scale: float
    zero_point: int


def tensor_info_request(is_output: bool, index: int) -> bytes:
    return struct.pack("<BH", is_output, index)


def parse_tensor_info(payload: bytes) -> TensorInfo:
    r = _Reader(payload)
    code, rank, nbytes = r.integer(1), r.integer(1), r.integer(4)
    scale, zero_point = r.float32(), r.integer(4, signed=True)
    shape = tuple(r.integer(4, signed=True) for _ in range(rank))
    name = r.text()
    r.finish()
    if code not in _DTYPES:
        raise ProtocolError(f"element type {code}")
    if not (math.isfinite(scale) and scale >= 0):
        raise ProtocolError(f"a scale of {scale}")
    if nbytes > MAX_TENSOR_BYTES:
        raise ProtocolError(f"a tensor of {nbytes} bytes")
    dtype = _DTYPES[code]
    if any(size < 1 for size in shape) or math.prod(shape) * dtype.itemsize != nbytes:
        raise ProtocolError(f"{nbytes} bytes for a {dtype.value} tensor of shape {shape}")
    return TensorInfo(name, dtype, shape, nbytes, scale, zero_point)


def write_input_request(index: int, offset: int, data: bytes) -> bytes:
    return struct.pack("<HI", index, offset) + data


def invoke_request(flags: int, inputs_crc: int) -> bytes:
    return struct.pack("<BI", flags, inputs_crc)


@dataclass(frozen=True)
class Done:
    """A finished inference, or a row that was taken where more are to come (`complete` is False then).

    `stack` is 0 unless it was asked for; `outputs_crc` is over all outputs in order.
    """

    cost: Cost
    stack: int
    outputs_crc: int
    complete: bool = True


@dataclass(frozen=True)
class Paused:
    """An inference that waits after op `op`, whose first output has `nbytes` bytes and checksum `crc`.

    Where rows flow through ops, it has made those from byte `offset` of `total`; else both are 0.
    """

    op: int
    nbytes: int
    crc: int
    cost: Cost
    offset: int = 0
    total: int = 0


def parse_invoke(payload: bytes) -> Done | Paused:
    r = _Reader(payload)
    state = r.integer(1)
    result: Done | Paused
    if state == 0:
        result = Done(r.cost(), r.integer(4), r.integer(4))
    elif state == 1:
        op, nbytes, crc = r.integer(2), r.integer(4), r.integer(4)
        if nbytes > MAX_TENSOR_BYTES:
            raise ProtocolError(f"an op's output of {nbytes} bytes")
        cost = r.cost()
        offset, total = (r.integer(4), r.integer(4)) if r.left >= 8 else (0, 0)
        if total > MAX_TENSOR_BYTES or (total and offset + nbytes > total):
            raise ProtocolError(f"bytes {offset} to {offset + nbytes} of an op's output of {total}")
        result = Paused(op, nbytes, crc, cost, offset, total)
    elif state == 2:
        result = Done(r.cost(), r.integer(4), 0, complete=False)
    else:
        raise ProtocolError(f"inference state {state}")
    r.finish()
    return result


def parse_progress(payload: bytes) -> int:
    """The number of the op that is done."""
    r = _Reader(payload)
    op = r.integer(2)
    r.finish()
    return op


@dataclass(frozen=True)
class Started:
    """What starting the model gave: `result` 0 or its negative error, and the bytes of the arena in use."""

    result: int
    arena_used: int


def init_request(arena_bytes: int) -> bytes:
    return struct.pack("<I", arena_bytes)


def parse_init(payload: bytes) -> Started:
    r = _Reader(payload)
    started = Started(r.integer(4, signed=True), r.integer(4))
    r.finish()
    return started


def write_model_request(offset: int, data: bytes) -> bytes:
    return struct.pack("<I", offset) + data


def load_model_request(flatbuffer: bytes, model_sha256: str) -> bytes:
    digest = hashlib.sha256(flatbuffer).digest()
    return struct.pack("<II", len(flatbuffer), zlib.crc32(flatbuffer)) + digest + bytes.fromhex(model_sha256)


def parse_load(payload: bytes) -> int:
    r = _Reader(payload)
    result = r.integer(4, signed=True)
    r.finish()
    return result


@dataclass(frozen=True)
class Stored:
    """Models that outlive a reset.

    Attributes:
        keeps: a model that is sent is kept over a reset.
        state: 1 if such a model runs, 0 if there is none, or the negative reason why one was not taken.
    """

    keeps: bool
    state: int


def parse_stored(payload: bytes) -> Stored:
    r = _Reader(payload)
    stored = Stored(r.integer(1) != 0, r.integer(4, signed=True))
    r.finish()
    return stored


MODEL_ERRORS = {
    -1: "its flatbuffer does not begin as a model does",
    -2: "its schema has another version than TensorFlow Lite Micro's",
    -3: "the op resolver refused an op",
    -4: "the arena is too small",
    -5: "an op refuses its tensors",
    -6: "an op failed",
    -7: "it is larger than the slot",
    -8: "it did not arrive as it was sent",
    -9: "it is not a sound model",
    -10: "it uses an op, or a type of tensors, that this firmware does not have",
    -11: "its inputs or outputs are not those of this firmware's model",
    -12: "the flash for it could not be written",
    -13: "a custom op is not written yet, in lib/mcg_model/mcg_custom_ops.cc",
    -14: "its first inference never came to its end",
}
"""The TFLM runtime's errors in words; `mcg_model.h` of such a firmware has their names."""

ARENA_TOO_SMALL = -4


def read_op_output_request(offset: int, count: int) -> bytes:
    return struct.pack("<IH", offset, count)


def read_output_request(index: int, offset: int, count: int) -> bytes:
    return struct.pack("<HIH", index, offset, count)


@dataclass(frozen=True)
class Fault:
    """Why a device's program stopped. Status registers are 0 on cores that have none (Cortex-M0)."""

    exception: int
    pc: int
    lr: int
    sp: int
    xpsr: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int


def parse_fault(payload: bytes) -> Fault:
    r = _Reader(payload)
    fault = Fault(*(r.integer(4) for _ in range(9)))
    r.finish()
    return fault

"""A running device: the model on a board, or on the emulated board, as an object that answers."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.boards import Board, Emulator
from mcugen.build.identity import build_id
from mcugen.device import protocol
from mcugen.device.faults import explain_fault
from mcugen.device.link import DeviceFault, Link, Refusal, SerialTransport, status_name
from mcugen.device.protocol import (
    Command,
    Cost,
    Counter,
    Done,
    Hello,
    Paused,
    ProtocolError,
    Started,
    Status,
    Stored,
    TensorInfo,
)
from mcugen.device.qemu import QemuEmulator
from mcugen.errors import DataError, DeviceError

DEFAULT_TIMEOUT_S = 60.0
DEFAULT_BAUD = 115_200
REQUEST_TIMEOUT_S = 10.0
"""Everything but inference answers at once; this leaves room for a busy host."""
CALIBRATION_SLACK = 10
"""Instructions around the calibration loop: its call and set-up."""


class ModelStartError(DeviceError):
    """The device answers, but its model did not start. `code` is the model's error."""

    def __init__(self, what: str, where: str, hint: str, code: int) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code


class WrongFirmwareError(DeviceError):
    """The device answers, but it is another board, or runs another firmware or model than it should."""


class Device:
    """A model on a board. A context manager; made by `open_device`.

    Costs are in `cost_unit`: "instructions" on an emulator that counts them exactly, "cycles" on hardware, "ticks"
    where the counter's meaning is not known.

    Args:
        name: the device in messages.
        board: tells how the emulator's counter runs; without it costs are raw ticks.
        emulated: the emulator was started by us, so its counter must run as the board says.
        elf: the firmware, to find the function and line of a fault.
        timeout: seconds an inference may take.
        on_close: called after the link is closed.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str = "device",
        board: Board | None = None,
        emulated: bool = False,
        elf: Path | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._link, self._name, self._elf, self._timeout = link, name, elf, timeout
        self._board, self._closed = board, False
        self._on_close = on_close
        link.start_session()
        self.hello: Hello = self._ask(Command.HELLO, protocol.parse_hello, timeout=max(REQUEST_TIMEOUT_S, timeout))
        self._emulator = _counting_emulator(self.hello, board)
        if emulated and self._emulator is None:
            raise self._error(
                f"the emulator's counter is off: {self.hello.calibration_ticks} ticks for "
                f"{protocol.CALIBRATION_INSTRUCTIONS} instructions"
            )
        if self.hello.init_result != 0:
            raise self._start_error(self.hello.init_result)
        self.inputs = self._tensors(False, self.hello.inputs)
        self.outputs = self._tensors(True, self.hello.outputs)

    @property
    def cost_unit(self) -> str:
        if self._emulator is not None:
            return "instructions"
        # A core with DWT that counts by SysTick is an emulator of unknown speed.
        has_dwt = self._board is None or not self._board.cpu.startswith("cortex-m0")
        unknown = self.hello.counter == Counter.NONE or (self.hello.counter == Counter.SYSTICK and has_dwt)
        return "ticks" if unknown else "cycles"

    @property
    def init_cost(self) -> int:
        """Cost of the model's init."""
        return self._cost(self.hello.init_cost)

    @property
    def init_stack(self) -> int:
        """Bytes of stack that the model's init used."""
        return self.hello.init_stack

    def stored(self) -> Stored:
        """Whether models that are sent outlive a reset, and whether one runs."""
        if self.hello.slot_bytes == 0:
            return Stored(False, 0)
        found: Stored = self._ask(Command.STORED, protocol.parse_stored)
        return found

    def warnings(self) -> tuple[str, ...]:
        """What a person must know about what the device runs."""
        state = self.stored().state
        if state >= 0:
            return ()
        why = protocol.MODEL_ERRORS.get(state, f"error {state}")
        return (f"the model that was sent to the device and kept there does not run ({why}): push it again",)

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """The model's (inputs, outputs)."""
        return self.inputs, self.outputs

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], int]:
        """One inference: the outputs and its cost.

        Args:
            inputs: one array per input, of its dtype, with its number of elements.

        Raises:
            DataError: inputs that do not fit the model.
            DeviceError: no answer, a fault, or an error of the model.
        """
        started = time.monotonic()
        done = self._invoke(inputs, 0)
        if not isinstance(done, Done):
            raise self._error("it paused, though it was not asked to")
        self._check_counter_range(time.monotonic() - started)
        return self._read_outputs(done), self._cost(done.cost)

    def profile(self, inputs: Sequence[NDArray[Any]]) -> list[int]:
        """Cost of every op, in the order of the plan. Each includes a call through a pointer, a few instructions."""
        return [self._cost(paused.cost) for paused in self._steps(inputs)]

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        """One inference: (op number, raw bytes of its first output) after every op.

        The iterator must be used up, or closed, before the next request.
        """
        with contextlib.closing(self._steps(inputs)) as steps:
            for paused in steps:
                request = protocol.read_op_output_request
                data = self._read_blocks(Command.READ_OP_OUTPUT, request, paused.nbytes)
                if zlib.crc32(data) != paused.crc:
                    raise self._error(f"the output of op {paused.op} changed while it was read")
                yield paused.op, data

    def stack_used(self, inputs: Sequence[NDArray[Any]]) -> int:
        """Bytes of stack that an inference uses, found by painting the stack before it."""
        done = self._invoke(inputs, protocol.MEASURE_STACK)
        if not isinstance(done, Done):
            raise self._error("it paused, though it was not asked to")
        return done.stack

    def reset(self) -> None:
        """Reset the device and say hello again. Works after a fault as well."""
        try:
            self._request(Command.RESET)
        except Refusal as refusal:
            if refusal.status != Status.NO_SESSION:  # it was reset, and only its answer got lost
                raise self._refused(refusal) from refusal
        self._link.start_session()
        self.hello = self._ask(Command.HELLO, protocol.parse_hello)

    def start_model(self, arena_bytes: int = 0) -> Started:
        """Start the model afresh: it forgets what it kept between inferences.

        Args:
            arena_bytes: how much of the arena it may use; 0 for all. Other values only with the TFLM runtime.

        Raises:
            DeviceError: no answer. That the model does not start is no error here, but the result.
        """
        request = protocol.init_request(arena_bytes)
        started: Started = self._ask(Command.INIT, protocol.parse_init, request, timeout=self._timeout)
        return started

    def forget(self) -> None:
        """Start the model afresh in its whole arena.

        Raises:
            DeviceError: no answer, or the model does not start.
        """
        started = self.start_model()
        if started.result != 0:
            raise self._start_error(started.result)

    def send_model_part(self, offset: int, part: bytes) -> None:
        """Write into the slot for another model, which nothing reads before all of it is there.

        Args:
            offset: of the part, a multiple of 4; 0 comes first.

        Raises:
            DeviceError: no answer, or the slot cannot be written.
        """
        self._ask(Command.WRITE_MODEL, bytes, protocol.write_model_request(offset, part))

    def push_model(self, flatbuffer: bytes, model_sha256: str) -> None:
        """Replace the running model.

        Args:
            flatbuffer: the new model.
            model_sha256: of the model file that it was made from, in hex.

        Raises:
            DeviceError: the device refuses it (the old model still runs then), or does not answer.
        """
        if self.hello.slot_bytes == 0:
            raise self._error(
                "the firmware's model cannot be replaced",
                hint="Generate it with --runtime tflm --model-slot BYTES",
            )
        if len(flatbuffer) > self.hello.slot_bytes:
            raise self._error(
                f"the model has {len(flatbuffer):,} bytes, the slot for it {self.hello.slot_bytes:,}",
                hint="Generate the firmware with a larger --model-slot",
            )
        step = self.hello.max_payload - protocol.WRITE_MODEL_OVERHEAD
        for offset in range(0, len(flatbuffer), step):
            self.send_model_part(offset, flatbuffer[offset : offset + step])
        request = protocol.load_model_request(flatbuffer, model_sha256)
        result: int = self._ask(Command.LOAD_MODEL, protocol.parse_load, request, timeout=self._timeout)
        self.hello = self._ask(Command.HELLO, protocol.parse_hello)
        if result != 0:
            raise self._error(
                f"the device refuses the model: {self._model_error(result)}", hint="The old model still runs"
            )
        self.inputs = self._tensors(False, self.hello.inputs)
        self.outputs = self._tensors(True, self.hello.outputs)

    def close(self) -> None:
        """Close the link, and end the emulator if it was started for this device."""
        self._closed = True
        self._link.close()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- requests

    def _error(self, what: str, hint: str = "") -> DeviceError:
        return DeviceError(what, where=self._name, hint=hint)

    def _model_error(self, code: int) -> str:
        """A model's error in words, with what the interpreter said about it."""
        if self.hello.runtime != "tflm":
            return f"error {code}"
        text = str(self._ask(Command.ERROR_TEXT, _as_text))
        said = f" ({text})" if text else ""
        return f"{protocol.MODEL_ERRORS.get(code, f'error {code}')}{said}"

    def _start_error(self, code: int) -> ModelStartError:
        hint = ""
        if self.hello.runtime == "tflm" and code == protocol.ARENA_TOO_SMALL:
            hint = f"The arena has {self.hello.arena_bytes:,} bytes; mcugen deploy in an emulator finds how many are needed"
        return ModelStartError(f"the model did not start: {self._model_error(code)}", self._name, hint, code)

    def _request(
        self, command: Command, payload: bytes = b"", *, timeout: float = REQUEST_TIMEOUT_S, reply_bytes: int = 64
    ) -> bytes:
        try:
            return self._link.request(command, payload, timeout=timeout, reply_bytes=reply_bytes)
        except DeviceFault as error:
            raise explain_fault(error.fault, self._name, elf=self._elf, board=self._board) from error

    def _ask(
        self, command: Command, parse: Callable[[bytes], Any], payload: bytes = b"", timeout: float = REQUEST_TIMEOUT_S
    ) -> Any:
        try:
            return parse(self._request(command, payload, timeout=timeout))
        except ProtocolError as error:
            raise self._error(f"the answer to {command.name} makes no sense: {error}") from error
        except Refusal as refusal:
            raise self._refused(refusal) from refusal

    def _refused(self, refusal: Refusal) -> DeviceError:
        if refusal.status == Status.MODEL_FAILED and len(refusal.detail) == 4:
            code = int.from_bytes(refusal.detail, "little", signed=True)
            failed = "sending the model" if refusal.command is Command.WRITE_MODEL else "the model's inference"
            return self._error(f"{failed} failed: {self._model_error(code)}")
        if refusal.status == Status.STACK_OVERFLOW:
            return self._error(
                f"the stack of {self.hello.stack_bytes} bytes overflowed", hint="Raise stack_bytes in the board's file"
            )
        if refusal.status == Status.NO_SESSION:
            return self._error(
                "it was restarted, or another program talks to it",
                hint="Make sure that nothing else holds the port, and connect again",
            )
        return self._error(f"{refusal.command.name} was refused with {status_name(refusal.status)}")

    def _tensors(self, is_output: bool, count: int) -> tuple[TensorInfo, ...]:
        return tuple(
            self._ask(Command.TENSOR_INFO, protocol.parse_tensor_info, protocol.tensor_info_request(is_output, index))
            for index in range(count)
        )

    def _invoke(self, inputs: Sequence[NDArray[Any]], flags: int) -> Done | Paused:
        blocks = _input_bytes(inputs, self.inputs)
        crc = 0
        for block in blocks:
            crc = zlib.crc32(block, crc)
        step = self.hello.max_payload - protocol.WRITE_OVERHEAD
        for index, block in enumerate(blocks):
            for offset in range(0, len(block), step):
                part = block[offset : offset + step]
                self._ask(Command.WRITE_INPUT, bytes, protocol.write_input_request(index, offset, part))
        answer: Done | Paused = self._ask(
            Command.INVOKE, protocol.parse_invoke, protocol.invoke_request(flags, crc), timeout=self._timeout
        )
        return answer

    def _steps(self, inputs: Sequence[NDArray[Any]]) -> Generator[Paused, None, None]:
        state = self._invoke(inputs, protocol.PAUSE)
        expected = 0
        try:
            while isinstance(state, Paused):
                if state.op != expected:
                    raise self._error(f"it paused after op {state.op} instead of {expected}")
                expected += 1
                yield state
                state = self._continue()
        except GeneratorExit:
            while isinstance(state, Paused) and not self._closed:
                state = self._continue()
            raise
        if expected != self.hello.ops:
            raise self._error(f"it paused after {expected} of {self.hello.ops} ops")

    def _continue(self) -> Done | Paused:
        state: Done | Paused = self._ask(Command.CONTINUE, protocol.parse_invoke, timeout=self._timeout)
        return state

    def _read_outputs(self, done: Done) -> list[NDArray[Any]]:
        crc, arrays = 0, []
        for index, info in enumerate(self.outputs):

            def read(offset: int, count: int, index: int = index) -> bytes:
                return protocol.read_output_request(index, offset, count)

            data = self._read_blocks(Command.READ_OUTPUT, read, info.nbytes)
            crc = zlib.crc32(data, crc)
            arrays.append(np.frombuffer(data, dtype=info.dtype.numpy.newbyteorder("<")).reshape(info.shape))
        if crc != done.outputs_crc:
            raise self._error("the outputs changed while they were read")
        return arrays

    def _read_blocks(self, command: Command, request: Callable[[int, int], bytes], nbytes: int) -> bytes:
        step = self.hello.max_payload - protocol.READ_OVERHEAD
        data = bytearray()
        while len(data) < nbytes:
            count = min(step, nbytes - len(data))
            part: bytes = self._ask(command, bytes, request(len(data), count))
            if len(part) != count:
                raise self._error(f"{command.name} gave {len(part)} bytes instead of {count}")
            data += part
        return bytes(data)

    # ---- costs

    def _cost(self, cost: Cost) -> int:
        """The cost of what was measured, without measuring it, in `cost_unit`.

        Instructions are rounded before they are subtracted: each count is exact, and so is their difference.
        """
        overhead = self.hello.overhead_ticks
        if self._emulator is None:
            return max(0, cost.ticks - overhead)
        interrupts = cost.interrupts * self.hello.instructions_per_interrupt
        return self._emulator.instructions(cost.ticks) - self._emulator.instructions(overhead) - interrupts

    def _check_counter_range(self, seconds: float) -> None:
        """A hardware counter may have gone round during a very long inference; then its figure is wrong."""
        hello = self.hello
        if self._emulator is None and hello.counter_hz and seconds * hello.counter_hz >= 1 << hello.counter_bits:
            raise self._error(
                f"an inference of {seconds:.0f} s is too long for the {hello.counter_bits}-bit cycle counter"
            )


def _as_text(payload: bytes) -> str:
    """Text of the device's on one line."""
    return " ".join(payload.decode("utf-8", "replace").split())


def _input_bytes(arrays: Sequence[NDArray[Any]], infos: Sequence[TensorInfo]) -> list[bytes]:
    if len(arrays) != len(infos):
        raise DataError(f"{len(arrays)} inputs given, the model has {len(infos)}")
    blocks = []
    for number, (array, info) in enumerate(zip(arrays, infos, strict=True)):
        if array.dtype != info.dtype.numpy or array.size * array.itemsize != info.nbytes:
            raise DataError(
                f"is {array.dtype} of shape {tuple(array.shape)}, "
                f"the model takes {info.dtype.value} of shape {info.shape}",
                where=f'input {number} "{info.name}"',
            )
        blocks.append(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return blocks


def _counting_emulator(hello: Hello, board: Board | None) -> Emulator | None:
    """The board's emulator, if the device's counter runs exactly as that emulator makes it run."""
    if board is None or board.emulator is None or hello.counter != Counter.SYSTICK:
        return None
    counted = board.emulator.instructions(hello.calibration_ticks) - board.emulator.instructions(hello.overhead_ticks)
    return board.emulator if abs(counted - protocol.CALIBRATION_INSTRUCTIONS) <= CALIBRATION_SLACK else None


def open_device(
    elf: Path,
    board: Board,
    *,
    port: str | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    model_sha256: str | None = None,
) -> Device:
    """Start the firmware `elf` in the board's emulator, or connect to a board that runs it.

    Args:
        elf: the firmware, from which the device's build id is checked and faults are explained.
        port: a pyserial URL ("/dev/ttyACM0", "socket://host:port", "rfc2217://host:port"); None starts the emulator.
        timeout: seconds one inference may take.
        model_sha256: when given, the device must run this model.

    Raises:
        DeviceError: no answer, another protocol version, firmware, board or model.
        ToolError: the emulator is not installed.
        BoardError: the board has no emulator and no port was given.
    """
    if port is None:
        emulator = QemuEmulator(elf, board)
        link = Link(emulator.transport, f"{board.name} (emulator)", check=emulator.check)
        close = emulator.stop
        name = f"{board.name} (emulator)"
    else:
        name = f"{board.name} at {port}"
        link = Link(SerialTransport(port, board.uart.baud), name, byte_seconds=_byte_seconds(port, board.uart.baud))
        close = None
    try:
        device = Device(link, name=name, board=board, emulated=port is None, elf=elf, timeout=timeout, on_close=close)
        _check_identity(device, elf, board, model_sha256)
    except BaseException:
        link.close()
        if close is not None:
            close()
        raise
    return device


def connect(port: str, *, board: Board | None = None, timeout: float = DEFAULT_TIMEOUT_S) -> Device:
    """Connect to whatever firmware of mcugen's runs behind a port.

    Args:
        board: tells the baud rate; without it, 115,200.

    Raises:
        DeviceError: no answer, or another protocol version.
    """
    baud = board.uart.baud if board is not None else DEFAULT_BAUD
    link = Link(SerialTransport(port, baud), port, byte_seconds=_byte_seconds(port, baud))
    try:
        return Device(link, name=port, timeout=timeout)
    except BaseException:
        link.close()
        raise


def _byte_seconds(port: str, baud: int) -> float:
    return 0.0 if port.startswith("socket://") else 10 / baud


def _check_identity(device: Device, elf: Path, board: Board, model_sha256: str | None) -> None:
    """The device must run this firmware on this board: a port may lead to another one, or to a stale firmware."""
    hello = device.hello
    again = "Flash this firmware, or check the port"
    if hello.board != board.name:
        raise WrongFirmwareError(f"the device is a {hello.board}", where=board.name, hint=again)
    if model_sha256 is not None and hello.model_sha256 != model_sha256:
        raise WrongFirmwareError(
            f"the device runs another model (sha256 {hello.model_sha256[:12]}…, expected {model_sha256[:12]}…)",
            where=board.name,
            hint=again,
        )
    expected = build_id(elf)
    if expected and hello.build_id != expected:
        raise WrongFirmwareError(
            f"the device runs another firmware (build {hello.build_id[:12]}…, expected {expected[:12]}…)",
            where=board.name,
            hint=again,
        )

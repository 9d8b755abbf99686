"""A session with a device: requests whose answers are typed values, and errors in a person's words."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcugen.boards.types import Board
from mcugen.device import protocol
from mcugen.device.faults import FaultError, explain_fault
from mcugen.device.link import MOST_STEPS, ConnectionLostError, DeviceFault, Link, Refusal, status_name
from mcugen.device.protocol import Command, Done, Hello, ProtocolError, Status, TensorInfo
from mcugen.environment import seconds_from
from mcugen.errors import DataError, DeviceError

Answer = TypeVar("Answer")

TIMEOUT_VARIABLE = "MCUGEN_TIMEOUT"
REQUEST_TIMEOUT_S = 10.0
"""Everything but inference answers at once; this leaves room for a slow line."""


def request_timeout() -> float:
    """Seconds that a device may take to answer; of an emulated one, its own.

    Raises:
        ToolError: MCUGEN_TIMEOUT is no such number.
    """
    return seconds_from(TIMEOUT_VARIABLE, REQUEST_TIMEOUT_S)


MAX_TENSORS_BYTES = 256 << 20
"""All inputs and outputs of a model together: more than any microcontroller's memory."""


class Session:
    """What begins with HELLO. `hello` is the device's latest.

    Args:
        name: the device in messages.
        board, elf: to explain faults.
        timeout: seconds until the device must have said hello, which may be busy with an inference; None for as many
            as any request may take.

    Raises:
        DeviceError: no answer, a fault, or another protocol version.
    """

    def __init__(
        self,
        link: Link,
        name: str,
        *,
        board: Board | None = None,
        elf: Path | None = None,
        timeout: float | None = None,
    ) -> None:
        self.link = link
        self._name, self._board, self._elf = name, board, elf
        link.start_session()
        self.hello: Hello = self.ask(Command.HELLO, protocol.parse_hello, timeout=timeout)

    def hello_again(self) -> None:
        """Ask what the device runs now."""
        self.hello = self.ask(Command.HELLO, protocol.parse_hello)

    def reset(self) -> None:
        """Reset the device and begin anew. Works after a fault as well."""
        try:
            self._request(Command.RESET, b"", request_timeout())
        except Refusal as refusal:
            if refusal.status != Status.NO_SESSION:  # it was reset, and only its answer got lost
                raise self._refused(refusal) from refusal
        self.link.start_session()
        self.hello_again()

    def ask(
        self,
        command: Command,
        parse: Callable[[bytes], Answer],
        payload: bytes = b"",
        *,
        timeout: float | None = None,
        on_progress: Callable[[int], None] | None = None,
        steps: int = MOST_STEPS,
    ) -> Answer:
        """One request; its answer goes through `parse`.

        Raises:
            ConnectionLostError: no answer, a broken connection, or a device that was restarted.
            DeviceError: a refusal, a fault, or an answer that makes no sense.
        """
        try:
            seconds = request_timeout() if timeout is None else timeout
            return parse(self._request(command, payload, seconds, on_progress, steps))
        except ProtocolError as error:
            raise self.error(f"the answer to {command.name} makes no sense: {error}") from error
        except Refusal as refusal:
            raise self._refused(refusal) from refusal

    def _request(
        self,
        command: Command,
        payload: bytes,
        timeout: float,
        on_progress: Callable[[int], None] | None = None,
        steps: int = MOST_STEPS,
    ) -> bytes:
        try:
            return self.link.request(command, payload, timeout=timeout, on_progress=on_progress, steps=steps)
        except DeviceFault as error:
            raise self._fault(error) from error

    def _fault(self, error: DeviceFault) -> FaultError:
        return explain_fault(error.fault, self._name, elf=self._elf, board=self._board)

    def _refused(self, refusal: Refusal) -> DeviceError:
        if refusal.command is Command.HELLO:  # there may be no session yet that could tell more
            return self.error(
                f"it refuses HELLO with {status_name(refusal.status)}",
                hint="Check that a firmware of mcugen's runs there",
            )
        if refusal.status == Status.MODEL_FAILED and len(refusal.detail) == 4:
            code = int.from_bytes(refusal.detail, "little", signed=True)
            failed = "sending the model" if refusal.command is Command.WRITE_MODEL else "the model's inference"
            return self.error(f"{failed} failed: {self.model_error(code)}")
        if refusal.status == Status.STACK_OVERFLOW:
            return self.error(
                f"the stack of {self.hello.stack_bytes} bytes overflowed", hint="Raise stack_bytes in the board's file"
            )
        if refusal.status == Status.NO_SESSION:
            return ConnectionLostError(
                "it was restarted, or another program talks to it",
                where=self._name,
                hint="Make sure that nothing else holds the port, and connect again",
            )
        return self.error(f"{refusal.command.name} was refused with {status_name(refusal.status)}")

    def error(self, what: str, hint: str = "") -> DeviceError:
        return DeviceError(what, where=self._name, hint=hint)

    def model_error(self, code: int) -> str:
        """A model's error in words, with what the interpreter said about it."""
        if self.hello.runtime != "tflm":
            return f"error {code}"
        text = str(self.ask(Command.ERROR_TEXT, _as_text))
        said = f" ({text})" if text else ""
        return f"{protocol.MODEL_ERRORS.get(code, f'error {code}')}{said}"

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """The model's (inputs, outputs)."""
        inputs = self._tensors(False, self.hello.inputs, MAX_TENSORS_BYTES)
        return inputs, self._tensors(True, self.hello.outputs, MAX_TENSORS_BYTES - sum(info.nbytes for info in inputs))

    def _tensors(self, is_output: bool, count: int, most: int) -> tuple[TensorInfo, ...]:
        found = []
        for index in range(count):
            request = protocol.tensor_info_request(is_output, index)
            info: TensorInfo = self.ask(Command.TENSOR_INFO, protocol.parse_tensor_info, request)
            most -= info.nbytes
            if most < 0:
                raise self.error(f"it claims inputs and outputs of more than {MAX_TENSORS_BYTES >> 20} MB")
            found.append(info)
        return tuple(found)

    def parts(self, infos: Sequence[TensorInfo]) -> int:
        """Requests that it takes to write such inputs."""
        return sum(len(self._spans(info.nbytes)) for info in infos)

    def _spans(self, nbytes: int) -> list[range]:
        """How an input is cut into requests, and none of them into two rows where it is brought row by row."""
        row, step = self.hello.row_bytes or max(1, nbytes), self._write_step
        return [
            range(offset, min(offset + step, start + row, nbytes))
            for start in range(0, nbytes, row)
            for offset in range(start, min(start + row, nbytes), step)
        ]

    @property
    def _write_step(self) -> int:
        return self.hello.max_payload - protocol.WRITE_OVERHEAD

    def write_inputs(
        self,
        infos: Sequence[TensorInfo],
        arrays: Sequence[NDArray[Any]],
        on_part: Callable[[int], None] | None = None,
    ) -> Iterator[int]:
        """Write all inputs; gives their checksum, which INVOKE needs. Where rows are brought one by one, that of each.

        Args:
            on_part: called after every request with how many there were.

        Raises:
            DataError: they do not fit the model; nothing was sent.
        """
        blocks = _input_bytes(arrays, infos)
        crc = sent = 0
        row_bytes = self.hello.row_bytes
        for index, block in enumerate(blocks):
            for span in self._spans(len(block)):
                part = block[span.start : span.stop]
                crc = zlib.crc32(part, crc)
                self.ask(Command.WRITE_INPUT, bytes, protocol.write_input_request(index, span.start, part))
                sent += 1
                if on_part is not None:
                    on_part(sent)
                if row_bytes and span.stop % row_bytes == 0:
                    yield crc
                    crc = 0
        if not row_bytes:
            yield crc

    def read_outputs(self, outputs: Sequence[TensorInfo], done: Done) -> list[NDArray[Any]]:
        """All outputs of a finished inference, in their shapes and dtypes."""
        crc, arrays = 0, []
        for index, info in enumerate(outputs):

            def read(offset: int, count: int, index: int = index) -> bytes:
                return protocol.read_output_request(index, offset, count)

            data = self.read_blocks(Command.READ_OUTPUT, read, info.nbytes)
            crc = zlib.crc32(data, crc)
            arrays.append(np.frombuffer(data, dtype=info.dtype.numpy.newbyteorder("<")).reshape(info.shape))
        if crc != done.outputs_crc:
            raise self.error("the outputs changed while they were read")
        return arrays

    def read_blocks(self, command: Command, request: Callable[[int, int], bytes], nbytes: int) -> bytes:
        """Read in as many requests as it takes; `request` makes one of an offset and a number of bytes."""
        step = self.hello.max_payload - protocol.READ_OVERHEAD
        data = bytearray()
        while len(data) < nbytes:
            count = min(step, nbytes - len(data))
            part: bytes = self.ask(command, bytes, request(len(data), count))
            if len(part) != count:
                raise self.error(f"{command.name} gave {len(part)} bytes instead of {count}")
            data += part
        return bytes(data)

    def goes_on_at(self, link: Link) -> bool:
        """Move to another connection, if the device behind it still has this session, and no paused inference."""
        link.resume_session(self.link)
        try:
            link.request(Command.TENSOR_INFO, protocol.tensor_info_request(False, 0), timeout=request_timeout())
        except Refusal:
            return False
        except DeviceFault as error:
            raise self._fault(error) from error
        self.link = link
        return True


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

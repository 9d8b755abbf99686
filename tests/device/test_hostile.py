"""Devices that lie: what they claim is not believed, not allocated, and not waited for."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mcugen.device import protocol
from mcugen.device.device import Device
from mcugen.device.link import Link
from mcugen.device.protocol import PROGRESS, RESPONSE, Command, Frame, Status
from mcugen.errors import DeviceError
from tests.device.test_messages import hello, tensor_info

OK = b"\0"


class Liar:
    """A transport whose other end answers at once; `payloads` gives what a command is answered with."""

    def __init__(self, payloads: dict[Command, Callable[[bytes], bytes]], steps: int = 0) -> None:
        self._payloads, self._steps, self._answers, self.now = payloads, steps, bytearray(), 0.0

    def clock(self) -> float:
        self.now += 0.01
        return self.now

    def write(self, data: bytes) -> None:
        frame = protocol.decode_frame(data[1:-1])
        command = Command(frame.type)

        def say(kind: int, payload: bytes) -> None:
            self._answers += protocol.encode_frame(Frame(1, kind, frame.session, frame.sequence, payload))

        if command is Command.INVOKE:
            for step in range(self._steps):
                say(PROGRESS, struct.pack("<H", step))
        if command in self._payloads:
            say(RESPONSE | command, self._payloads[command](frame.payload))

    def read(self, timeout: float) -> bytes:
        if not self._answers:
            self.now += timeout
        else:
            self.now += 0.2  # so that progress without end would take time without end
        end = self._answers.find(0, 1) + 1
        answer = bytes(self._answers[:end])
        del self._answers[:end]
        return answer

    def close(self) -> None:
        pass


def opened(payloads: dict[Command, Callable[[bytes], bytes]], **options: int) -> tuple[Device, Liar]:
    liar = Liar(payloads, **options)
    return Device(Link(liar, "a liar", clock=liar.clock), name="a liar", timeout=5), liar


def honest(inputs: int = 1, ops: int = 2) -> dict[Command, Callable[[bytes], bytes]]:
    says_hello = hello(inputs=inputs, outputs=1, ops=ops, init=0, rest=b"\0")
    return {
        Command.HELLO: lambda _: OK + says_hello,
        Command.TENSOR_INFO: lambda _: OK + tensor_info(),
        Command.WRITE_INPUT: lambda _: OK,
    }


@pytest.mark.parametrize("status", [Status.STACK_OVERFLOW, Status.MODEL_FAILED, Status.NO_SESSION, Status.BAD_LENGTH])
def test_a_first_hello_that_is_refused(status: Status) -> None:
    with pytest.raises(DeviceError, match=f"^a liar: it refuses HELLO with {status.name}"):
        opened({Command.HELLO: lambda _: bytes([status]) + b"\0\0\0\0"})


def test_a_tensor_of_gigabytes_is_not_allocated() -> None:
    shape = (1 << 15, 1 << 15)
    claims = {**honest(), Command.TENSOR_INFO: lambda _: OK + tensor_info(shape=shape, nbytes=1 << 30)}
    with pytest.raises(DeviceError, match="the answer to TENSOR_INFO makes no sense: a tensor of 1073741824 bytes"):
        opened(claims)


def test_many_large_tensors_are_not_allocated() -> None:
    claims = {**honest(60_000), Command.TENSOR_INFO: lambda _: OK + tensor_info(shape=(1 << 25,), nbytes=1 << 25)}
    with pytest.raises(DeviceError, match="it claims inputs and outputs of more than 256 MB"):
        opened(claims)


def test_progress_without_end_comes_to_one() -> None:
    import numpy as np

    device, liar = opened(honest(ops=3), steps=10_000)
    began = liar.now
    with pytest.raises(DeviceError, match=r"no answer to INVOKE within 5 s after op 2"):
        device.run([np.zeros((1, 6), np.int8)])
    assert liar.now - began < 3 * 5 + 5


def test_an_output_of_an_op_of_gigabytes() -> None:
    import numpy as np

    paused = OK + struct.pack("<BHII", 1, 0, 1 << 31, 0) + bytes(12)
    device, _ = opened({**honest(), Command.INVOKE: lambda _: paused})
    with pytest.raises(DeviceError, match="makes no sense: an op's output of 2147483648 bytes"):
        list(device.layers([np.zeros((1, 6), np.int8)]))

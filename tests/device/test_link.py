"""The real protocol server, compiled for the host, over good and bad links."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcugen.device import protocol
from mcugen.device.device import Device
from mcugen.device.link import Link, Refusal, Transport
from mcugen.device.protocol import Command, Frame, Status
from mcugen.errors import DataError, DeviceError
from tests.device.build import build_host_double, double_answer
from tests.device.pipe import PipeTransport

SIZE = 700
"""Bytes per tensor: three frames of 256 bytes."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_host_double(tmp_path_factory.mktemp("server"), size=SIZE, inputs=2)


def random_inputs(rng: np.random.Generator) -> list[np.ndarray]:
    arrays = [rng.integers(-128, 128, (1, SIZE), dtype=np.int8) for _ in range(2)]
    arrays[0][0, 0] = 0  # the double's first byte asks for trouble
    return arrays


@contextmanager
def linked(transport: Transport, **options: float) -> Iterator[Link]:
    link = Link(transport, "test", first_retry=options.pop("first_retry", 0.4))
    link.start_session()
    try:
        yield link
    finally:
        link.close()


@contextmanager
def device(transport: Transport, first_retry: float = 0.4, timeout: float = 20) -> Iterator[Device]:
    link = Link(transport, "test", first_retry=first_retry)
    try:
        yield Device(link, timeout=timeout)
    finally:
        link.close()


def test_everything_over_a_good_link(server: Path) -> None:
    rng = np.random.default_rng(0)
    with device(PipeTransport(server)) as d:
        assert d.hello.board == "microbit"
        assert d.hello.runtime == "aot"
        assert d.hello.model == "double"
        assert d.hello.model_sha256.startswith("01020304000000")
        assert d.hello.build_id == "abcd0001"
        assert d.hello.max_payload == 256
        assert d.hello.overhead_ticks == 7
        assert d.hello.calibration_ticks == protocol.CALIBRATION_INSTRUCTIONS + 7
        (first, second), (output,) = d.tensors()
        assert (first.name, first.shape, first.scale, first.zero_point) == ("first input", (1, SIZE), 0.5, -3)
        assert second.name == "second input"
        assert output.name == "an output with a name that is l"  # cut at 31 bytes
        for _ in range(5):
            inputs = random_inputs(rng)
            (answer,), cost = d.run(inputs)
            np.testing.assert_array_equal(answer, double_answer(*inputs))
            assert cost == 0  # the clock of this port moves only when it is read, which is calibrated away
            assert d.profile(inputs) == [0, 0]
            layers = dict(d.layers(inputs))
            assert sorted(layers) == [0, 1]
            assert layers[0] == (inputs[0] + inputs[1] + np.int8(1)).tobytes()
            assert layers[1] == answer.tobytes()
        assert d.cost_unit == "cycles"


def test_layers_can_be_left_early(server: Path) -> None:
    inputs = random_inputs(np.random.default_rng(1))
    with device(PipeTransport(server)) as d:
        for op, _ in d.layers(inputs):
            assert op == 0
            break
        (answer,), _ = d.run(inputs)
        np.testing.assert_array_equal(answer, double_answer(*inputs))


def test_wrong_inputs_are_refused_before_they_are_sent(server: Path) -> None:
    a, b = random_inputs(np.random.default_rng(1))
    with device(PipeTransport(server)) as d:
        with pytest.raises(DataError, match="1 inputs given, the model has 2"):
            d.run([a])
        with pytest.raises(DataError, match=r"input 1 .second input.: is float32"):
            d.run([a, b.astype(np.float32)])
        with pytest.raises(DataError, match="the model takes int8 of shape"):
            d.run([a, b[:, :-1]])


def test_errors_of_the_model_are_reported(server: Path) -> None:
    a, b = random_inputs(np.random.default_rng(1))
    a[0, 0] = 103
    with device(PipeTransport(server)) as d:
        with pytest.raises(DeviceError, match="inference failed: error -5"):
            d.run([a, b])
        a[0, 0] = 0
        (answer,), _ = d.run([a, b])
        np.testing.assert_array_equal(answer, double_answer(a, b))


@pytest.mark.parametrize(
    ("command", "payload", "status"),
    [
        (Command.TENSOR_INFO, struct.pack("<BH", 0, 2), Status.BAD_INDEX),
        (Command.TENSOR_INFO, struct.pack("<BH", 2, 0), Status.BAD_INDEX),
        (Command.TENSOR_INFO, b"\0", Status.BAD_LENGTH),
        (Command.WRITE_INPUT, struct.pack("<HI", 2, 0), Status.BAD_INDEX),
        (Command.WRITE_INPUT, struct.pack("<HI", 0, SIZE) + b"x", Status.BAD_RANGE),
        (Command.WRITE_INPUT, struct.pack("<HI", 0, 0xFFFFFFFF) + b"x", Status.BAD_RANGE),
        (Command.WRITE_INPUT, b"abc", Status.BAD_LENGTH),
        (Command.INVOKE, struct.pack("<BI", 0, 12345), Status.BAD_INPUT),
        (Command.INVOKE, b"", Status.BAD_LENGTH),
        (Command.CONTINUE, b"", Status.BAD_STATE),
        (Command.READ_OP_OUTPUT, struct.pack("<IH", 0, 1), Status.BAD_STATE),
        (Command.READ_OUTPUT, struct.pack("<HIH", 0, 0, 1), Status.BAD_STATE),
        (Command.READ_OUTPUT, b"", Status.BAD_LENGTH),
    ],
)
def test_bad_requests_have_their_own_status(server: Path, command: Command, payload: bytes, status: Status) -> None:
    with linked(PipeTransport(server)) as link:
        link.request(Command.HELLO, timeout=5)
        with pytest.raises(Refusal) as refusal:
            link.request(command, payload, timeout=5)
        assert refusal.value.status == status


def test_reads_beyond_an_output_are_refused(server: Path) -> None:
    with device(PipeTransport(server)) as d:
        d.run(random_inputs(np.random.default_rng(2)))
        for index, offset, count, status in (
            (1, 0, 1, Status.BAD_INDEX),
            (0, SIZE, 1, Status.BAD_RANGE),
            (0, SIZE - 1, 2, Status.BAD_RANGE),
            (0, 0xFFFFFFFF, 2, Status.BAD_RANGE),
            (0, 0, 256, Status.BAD_RANGE),
        ):
            with pytest.raises(Refusal) as refusal:
                d._session.link.request(Command.READ_OUTPUT, struct.pack("<HIH", index, offset, count), timeout=5)
            assert refusal.value.status == status


def test_an_input_that_was_damaged_on_the_device_is_not_run(server: Path) -> None:
    a, b = random_inputs(np.random.default_rng(3))
    with device(PipeTransport(server)) as d:
        d.run([a, b])
        # The inference has overwritten input 0: running again without writing it must not succeed.
        crc = zlib.crc32(b.tobytes(), zlib.crc32(a.tobytes()))
        with pytest.raises(Refusal) as refusal:
            d._session.link.request(Command.INVOKE, protocol.invoke_request(0, crc), timeout=5)
        assert refusal.value.status == Status.BAD_INPUT


def exchange(transport: PipeTransport, frame: Frame) -> list[Frame]:
    """Send one frame and return every frame that comes back within a short time."""
    transport.write(protocol.encode_frame(frame))
    received, frames = b"", []
    while data := transport.read(0.3):
        received += data
    for part in received.split(b"\0"):
        if part:
            frames.append(protocol.decode_frame(part))
    return frames


def test_a_repeated_request_runs_once_and_is_answered_twice(server: Path) -> None:
    transport = PipeTransport(server)
    try:
        hello = exchange(transport, Frame(1, Command.HELLO, 5, 1, b""))
        assert [f.sequence for f in hello] == [1]
        write = Frame(1, Command.WRITE_INPUT, 5, 2, struct.pack("<HI", 0, 0) + b"abc")
        first = exchange(transport, write)
        assert first == exchange(transport, write)
        # One that is older than the last is dropped.
        assert exchange(transport, Frame(1, Command.HELLO, 5, 1, b"")) == []
        # INVOKE with a wrong checksum is refused, and stays refused under its sequence number.
        (refused,) = exchange(transport, Frame(1, Command.INVOKE, 5, 3, struct.pack("<BI", 0, 1)))
        assert refused.payload == bytes([Status.BAD_INPUT])
        assert exchange(transport, Frame(1, Command.INVOKE, 5, 3, struct.pack("<BI", 0, 2))) == [refused]
    finally:
        transport.close()


def test_sequence_numbers_go_round(server: Path) -> None:
    transport = PipeTransport(server)
    try:
        assert exchange(transport, Frame(1, Command.HELLO, 5, 0xFFFE, b""))
        for sequence in (0xFFFF, 0, 1):
            (answer,) = exchange(transport, Frame(1, Command.HELLO, 5, sequence, b""))
            assert answer.sequence == sequence
        assert exchange(transport, Frame(1, Command.HELLO, 5, 0xFFFF, b"")) == []
    finally:
        transport.close()


def test_other_sessions_and_versions_are_refused_without_effect(server: Path) -> None:
    transport = PipeTransport(server)
    try:
        (answer,) = exchange(transport, Frame(1, Command.TENSOR_INFO, 5, 1, struct.pack("<BH", 0, 0)))
        assert answer.payload == bytes([Status.NO_SESSION])
        (hello,) = exchange(transport, Frame(1, Command.HELLO, 5, 2, b""))
        (answer,) = exchange(transport, Frame(1, Command.TENSOR_INFO, 6, 3, struct.pack("<BH", 0, 0)))
        assert answer.payload == bytes([Status.NO_SESSION])
        (answer,) = exchange(transport, Frame(2, Command.HELLO, 5, 3, b""))
        assert answer.payload == bytes([Status.BAD_VERSION])
        (answer,) = exchange(transport, Frame(1, 0x33, 5, 3, b""))
        assert answer.payload == bytes([Status.BAD_COMMAND])
        assert exchange(transport, Frame(1, Command.HELLO, 5, 2, b"")) == []
        (hello,) = exchange(transport, Frame(1, Command.HELLO, 5, 4, b""))
        (answer,) = exchange(transport, Frame(1, Command.TENSOR_INFO, 6, 5, struct.pack("<BH", 0, 0)))
        # Neither has disturbed the answer that is kept for repetition.
        assert exchange(transport, Frame(1, Command.HELLO, 5, 4, b"")) == [hello]
    finally:
        transport.close()


def test_a_new_session_ends_a_paused_inference(server: Path) -> None:
    inputs = random_inputs(np.random.default_rng(4))
    transport = PipeTransport(server)
    first = Device(Link(transport, "first"), timeout=10)
    steps = first.layers(inputs)
    next(steps)
    second = Device(Link(transport, "second"), timeout=10)
    (answer,), _ = second.run(inputs)
    np.testing.assert_array_equal(answer, double_answer(*inputs))
    with pytest.raises(DeviceError, match="another program talks to it"):
        first.run(inputs)
    with pytest.raises(DeviceError, match="another program talks to it"):
        steps.close()  # type: ignore[attr-defined]
    transport.close()


def test_frames_that_are_too_long_are_skipped(server: Path) -> None:
    transport = PipeTransport(server)
    try:
        exchange(transport, Frame(1, Command.HELLO, 5, 1, b""))
        assert exchange(transport, Frame(1, Command.WRITE_INPUT, 5, 2, struct.pack("<HI", 0, 0) + b"x" * 300)) == []
        full = struct.pack("<HI", 0, 0) + b"x" * 250
        (answer,) = exchange(transport, Frame(1, Command.WRITE_INPUT, 5, 3, full))
        assert answer.payload == b"\0"
    finally:
        transport.close()


def test_a_device_that_speaks_another_version(server: Path) -> None:
    class OtherVersion(PipeTransport):
        def read(self, timeout: float) -> bytes:
            frames = [protocol.decode_frame(part) for part in super().read(timeout).split(b"\0") if part]
            changed = (Frame(9, f.type, f.session, f.sequence, f.payload) for f in frames)
            return b"".join(protocol.encode_frame(frame) for frame in changed)

    with linked(OtherVersion(server)) as link, pytest.raises(DeviceError, match="protocol version 9, this mcugen"):
        link.request(Command.HELLO, timeout=5)


def test_a_fault_answers_every_request_until_reset(server: Path) -> None:
    with linked(PipeTransport(server, "fault")) as link:
        for _ in range(2):
            with pytest.raises(DeviceError, match="exception 3 at 0x00001234"):
                link.request(Command.HELLO, timeout=5)
        assert link.request(Command.RESET, timeout=5) == b""
        with pytest.raises(DeviceError, match="connection was lost"):
            link.request(Command.HELLO, timeout=5)


class Silent:
    def read(self, timeout: float) -> bytes:
        time.sleep(min(timeout, 0.01))
        return b""

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


class Babbling(Silent):
    """Says much, and nothing of sense."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def read(self, timeout: float) -> bytes:
        return self._rng.bytes(5000).replace(b"\0", b"x") if self._rng.random() < 0.5 else self._rng.bytes(5000)


@pytest.mark.parametrize("transport", [Silent(), Babbling()])
def test_no_sense_is_an_error_in_time(transport: Transport) -> None:
    with linked(transport) as link, pytest.raises(DeviceError, match=r"no answer to HELLO within 0\.5 s"):
        link.request(Command.HELLO, timeout=0.5)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe*** boot v1.2 ***\r\nready\r\n",
        b"\0\x05half a frame",
        bytes(range(1, 256)) * 1000,  # longer than any frame, without a delimiter
        bytes(range(256)) * 100,
    ],
)
def test_what_comes_before_the_first_frame_is_skipped(server: Path, text: bytes) -> None:
    class Booting(PipeTransport):
        unread = text

        def read(self, timeout: float) -> bytes:
            unread, self.unread = self.unread, b""
            return unread + super().read(timeout)

    with device(Booting(server)) as d:
        assert d.hello.model == "double"


@pytest.mark.parametrize("noise", [b"AT\r\n", bytes(range(1, 256)) * 20, b"\0\x05half", bytes(range(256)) * 20])
def test_a_device_in_the_middle_of_noise_hears_the_next_frame(server: Path, noise: bytes) -> None:
    transport = PipeTransport(server)
    transport.write(noise)
    with device(transport) as d:
        transport.write(noise)
        inputs = random_inputs(np.random.default_rng(5))
        np.testing.assert_array_equal(d.run(inputs)[0][0], double_answer(*inputs))

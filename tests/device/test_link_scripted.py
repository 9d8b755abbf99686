"""What the link sends, when, and what it makes of answers: over a transport that follows a script, in virtual time."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from typing import Any

import pytest

from mcugen.device import link as link_module
from mcugen.device import protocol
from mcugen.device.link import (
    MAX_FRAME_BYTES,
    ConnectionLostError,
    DeviceFault,
    Link,
    NoAnswerError,
    Refusal,
    status_name,
)
from mcugen.device.protocol import FAULT, PROGRESS, RESPONSE, Command, Frame, Status
from mcugen.errors import DeviceError

OK = b"\0"


class Script:
    """A transport whose answers come at fixed times after the first request.

    Attributes:
        answers: (time, what arrives), where what arrives may be a function of the last request.
        sent: (time, request) of every write.
        waited: the timeouts of all reads.
    """

    def __init__(self, *answers: tuple[float, bytes | Exception | Callable[[Frame], bytes]]) -> None:
        self.answers = sorted(answers, key=lambda answer: answer[0])
        self.now = 0.0
        self.sent: list[tuple[float, Frame]] = []
        self.waited: list[float] = []
        self.closed = 0

    def clock(self) -> float:
        return self.now

    def read(self, timeout: float) -> bytes:
        assert timeout > 0
        self.waited.append(timeout)
        if not self.answers or self.answers[0][0] > self.now + timeout:
            self.now += timeout
            return b""
        time, what = self.answers.pop(0)
        self.now = max(self.now, time)
        if isinstance(what, Exception):
            raise what
        return what if isinstance(what, bytes) else what(self.sent[-1][1])

    def write(self, data: bytes) -> None:
        assert data[0] == data[-1] == 0
        self.sent.append((self.now, protocol.decode_frame(data[1:-1])))

    def close(self) -> None:
        self.closed += 1

    @property
    def times(self) -> list[float]:
        return [round(time, 6) for time, _ in self.sent]


def made(script: Script, **options: Any) -> Link:
    link = Link(script, "a port", clock=script.clock, **options)
    link.start_session()
    return link


def reply(payload: bytes = OK, **changed: int) -> Callable[[Frame], bytes]:
    """The response to the last request, with some of its fields changed."""

    def answer(request: Frame) -> bytes:
        fields = {"version": 1, "type": RESPONSE | request.type, "session": request.session}
        fields |= {"sequence": request.sequence, **changed}
        return protocol.encode_frame(Frame(payload=payload, **fields))

    return answer


def progress(op: int) -> Callable[[Frame], bytes]:
    return reply(struct.pack("<H", op), type=PROGRESS)


def test_a_request_and_its_answer() -> None:
    script = Script((0.1, reply(OK + b"abc")))
    link = made(script)
    assert link.request(Command.INVOKE, b"xyz", timeout=5) == b"abc"
    ((time, frame),) = script.sent
    assert (time, frame.version, frame.type, frame.sequence, frame.payload) == (0.0, 1, Command.INVOKE, 1, b"xyz")
    assert 1 <= frame.session <= 0xFFFF
    assert link.name == "a port"


def test_a_request_without_a_payload() -> None:
    script = Script((0.1, reply()))
    assert made(script).request(Command.HELLO, timeout=5) == b""
    assert script.sent[0][1].payload == b""


def test_sequence_numbers_count_up_and_go_round() -> None:
    script = Script()
    link = made(script)
    other = made(Script())
    other._sequence = 0xFFFD
    link.resume_session(other)
    for _ in range(4):
        script.answers = [(script.now, reply())]
        link.request(Command.HELLO, timeout=5)
    assert [frame.sequence for _, frame in script.sent] == [0xFFFE, 0xFFFF, 0, 1]
    assert {frame.session for _, frame in script.sent} == {other._session}


def test_sessions_differ_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, int]] = []
    numbers = iter([6, 6, 0xFFFE])

    def draw(below: int) -> int:
        drawn.append((below, next(numbers)))
        return drawn[-1][1]

    monkeypatch.setattr(secrets, "randbelow", draw)
    script = Script((0.0, reply()), (0.0, reply()))
    link = made(script)
    link.request(Command.HELLO, timeout=5)
    link.start_session()  # draws the same number, and then another one
    link.request(Command.HELLO, timeout=5)
    assert [(frame.session, frame.sequence) for _, frame in script.sent] == [(7, 1), (0xFFFF, 1)]
    assert drawn == [(0xFFFF, 6), (0xFFFF, 6), (0xFFFF, 0xFFFE)]


def test_silence_is_asked_again_with_growing_patience() -> None:
    script = Script()
    with pytest.raises(NoAnswerError, match=r"^a port: no answer to HELLO within 3\.5 s\. Check") as caught:
        made(script).request(Command.HELLO, timeout=3.5)
    assert caught.value.what == "no answer to HELLO within 3.5 s"
    assert caught.value.where == "a port"
    assert "`paced=True`" in caught.value.hint
    assert script.times == [0.0, 0.4, 1.2, 2.2, 3.2]
    assert script.now == pytest.approx(3.5)
    assert {frame for _, frame in script.sent} == {script.sent[0][1]}
    assert max(script.waited) == 0.25


def test_first_retry_and_bytes_on_the_wire_count() -> None:
    script = Script()
    link = made(script, first_retry=0.1, byte_seconds=0.01)
    with pytest.raises(NoAnswerError, match="no answer to HELLO within 2 s"):
        link.request(Command.HELLO, timeout=2, reply_bytes=16)
    request = len(protocol.encode_frame(script.sent[0][1]))
    wire = (request + 16) * 1.05 * 0.01
    assert link.byte_seconds == 0.01
    assert script.times == [round(t, 6) for t in (0, 0.1 + wire, 0.3 + 2 * wire, 0.7 + 3 * wire)]
    assert script.now == pytest.approx(2 + wire)


def test_replies_are_short_unless_told() -> None:
    script = Script()
    with pytest.raises(NoAnswerError, match="no answer"):
        made(script, byte_seconds=0.01).request(Command.HELLO, timeout=1)
    request = len(protocol.encode_frame(script.sent[0][1]))
    assert script.now == pytest.approx(1 + (request + 64) * 1.05 * 0.01)


def test_nothing_is_sent_where_there_is_no_time() -> None:
    script = Script()
    with pytest.raises(NoAnswerError, match="within 0 s"):
        made(script).request(Command.HELLO, timeout=0)
    assert script.sent == []


def test_an_answer_at_the_last_moment_counts() -> None:
    script = Script((0.499, reply(OK + b"late")))
    assert made(script).request(Command.HELLO, timeout=0.5) == b"late"
    assert script.times == [0.0, 0.4]


def test_progress_starts_the_timeout_again() -> None:
    script = Script((0.3, progress(0)), (0.9, progress(2)), (1.2, reply(OK + b"done")))
    seen: list[int] = []
    assert made(script).request(Command.INVOKE, timeout=0.7, on_progress=seen.append) == b"done"
    assert seen == [0, 2]
    # Asked again 0.4 s after the progress that came first; the second one comes then, in time.
    assert script.times == [0.0, 0.7]


def test_progress_that_came_twice_or_late_starts_nothing() -> None:
    script = Script((0.1, progress(1)), (0.3, progress(1)), (0.35, progress(0)), (0.4, reply(b"", type=PROGRESS)))
    seen: list[int] = []
    with pytest.raises(NoAnswerError, match=r"^a port: no answer to INVOKE within 0\.5 s after op 1\. Check"):
        made(script).request(Command.INVOKE, timeout=0.5, on_progress=seen.append)
    assert seen == [1]
    assert script.now == pytest.approx(0.6)


def test_progress_of_the_first_op_is_named() -> None:
    script = Script((0.1, progress(0)))
    with pytest.raises(NoAnswerError, match=r"after op 0\. Check"):
        made(script).request(Command.INVOKE, timeout=0.5)


def test_progress_without_a_listener_and_nonsense_in_it() -> None:
    nonsense = reply(b"\1", type=PROGRESS)
    script = Script((0.1, progress(3)), (0.2, nonsense), (0.3, reply(OK + b"done")))
    assert made(script).request(Command.INVOKE, timeout=1) == b"done"
    early = Script((0.1, nonsense))
    with pytest.raises(NoAnswerError, match=r"within 0\.2 s\. Check"):
        made(early).request(Command.INVOKE, timeout=0.2)
    assert early.now == pytest.approx(0.2)


def test_patience_after_progress_allows_for_the_wire() -> None:
    script = Script((0.2, progress(0)))
    link = made(script, byte_seconds=0.001)
    with pytest.raises(NoAnswerError, match="after op 0"):
        link.request(Command.HELLO, timeout=1, reply_bytes=100)
    request = len(protocol.encode_frame(script.sent[0][1]))
    wire = (request + 100) * 1.05 * 0.001
    assert script.times == [0.0, round(0.6 + wire, 6)]
    assert script.now == pytest.approx(1.2 + wire)


@pytest.mark.parametrize(
    "other",
    [
        lambda request: reply(session=request.session ^ 1)(request),
        lambda request: reply(sequence=request.sequence - 1)(request),
        lambda request: reply(session=request.session ^ 1, sequence=9, version=9)(request),
        reply(type=Command.HELLO),  # a request, as an echo would bring it back
        reply(b""),
        reply(b"abc", type=FAULT),
        b"no frame\0",
        b"\0\0\0",
    ],
)
def test_what_is_no_answer_is_skipped(other: bytes | Callable[[Frame], bytes]) -> None:
    script = Script((0.1, other), (0.2, reply(OK + b"right")))
    assert made(script).request(Command.HELLO, timeout=1) == b"right"
    assert len(script.sent) == 1


def test_an_answer_in_pieces_and_two_at_once() -> None:
    def both(request: Frame) -> bytes:
        return reply(session=request.session ^ 1)(request) + reply(OK + b"second")(request)

    assert made(Script((0.1, both))).request(Command.HELLO, timeout=1) == b"second"
    pieces = [(0.1 + n / 100, lambda request, n=n: reply(OK + b"abc")(request)[n : n + 1]) for n in range(20)]
    assert made(Script(*pieces)).request(Command.HELLO, timeout=1) == b"abc"


def test_what_one_answer_leaves_is_read_by_the_next_request() -> None:
    script = Script((0.1, lambda request: reply()(request) + reply(OK + b"next", sequence=2)(request)))
    link = made(script)
    assert link.request(Command.HELLO, timeout=1) == b""
    assert link.request(Command.HELLO, timeout=1) == b"next"
    assert script.now == pytest.approx(0.1)


@pytest.mark.parametrize(("garbage", "found"), [(MAX_FRAME_BYTES, False), (MAX_FRAME_BYTES + 1, True)])
def test_more_than_a_frame_without_an_end_is_thrown_away(garbage: int, found: bool) -> None:
    """What follows is then read as if it began there: an answer whose first delimiter got lost."""
    script = Script((0.1, b"x" * garbage), (0.2, lambda request: reply(OK + b"there")(request)[1:]))
    link = made(script)
    if found:
        assert link.request(Command.HELLO, timeout=0.35) == b"there"
    else:
        with pytest.raises(NoAnswerError, match="no answer"):
            link.request(Command.HELLO, timeout=0.35)


def test_another_version_of_the_protocol() -> None:
    for script in (Script((0.1, reply(version=9))), Script((0.1, reply(version=9, type=FAULT)))):
        with pytest.raises(
            DeviceError, match=r"^a port: the device speaks protocol version 9, this mcugen speaks 1"
        ) as caught:
            made(script).request(Command.HELLO, timeout=1)
        assert "flash the firmware again" in caught.value.hint
    old = Script((0.1, reply(bytes([Status.BAD_VERSION]))))
    with pytest.raises(DeviceError, match=r"^the device does not understand protocol version 1\. Generate") as caught:
        made(old).request(Command.HELLO, timeout=1)
    assert "flash the firmware again" in caught.value.hint


def test_a_fault() -> None:
    payload = struct.pack("<9I", 3, 0x1234, *range(7))
    with pytest.raises(DeviceFault, match=r"^the device's program stopped with exception 3 at 0x00001234$") as caught:
        made(Script((0.1, reply(payload, type=FAULT)))).request(Command.HELLO, timeout=1)
    assert caught.value.fault == protocol.parse_fault(payload)


@pytest.mark.parametrize(("status", "name"), [(Status.BAD_INDEX, "BAD_INDEX"), (99, "status 99")])
def test_a_refusal(status: int, name: str) -> None:
    script = Script((0.1, reply(bytes([status]) + b"why")))
    with pytest.raises(Refusal, match=f"^TENSOR_INFO refused: {name}$") as caught:
        made(script).request(Command.TENSOR_INFO, timeout=1)
    assert (caught.value.command, caught.value.status, caught.value.detail) == (Command.TENSOR_INFO, status, b"why")
    assert status_name(status) == name


def test_the_answer_to_another_command_is_a_refusal() -> None:
    script = Script((0.1, reply(OK + b"x", type=RESPONSE | Command.INVOKE)))
    with pytest.raises(Refusal, match=r"^HELLO refused: OK$") as caught:
        made(script).request(Command.HELLO, timeout=1)
    assert caught.value.detail == b"x"


def test_a_connection_that_breaks() -> None:
    script = Script((0.1, ConnectionResetError("gone")))
    with pytest.raises(ConnectionLostError, match=r"^a port: the connection was lost: gone$") as caught:
        made(script).request(Command.HELLO, timeout=1)
    assert isinstance(caught.value.__cause__, ConnectionResetError)

    class Unplugged(Script):
        def write(self, data: bytes) -> None:
            raise OSError("unplugged")

    with pytest.raises(ConnectionLostError, match=r"^a port: the connection was lost: unplugged$"):
        made(Unplugged()).request(Command.HELLO, timeout=1)


def test_the_other_end_knows_better_why() -> None:
    asked: list[float] = []

    def check(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 3:
            raise DeviceError("the emulator ended", where="qemu", hint="look at its log")

    with pytest.raises(ConnectionLostError, match=r"^qemu: the emulator ended\. look at its log$") as caught:
        made(Script(), check=check).request(Command.HELLO, timeout=5)
    assert (caught.value.what, caught.value.where, caught.value.hint) == (
        "the emulator ended",
        "qemu",
        "look at its log",
    )
    assert asked == [0, 0, 0]  # whenever nothing came, without waiting

    asked[:] = [0, 0]
    with pytest.raises(ConnectionLostError, match=r"^qemu: the emulator ended\. look at its log$"):
        made(Script((0.1, OSError("gone"))), check=check).request(Command.HELLO, timeout=5)
    assert asked[2:] == [1]


def test_the_other_end_is_left_alone_while_it_speaks() -> None:
    def check(_seconds: float) -> None:
        raise AssertionError("asked")

    assert made(Script((0.1, reply(OK + b"fine"))), check=check).request(Command.HELLO, timeout=5) == b"fine"


def test_closing_closes_the_transport_and_then_says_so() -> None:
    script, said = Script(), []
    made(script).close()
    assert script.closed == 1
    made(script, on_close=lambda: said.append(script.closed)).close()
    assert said == [2]


def heard(script: Script) -> Link:
    """A link that loses nothing, on which something was answered."""
    link = made(script, lossless=True)
    script.answers.insert(0, (0.0, reply()))
    link.request(Command.HELLO, timeout=1)
    script.sent.clear()
    return link


def test_a_lossless_link_repeats_seldom() -> None:
    """Copies would pile up before an emulator that a busy computer holds up."""
    script = Script((7.0, reply(OK + b"late")))
    assert heard(script).request(Command.WRITE_INPUT, b"x", timeout=10) == b"late"
    assert script.times == [0.0, 5.0]


def test_a_lossless_link_repeats_seldom_after_progress_too() -> None:
    script = Script((2.0, progress(0)), (7.0, reply(OK + b"done")))
    assert heard(script).request(Command.INVOKE, timeout=6) == b"done"
    assert script.times == [0.0]


def test_a_link_is_taken_to_lose_bytes() -> None:
    """Unless it is known better, as of an emulator."""
    script = Script((0.0, reply()), (1.0, reply(OK + b"late")))
    link = made(script)
    link.request(Command.HELLO, timeout=1)
    assert link.request(Command.TENSOR_INFO, timeout=10) == b"late"
    assert script.times == [0.0, 0.0, 0.4]


@pytest.mark.parametrize("command", [Command.HELLO, Command.TENSOR_INFO])
def test_a_lossless_link_repeats_its_first_request(command: Command) -> None:
    """The program may not have been there to hear it."""
    script = Script((1.5, reply(OK)))
    made(script, lossless=True).request(command, timeout=10)
    assert script.times == [0.0, 0.4, 1.2]


def test_progress_beyond_the_last_op_starts_nothing() -> None:
    script = Script(*((0.3 * n, progress(n)) for n in range(1, 40)))
    with pytest.raises(NoAnswerError, match=r"no answer to INVOKE within 0\.5 s after op 2"):
        made(script).request(Command.INVOKE, timeout=0.5, steps=3)
    assert script.now == pytest.approx(1.1)


def test_times_and_sizes_of_the_documentation() -> None:
    assert (link_module.FIRST_RETRY_S, link_module.LAST_RETRY_S) == (0.4, 1.0)
    assert link_module.MOST_STEPS == 65_536
    assert protocol.MAX_PAYLOAD + protocol.HEADER.size + protocol.CRC_BYTES < MAX_FRAME_BYTES == 80_000

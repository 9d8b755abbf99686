"""A running device: the model on a board, or on the emulated board, as an object that answers."""

from __future__ import annotations

import contextlib
import itertools
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from mcugen.boards.types import Board
from mcugen.device import protocol
from mcugen.device.costs import Meter, make_meter
from mcugen.device.faults import FaultError
from mcugen.device.link import ConnectionLostError, Link
from mcugen.device.parted_outputs import PartedOutputs
from mcugen.device.protocol import Command, Cost, Done, Hello, Paused, Started, Stored, TensorInfo
from mcugen.device.session import Session, request_timeout
from mcugen.errors import DeviceError
from mcugen.progress import Share

DEFAULT_TIMEOUT_S = 60.0
RECONNECT_S = 30.0
RETRY_S = 0.3


class ModelStartError(DeviceError):
    """The device answers, but its model did not start. `code` is the model's error."""

    def __init__(self, what: str, where: str, hint: str, code: int) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code


class WrongFirmwareError(DeviceError):
    """The device answers, but it is another board, or runs another firmware or model than it should."""


@dataclass(frozen=True)
class Reconnection:
    """How a connection was made again: after how many seconds, and whether its session continues.

    It does not after a restart: then the model has forgotten what it kept between inferences. In either case it is not
    known whether an inference that was under way was run.
    """

    seconds: float
    resumed: bool

    def __str__(self) -> str:
        what = "its session continues" if self.resumed else "it begins anew"
        return f"reconnected after {self.seconds:.1f} s: {what}"


class Device:
    """A model on a board. A context manager; made by `open_device`.

    Costs are in `cost_unit`: "instructions" on an emulator that counts them exactly, "cycles" on hardware, "ticks"
    where the counter's meaning is not known.

    Args:
        name: the device in messages.
        board: tells how the emulator's counter runs; without it costs are raw ticks.
        emulated: the emulator was started by us: whether it counts instructions, so that its counter must run as the
            board says, or in ticks of its own. None: whatever is behind a port.
        elf: the firmware, to find the function and line of a fault.
        timeout: seconds an inference may take; of a paced one, an op.
        paced: inferences tell when an op is done, and feed the firmware's watchdog. Their cost is the sum of the ops',
            some instructions more per op. None: only where the firmware has a watchdog.
        reopen: makes a new link to the same device.
        notes: what a person must know about the connection.
    """

    def __init__(
        self,
        link: Link,
        *,
        name: str = "device",
        board: Board | None = None,
        emulated: bool | None = None,
        elf: Path | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        paced: bool | None = None,
        reopen: Callable[[], Link] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._name, self._elf, self._timeout = name, elf, timeout
        self._board, self._emulated, self._closed = board, emulated, False
        self._paced, self._reopen, self._notes = paced, reopen, tuple(notes)
        self._begin(link, max(request_timeout(), timeout))

    def _begin(self, link: Link, timeout: float) -> None:
        """Begin a session, and learn what the device is."""
        self._session = Session(link, self._name, board=self._board, elf=self._elf, timeout=timeout)
        self._meter = make_meter(self.hello, self._board, own_ticks=self._emulated is False)
        if self._emulated and self._meter.emulator is None:
            raise self._session.error(
                f"the emulator's counter is off: {self.hello.calibration_ticks} ticks for "
                f"{protocol.CALIBRATION_INSTRUCTIONS} instructions"
            )
        if self.hello.init_result != 0:
            raise self._start_error(self.hello.init_result)
        self.inputs, self.outputs = self._session.tensors()

    @property
    def hello(self) -> Hello:
        """What the device says of itself."""
        return self._session.hello

    @property
    def session(self) -> Session:
        """The requests under way; another one after `reconnect`."""
        return self._session

    @property
    def meter(self) -> Meter:
        return self._meter

    @property
    def cost_unit(self) -> str:
        return self._meter.unit

    @property
    def init_cost(self) -> int:
        """Cost of the model's init."""
        return self._meter.cost(self.hello.init_cost)

    @property
    def init_stack(self) -> int:
        """Bytes of stack that the model's init used."""
        return self.hello.init_stack

    @property
    def paced(self) -> bool:
        """Whether inferences go op by op, with a sign of life after each; may be set."""
        return self.hello.has_watchdog if self._paced is None else self._paced

    @paced.setter
    def paced(self, wanted: bool) -> None:
        self._paced = wanted

    def stored(self) -> Stored:
        """Whether models that are sent outlive a reset, and whether one runs."""
        if self.hello.slot_bytes == 0:
            return Stored(False, 0)
        found: Stored = self._session.ask(Command.STORED, protocol.parse_stored)
        return found

    def warnings(self) -> tuple[str, ...]:
        """What a person must know about what the device runs."""
        found = list(self._notes)
        if self.paced:
            found.append("inferences go op by op: their cost is the sum of the ops', some instructions more for each")
        state = self.stored().state
        if state < 0:
            why = protocol.MODEL_ERRORS.get(state, f"error {state}")
            found.append(f"the model that was sent to the device and kept there does not run ({why}): push it again")
        return tuple(found)

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """The model's (inputs, outputs)."""
        return self.inputs, self.outputs

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        """One inference: the outputs and its cost.

        Args:
            inputs: one array per input, of its dtype, with its number of elements.
            on_progress: called after every part of the inputs that was sent, and after every op of a paced inference,
                with the share that is done.

        Raises:
            DataError: inputs that do not fit the model.
            ConnectionLostError: no answer, a broken connection, or a device that was restarted: see `reconnect`.
            DeviceError: a fault, or an error of the model.
        """
        report = on_progress or (lambda _: None)
        parts = self._session.parts(self.inputs)
        total = parts + (self._stops if self.paced else 1)
        heard: list[float] = []  # when the device showed that it got further

        def progress(stop: int) -> None:
            heard.append(time.monotonic())
            if stop + 1 < self._stops:
                report((parts + stop + 1) / total)

        longest, costs = 0.0, []
        for crc in self._session.write_inputs(self.inputs, inputs, lambda sent: report(sent / total)):
            heard = [time.monotonic()]
            done = self._done(self._invoke(protocol.PACE if self.paced else 0, crc, progress))
            heard.append(time.monotonic())
            longest = max(longest, *(after - before for before, after in itertools.pairwise(heard)))
            costs.append(done.cost)
        self._check_complete(done)
        report(1.0)
        if self._meter.goes_round(longest):
            what = "an op" if self.paced else "an inference"
            raise self._session.error(
                f"{what} of {longest:.0f} s is too long for the {self.hello.counter_bits}-bit cycle counter"
            )
        if self.paced:
            whole = Cost(sum(cost.ticks for cost in costs), sum(cost.interrupts for cost in costs))
            return self._session.read_outputs(self.outputs, done), self._meter.cost(whole, self._stops)
        return self._session.read_outputs(self.outputs, done), sum(self._meter.cost(cost) for cost in costs)

    @property
    def _stops(self) -> int:
        """How often an inference can pause: after every op, or every stripe of it."""
        return self.hello.pieces or self.hello.ops

    def profile(self, inputs: Sequence[NDArray[Any]]) -> list[int]:
        """Cost of every op, in the order of the plan. Each includes a call through a pointer, a few instructions."""
        costs = [0] * self.hello.ops
        for op, cost in self.pieces(inputs):
            costs[op] += cost
        return costs

    def pieces(self, inputs: Sequence[NDArray[Any]]) -> list[tuple[int, int]]:
        """By turn the op that ran, or made some rows, and its cost. Without rows every op has one turn, in order."""
        return [(paused.op, self._meter.cost(paused.cost)) for paused in self._steps(inputs)]

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        """One inference: (op number, raw bytes of its first output) for every op, in order, put together from rows.

        The iterator must be used up, or closed, before the next request.
        """
        whole = PartedOutputs()
        with contextlib.closing(self._steps(inputs)) as steps:
            for paused in steps:
                request = protocol.read_op_output_request
                data = self._session.read_blocks(Command.READ_OP_OUTPUT, request, paused.nbytes)
                if zlib.crc32(data) != paused.crc:
                    raise self._session.error(f"the output of op {paused.op} changed while it was read")
                yield from whole.add(paused, data)
        if whole.incomplete:
            raise self._session.error(f"it did not show all of the output of op {whole.incomplete[0]}")

    def stack_used(self, inputs: Sequence[NDArray[Any]]) -> int:
        """Bytes of stack that an inference uses, found by painting the stack before it."""
        flags = protocol.MEASURE_STACK | (protocol.PACE if self.paced else 0)
        most = 0
        for crc in self._session.write_inputs(self.inputs, inputs):
            done = self._done(self._invoke(flags, crc))
            most = max(most, done.stack)
        self._check_complete(done)
        return most

    def reset(self) -> None:
        """Reset the device and say hello again. Works after a fault as well."""
        try:
            self._session.reset()
        except ConnectionLostError:
            if self._reopen is None:
                raise
            self.reconnect()  # its port went with it

    def reconnect(self, wait: float = RECONNECT_S) -> Reconnection:
        """Open the port again, or start the emulator again. A device that was restarted begins a new session.

        Nothing that was under way before is taken for an answer. Iterators of an old session come to an error.

        Args:
            wait: seconds that the device may take to come back.

        Raises:
            ConnectionLostError: it did not come back.
            WrongFirmwareError: another board answers, or another firmware or model than before.
            DeviceError: it cannot be reconnected, or its program has stopped: `reset` it.
        """
        if self._reopen is None:
            raise self._session.error("this connection cannot be re-established", hint="Open the device again")
        old, started = self._session, time.monotonic()
        old.link.close()
        while True:
            try:
                return Reconnection(time.monotonic() - started, resumed=self._connect_again(old))
            except (WrongFirmwareError, ModelStartError, FaultError):
                raise
            except DeviceError as error:
                if time.monotonic() - started >= wait:
                    raise ConnectionLostError(
                        f"it did not come back within {wait:g} s: {error.what}", where=self._name, hint=error.hint
                    ) from error
            time.sleep(RETRY_S)

    def _connect_again(self, old: Session) -> bool:
        """One attempt; whether the session goes on."""
        assert self._reopen is not None
        link = self._reopen()
        try:
            if old.goes_on_at(link):
                return True
            self._begin(link, request_timeout())
            if self.hello.models > 1:  # a restarted device runs the first
                self.select_model(old.hello.model_sha256)
            for now, before, what in (
                (self.hello.board, old.hello.board, "board"),
                (self.hello.build_id, old.hello.build_id, "firmware"),
                (self.hello.model_sha256, old.hello.model_sha256, "model"),
            ):
                if now != before:
                    raise WrongFirmwareError(
                        f"another {what} answers than before ({now[:12]}, not {before[:12]})",
                        where=self._name,
                        hint="Check what is connected, and start again",
                    )
        except FaultError:
            self._session.link = link  # to reset the device
            raise
        except BaseException:
            link.close()
            raise
        return False

    def start_model(self, arena_bytes: int = 0) -> Started:
        """Start the model afresh: it forgets what it kept between inferences.

        Args:
            arena_bytes: how much of the arena it may use; 0 for all. Other values only with the TFLM runtime.

        Raises:
            DeviceError: no answer. That the model does not start is no error here, but the result.
        """
        request = protocol.init_request(arena_bytes)
        started: Started = self._session.ask(Command.INIT, protocol.parse_init, request, timeout=self._timeout)
        return started

    def select_model(self, sha256: str) -> None:
        """Run another of the firmware's models from now on, afresh.

        Args:
            sha256: of the model's file, in hex.

        Raises:
            WrongFirmwareError: the firmware has no such model.
            DeviceError: no answer, or the model does not start.
        """
        if self.hello.model_sha256 == sha256:
            return
        if self.hello.models == 1:
            raise WrongFirmwareError(
                f"the device runs another model (sha256 {self.hello.model_sha256[:12]}…, expected {sha256[:12]}…)",
                where=self._name,
                hint="Flash this firmware, or check the port",
            )
        try:
            self._session.ask(Command.SELECT_MODEL, bytes, bytes.fromhex(sha256), timeout=self._timeout)
        except DeviceError as error:
            raise WrongFirmwareError(
                f"none of the device's {self.hello.models} models is the expected one (sha256 {sha256[:12]}…)",
                where=self._name,
                hint=f"Flash this firmware, or check the port. {error.what}",
            ) from error
        self._session.hello_again()
        if self.hello.init_result != 0:
            raise self._start_error(self.hello.init_result)
        self.inputs, self.outputs = self._session.tensors()

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
        self._session.ask(Command.WRITE_MODEL, bytes, protocol.write_model_request(offset, part))

    def push_model(self, flatbuffer: bytes, model_sha256: str) -> None:
        """Replace the running model.

        Args:
            flatbuffer: the new model.
            model_sha256: of the model file that it was made from, in hex.

        Raises:
            DeviceError: the device refuses it (the old model still runs then), or its first inference hangs.
        """
        if self.hello.slot_bytes == 0:
            raise self._session.error(
                "the firmware's model cannot be replaced",
                hint='Generate it with `runtime="tflm"` and `model_slot=BYTES`',
            )
        if len(flatbuffer) > self.hello.slot_bytes:
            raise self._session.error(
                f"the model has {len(flatbuffer):,} bytes, the slot for it {self.hello.slot_bytes:,}",
                hint="Generate the firmware with a larger `model_slot`",
            )
        step = self.hello.max_payload - protocol.WRITE_MODEL_OVERHEAD
        for offset in range(0, len(flatbuffer), step):
            self.send_model_part(offset, flatbuffer[offset : offset + step])
        request = protocol.load_model_request(flatbuffer, model_sha256)
        try:
            result: int = self._session.ask(Command.LOAD_MODEL, protocol.parse_load, request, timeout=self._timeout)
        except ConnectionLostError as error:
            raise self._session.error(
                f"the model was sent, but its first inference did not come to its end within {self._timeout:g} s "
                f"({error.what})",
                hint="Reset the device: then the model of before runs again",
            ) from error
        self._session.hello_again()
        if result != 0:
            raise self._session.error(
                f"the device refuses the model: {self._session.model_error(result)}", hint="The old model still runs"
            )
        self.inputs, self.outputs = self._session.tensors()

    def close(self) -> None:
        """Close the link, and end the emulator if it was started for this device."""
        self._closed = True
        self._session.link.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start_error(self, code: int) -> ModelStartError:
        hint = ""
        if self.hello.runtime == "tflm" and code == protocol.ARENA_TOO_SMALL:
            arena = f"{self.hello.arena_bytes:,}"
            how = "omit `arena`: `api.deploy(MODEL, board=BOARD, runtime='tflm')` finds how many are needed"
            hint = f"The arena has {arena} bytes; {how}"
        what = f"the model did not start: {self._session.model_error(code)}"
        return ModelStartError(what, self._name, hint, code)

    def _invoke(self, flags: int, crc: int, on_progress: Callable[[int], None] | None = None) -> Done | Paused:
        # Without signs of life it may take as long as all ops together.
        patience = self._timeout
        if flags & protocol.PACE and flags & protocol.MEASURE_STACK:
            patience *= max(1, self._stops)
        answer: Done | Paused = self._session.ask(
            Command.INVOKE,
            protocol.parse_invoke,
            protocol.invoke_request(flags, crc),
            timeout=patience,
            on_progress=on_progress,
            steps=self._stops,
        )
        return answer

    def _done(self, state: Done | Paused) -> Done:
        if not isinstance(state, Done):
            raise self._session.error("it paused, though it was not asked to")
        return state

    def _steps(self, inputs: Sequence[NDArray[Any]]) -> Generator[Paused, None, None]:
        session = self._session
        state: Done | Paused | None = None
        stops, next_op = 0, 0
        try:
            for crc in session.write_inputs(self.inputs, inputs):
                state = self._invoke(protocol.PAUSE, crc)
                while isinstance(state, Paused):
                    if state.op >= self.hello.ops or (not self.hello.pieces and state.op != next_op):
                        raise session.error(f"it paused after op {state.op} instead of {next_op}")
                    stops, next_op = stops + 1, state.op + 1
                    yield state
                    state = self._continue(session)
        except GeneratorExit:
            while isinstance(state, Paused) and not self._closed and session is self._session:
                state = self._continue(session)
            raise
        if stops != self._stops:
            raise session.error(f"it paused after {stops} of {self._stops} ops")
        assert isinstance(state, Done)
        self._check_complete(state)

    def _check_complete(self, done: Done) -> None:
        if not done.complete:
            raise self._session.error("it waits for more rows than its input has")

    def _continue(self, session: Session) -> Done | Paused:
        if session is not self._session:
            raise session.error("the connection was re-established during an inference", hint="Run it again")
        state: Done | Paused = session.ask(Command.CONTINUE, protocol.parse_invoke, timeout=self._timeout)
        return state

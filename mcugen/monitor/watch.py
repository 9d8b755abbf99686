"""Devices at work: each in a thread that feeds it, judges its answers, and brings it back when it is lost."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from mcugen.device.device import Device, Reconnection
from mcugen.device.faults import FaultError
from mcugen.device.link import ConnectionLostError
from mcugen.device.protocol import TensorInfo
from mcugen.device.signals import SignalDevice
from mcugen.errors import DeviceError
from mcugen.monitor.health import Health
from mcugen.monitor.player import Player, SignalFeed
from mcugen.monitor.sources import Range, Source
from mcugen.monitor.types import Block, Facts, GaveUpError, Message, Note, OpCost, Opened, Reading, Sample
from mcugen.tflite.detections import Places
from mcugen.tflite.types import TensorSpec

_RETRY_S = 0.5
_TICK_S = 0.1
_LEAVE_S = 5.0
_QUEUED = 256
_Answer = tuple[Sample, Sequence[NDArray[Any]], int, Sequence[str]]
_SAME_FAILURE = 3
"""An inference that fails so often, on a device that comes back each time, will not succeed."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a project or model tells that a device does not.

    Attributes:
        ranges: per input, what it was calibrated for.
        indices: per input, the largest value where ops take it for an index.
        ops: (name, kind) of the planned ops.
        stateful: the model keeps something between inferences.
        sequences: every sample is a whole sequence, which begins afresh.
        ms_per_unit, milliwatts: see :class:`mcugen.monitor.types.Facts`.
    """

    model: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    ranges: tuple[Range, ...]
    indices: tuple[int | None, ...]
    ops: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    stateful: bool
    sequences: bool = False
    notes: tuple[str, ...] = ()
    ms_per_unit: float = 0.0
    milliwatts: float = 0.0
    places: Places | None = None


@dataclass(frozen=True, eq=False)
class Watched:
    """A device to watch: how it is called and opened, and what is known of its model without asking it.

    `signal`: what it is fed in place of inputs of the model, if its firmware takes that.
    """

    name: str
    open: Callable[[], Device]
    known: Known | None = None
    labels: tuple[str, ...] = ()
    signal: SignalFeed | None = None


@dataclass(frozen=True, eq=False)
class Feeding:
    """How devices are fed.

    Attributes:
        source: makes the inputs, when it is known what the model takes.
        count: inferences per device; 0 for no end.
        interval: seconds from one inference to the next at least.
        real_time: signals come no faster than from a sensor.
        patience: seconds to wait for a lost device to come back.
        profile: measure the cost of every op at the start.
    """

    source: Callable[[Sequence[TensorSpec], Sequence[Range], Sequence[int | None]], Source]
    count: int = 0
    interval: float = 0.0
    patience: float = 120.0
    profile: bool = False
    real_time: bool = False


def watch(devices: Sequence[Watched], feeding: Feeding) -> Generator[Message | None, None, None]:
    """What the devices tell, as it comes; None where nothing has come for a moment.

    Every device is opened before the first inference. Closing the iterator ends all threads.

    Raises:
        McugenError: a device cannot be opened, does not come back, or runs another firmware when it does.
    """
    messages: queue.Queue[Message | BaseException | None] = queue.Queue(_QUEUED)
    stop, go = threading.Event(), threading.Event()
    workers = [_Worker(n, device, feeding, messages, stop, go) for n, device in enumerate(devices)]
    try:
        for worker in workers:
            worker.thread.start()
        opened = ended = 0
        while ended < len(workers):
            try:
                message = messages.get(timeout=_TICK_S)
            except queue.Empty:
                yield None
                continue
            if isinstance(message, BaseException):
                raise message
            if message is None:
                ended += 1
                continue
            yield message
            opened += isinstance(message, Opened)
            if opened == len(workers):
                go.set()
    finally:
        stop.set()
        for worker in workers:
            worker.leave()


class _Worker:
    """One device and the thread that works with it. Emulators live as long as the thread that started them."""

    def __init__(
        self,
        number: int,
        watched: Watched,
        feeding: Feeding,
        messages: queue.Queue[Message | BaseException | None],
        stop: threading.Event,
        go: threading.Event,
    ) -> None:
        self._number, self._watched, self._feeding = number, watched, feeding
        self._messages, self._stop, self._go = messages, stop, go
        self._device: Device | None = None
        self._restart: Callable[[], None] = lambda: None
        self.thread = threading.Thread(target=self._run, name=f"watching {watched.name}", daemon=True)

    def leave(self) -> None:
        """Wait for the thread; a device that does not answer has its link closed under it."""
        if self.thread.ident is None:
            return
        self.thread.join(_LEAVE_S)
        if self.thread.is_alive() and self._device is not None:
            self._device.close()
            self.thread.join(_LEAVE_S)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._put(error)
        else:
            self._put(None)
        finally:
            if self._device is not None:
                self._device.close()

    def _put(self, message: Message | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._messages.put(message, timeout=_TICK_S)
            except queue.Full:
                continue
            return

    def _work(self) -> None:
        device = self._device = self._watched.open()
        facts, source = self._describe(device)
        self._put(Opened(self._number, facts))
        while not self._go.wait(_TICK_S):
            if self._stop.is_set():
                return
        health, warnings = Health(facts), dict[str, str]()
        number, failures = 0, 0
        answers, interval = self._answers(device, facts, source)
        while not self._stop.is_set() and (self._feeding.count == 0 or number < self._feeding.count):
            begun = time.monotonic()
            try:
                sample, outputs, cost, events = answers(number)
            except (ConnectionLostError, FaultError) as error:
                failures += 1
                if self._stop.is_set():
                    return
                if failures >= _SAME_FAILURE:
                    raise
                with contextlib.suppress(ConnectionLostError):  # lost again: the next attempt tells
                    self._come_back(device, error)
                continue
            number, failures = number + 1, 0
            spent = time.monotonic() - begun
            reading = Reading(self._number, number, time.time(), sample, tuple(outputs), cost, spent)
            self._put(reading)
            for event in events:
                self._put(Note(self._number, time.time(), "event", event))
            now = health.judge(reading)
            self._tell_changes(warnings, now)
            warnings = now
            self._stop.wait(max(0.0, interval - (time.monotonic() - begun)))

    def _answers(self, device: Device, facts: Facts, source: Source) -> tuple[Callable[[int], _Answer], float]:
        """What gives the n-th inference, and the seconds from one to the next at least."""
        feed, known, interval = self._watched.signal, self._watched.known, self._feeding.interval
        if feed is not None:
            player = Player(feed, SignalDevice(device, feed.frame_bytes), facts.outputs)
            self._restart = player.restart
            if self._feeding.real_time and feed.period is not None:
                interval = feed.period

            def played(_number: int) -> _Answer:
                found = player.next()
                return found.sample, found.outputs, found.cost, found.events

            return played, interval

        def answer(number: int) -> _Answer:
            sample = source.at(number)
            if known is not None and known.sequences:
                device.forget()
            outputs, cost = device.run(list(sample.arrays))
            return sample, outputs, cost, ()

        return answer, interval

    def _tell_changes(self, before: dict[str, str], now: dict[str, str]) -> None:
        for key in now.keys() - before.keys():
            self._put(Note(self._number, time.time(), "warning", now[key], key))
        for key in before.keys() - now.keys():
            self._put(Note(self._number, time.time(), "over", before[key], key))

    def _come_back(self, device: Device, error: DeviceError) -> None:
        """Connect anew, or reset a program that stopped, after telling what happened.

        Raises:
            GaveUpError: it did not come back in time.
            DeviceError: it did with another firmware, or its model does not start.
        """
        self._put(Note(self._number, time.time(), "lost", str(error)))
        lost = time.monotonic()
        if isinstance(error, FaultError):
            device.reset()
            text = f"reset after {time.monotonic() - lost:.1f} s"
        else:
            found = self._reconnect(device, error)
            if found is None:
                return
            text = str(replace(found, seconds=time.monotonic() - lost))
        if self._watched.known is not None and self._watched.known.stateful:
            device.forget()  # nobody knows whether the inference that was under way was run
            text += "; its model was reset"
        self._restart()
        self._put(Note(self._number, time.time(), "back", text))

    def _reconnect(self, device: Device, error: DeviceError) -> Reconnection | None:
        """One attempt after the other; None where the monitor ends meanwhile."""
        lost = time.monotonic()
        while not self._stop.wait(_RETRY_S):
            try:
                return device.reconnect(0)
            except FaultError:  # it is there, but its program has stopped
                device.reset()
                return Reconnection(0.0, resumed=False)
            except ConnectionLostError as again:
                if time.monotonic() - lost >= self._feeding.patience:
                    raise GaveUpError(
                        f"was lost ({error.what}) and did not return within {self._feeding.patience:g} s: {again.what}",
                        where=self._watched.name,
                        hint="Check its power and connection; `patience=SECONDS` waits longer",
                    ) from again
        return None

    def _describe(self, device: Device) -> tuple[Facts, Source]:
        hello, known = device.hello, self._watched.known
        if known is None:
            inputs, outputs = (tuple(_spec(info) for info in infos) for infos in device.tensors())
            ranges: tuple[Range, ...] = (None,) * len(inputs)
            source = self._feeding.source(inputs, ranges, (None,) * len(inputs))
        else:
            inputs, outputs, ranges = known.inputs, known.outputs, known.ranges
            feed = self._watched.signal
            if feed is not None:
                first = Sample((feed.first,), 0, 0.0)
                source = Source(feed.origin, lambda _number: first, feed.notes)
            else:
                source = self._feeding.source(inputs, ranges, known.indices)
        facts = Facts(
            device=self._watched.name,
            board=hello.board,
            runtime=hello.runtime,
            model=known.model if known is not None else hello.model,
            sha256=hello.model_sha256,
            unit=device.cost_unit,
            hz=hello.counter_hz if device.cost_unit == "cycles" else 0,
            labels=self._watched.labels or (known.labels if known is not None else ()),
            inputs=inputs,
            outputs=outputs,
            ranges=ranges,
            arena_bytes=hello.arena_bytes,
            feed=source.origin,
            ops=self._profile(device, source) if self._feeding.profile else (),
            blocks=known.blocks if known is not None else (),
            notes=(*source.notes, *(known.notes if known is not None else ()), *device.warnings()),
            ms_per_unit=known.ms_per_unit if known is not None else 0.0,
            milliwatts=known.milliwatts if known is not None else 0.0,
            places=known.places if known is not None else None,
        )
        return facts, source

    def _profile(self, device: Device, source: Source) -> tuple[OpCost, ...]:
        """What every op costs with the first input; what the model keeps is forgotten again."""
        costs = device.profile(list(source.at(0).arrays))
        known = self._watched.known
        if known is None or known.stateful:
            device.forget()
        names = known.ops if known is not None else tuple((f"op {n}", "") for n in range(len(costs)))
        return tuple(OpCost(name, kind, cost) for (name, kind), cost in zip(names, costs, strict=True))


def _spec(info: TensorInfo) -> TensorSpec:
    return TensorSpec(info.name, info.shape, info.dtype.value, info.scale, info.zero_point)

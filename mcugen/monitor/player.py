"""A signal into a device whose firmware takes one: recordings, one after the other and over and over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.device.signals import SignalDevice, ToldEvent
from mcugen.monitor.types import Sample
from mcugen.tflite.types import TensorSpec


@dataclass(frozen=True, eq=False)
class SignalFeed:
    """What a device is fed that takes a signal.

    Attributes:
        origin, notes: where it comes from, what was done to it.
        recordings: names, and frames (n, channels); each begins from a reset.
        frame_bytes: of a frame.
        step: frames from one inference to the next.
        period: seconds of signal from one inference to the next; None where the signal has no rate.
        window: rows that an inference takes.
        given: the model's input, made of the bytes of so many rows.
        first: the model's first input of the first recording.
        told: an event of a recording, in words.
    """

    origin: str
    notes: tuple[str, ...]
    recordings: tuple[tuple[str, NDArray[Any]], ...]
    frame_bytes: int
    step: int
    period: float | None
    window: int
    given: Callable[[Sequence[bytes]], NDArray[Any]]
    first: NDArray[Any]
    told: Callable[[ToldEvent, str], str]


@dataclass(frozen=True, eq=False)
class Played:
    """An inference that a signal led to: its input, its outputs, what it cost with the rows before it; and events."""

    sample: Sample
    outputs: tuple[NDArray[Any], ...]
    cost: int
    events: tuple[str, ...]


class Player:
    """Plays recordings to a device."""

    def __init__(self, feed: SignalFeed, device: SignalDevice, outputs: Sequence[TensorSpec]) -> None:
        self._feed, self._device, self._outputs = feed, device, outputs
        self.restart()

    def restart(self) -> None:
        """Begin with the first recording again: what the device had of one is lost."""
        self._played = self._play()

    def next(self) -> Played:
        """The next inference.

        Raises:
            DeviceError: a fault, or no answer.
        """
        return next(self._played)

    def _play(self) -> Iterator[Played]:
        number = 0
        while True:
            name, frames = self._feed.recordings[number % len(self._feed.recordings)]
            self._device.reset()
            rows: list[bytes] = []
            count, before = 0, self._device.cost
            for at in range(0, len(frames), self._feed.step):
                for told in self._device.push(frames[at : at + self._feed.step]):
                    rows = [*rows, told.row][-self._feed.window :]
                    if told.outputs is None:
                        continue
                    events = () if told.event is None else (self._feed.told(told.event, name),)
                    sample = Sample((self._feed.given(rows),), count, 0.0)
                    cost, before = self._device.cost - before, self._device.cost
                    yield Played(sample, self._arrays(told.outputs), cost, events)
                    count += 1
            number += 1

    def _arrays(self, data: bytes) -> tuple[NDArray[Any], ...]:
        arrays, at = [], 0
        for spec in self._outputs:
            kind = np.dtype(spec.dtype).newbyteorder("<")
            size = int(np.prod(spec.shape, dtype=np.int64)) * kind.itemsize
            arrays.append(np.frombuffer(data[at : at + size], kind).astype(spec.dtype).reshape(spec.shape))
            at += size
        return tuple(arrays)

"""What has been seen of devices so far: what views draw and results sum up."""

from __future__ import annotations

from collections import Counter, deque

from mcugen.monitor.types import Facts, Message, Note, Opened, Reading, predictions

HISTORY = 400
"""Inferences that charts show."""
_LOG = 50
_RATE_S = 5.0


class DeviceState:
    """One device: what it is, its last reading, and figures over all of them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.count = 0
        self.last: Reading | None = None
        self.costs: deque[int] = deque(maxlen=HISTORY)
        self.lowest_cost = self.highest_cost = self.total_cost = 0
        self.classes: Counter[str] = Counter()
        self.warnings: dict[str, str] = {}
        self.warned: dict[str, str] = {}
        self.log: deque[Note] = deque(maxlen=_LOG)
        self.connected = True
        self.reconnects = self.events = 0
        self._times: deque[float] = deque(maxlen=HISTORY)

    def take(self, message: Reading | Note) -> None:
        if isinstance(message, Reading):
            self._take_reading(message)
        else:
            self._take_note(message)

    def rate(self) -> float:
        """Inferences per second over the last few seconds; 0 where there are too few."""
        recent = [time for time in self._times if time >= self._times[-1] - _RATE_S]
        spent = recent[-1] - recent[0] if recent else 0.0
        return (len(recent) - 1) / spent if spent > 0 else 0.0

    def histogram(self, bins: int) -> list[int]:
        """How often the last costs lay where, from the lowest to the highest of them."""
        low, high = (min(self.costs), max(self.costs)) if self.costs else (0, 0)
        counts = [0] * (bins if high > low else 1)
        for cost in self.costs:
            counts[min(len(counts) - 1, (cost - low) * len(counts) // (high - low + 1))] += 1
        return counts

    def _take_reading(self, reading: Reading) -> None:
        cost = reading.cost
        self.lowest_cost = min(self.lowest_cost, cost) if self.count else cost
        self.highest_cost = max(self.highest_cost, cost)
        self.total_cost += cost
        self.count += 1
        self.costs.append(cost)
        self._times.append(reading.time)
        self.last = reading
        for best in predictions(self.facts, reading, 1):
            self.classes[best.label] += 1

    def _take_note(self, note: Note) -> None:
        self.log.append(note)
        if note.kind == "lost":
            self.connected = False
        elif note.kind == "back":
            self.connected = True
            self.reconnects += 1
        elif note.kind == "event":
            self.events += 1
        elif note.kind == "warning":
            self.warnings[note.key] = self.warned[note.key] = note.text
        else:
            self.warnings.pop(note.key, None)


class State:
    """All devices that are watched."""

    def __init__(self) -> None:
        self.devices: dict[int, DeviceState] = {}

    def take(self, message: Message) -> None:
        """Take in a message; a device's first is `Opened`."""
        if isinstance(message, Opened):
            opened = {**self.devices, message.device: DeviceState(message.facts)}
            self.devices = dict(sorted(opened.items()))  # whichever answered first
        else:
            self.devices[message.device].take(message)

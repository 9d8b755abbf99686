"""What `monitor` and `replay` share: messages into a state, a recording and a view; and what is left at the end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.monitor.state import DeviceState, State
from mcugen.monitor.types import Message, microjoules, milliseconds
from mcugen.text import Brief

if TYPE_CHECKING:
    from mcugen.monitor.record import Recorder

Show = Callable[[Message | None, State], None]
"""Called with every message after the state has taken it, and with None where nothing has come for a moment."""


@dataclass(frozen=True, eq=False, repr=False)
class Watching(Brief):
    """What was seen of devices.

    Attributes:
        verb: "monitor" or "replay".
        state: of every device, at the end.
        stopped: it was ended with Ctrl-C.
        recording: the file that was written or read, or None.
    """

    verb: str
    state: State
    stopped: bool
    recording: Path | None
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": f"mcugen.{self.verb}/1",
            "mcugen": __version__,
            "stopped": self.stopped,
            "recording": str(self.recording) if self.recording else None,
            "devices": [_device(device) for device in self.state.devices.values()],
        }


def _device(device: DeviceState) -> dict[str, Any]:
    facts = device.facts
    cost: dict[str, Any] = {
        "unit": facts.unit,
        "lowest": device.lowest_cost,
        "highest": device.highest_cost,
        "mean": device.total_cost / device.count if device.count else 0.0,
    }
    cost["time_ms"], cost["energy_uj"] = milliseconds(facts, cost["mean"]), microjoules(facts, cost["mean"])
    return {
        "device": facts.device,
        "model": {"name": facts.model, "sha256": facts.sha256},
        "board": facts.board,
        "runtime": facts.runtime,
        "inputs": facts.feed,
        "samples": device.count,
        "cost": cost,
        "classes": [{"label": label, "samples": count} for label, count in device.classes.most_common()],
        "events": device.events,
        "reconnects": device.reconnects,
        "warnings": list(device.warned.values()),
        "notes": list(facts.notes),
    }


def follow(messages: Iterator[Message | None], show: Show | None, recorder: Recorder | None) -> tuple[State, bool]:
    """Take in messages until they end, or somebody presses Ctrl-C; says which.

    Raises:
        KeyboardInterrupt: before any device was open.
        McugenError: what the messages' source or the recorder raises.
    """
    state = State()
    with _ctrl_c() as pressed:
        for message in messages:
            if message is not None:
                state.take(message)
                if recorder is not None:
                    recorder.take(message)
            if show is not None:
                show(message, state)
            if pressed.is_set():
                break
    if pressed.is_set() and not state.devices:
        raise KeyboardInterrupt
    return state, pressed.is_set()


@contextlib.contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Ctrl-C as an event, so that no message is left half taken in. Only the main thread hears of signals."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, lambda _signal, _frame: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)

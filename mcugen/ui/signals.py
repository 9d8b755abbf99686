"""What a signal led to on a device, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mcugen.flow.proof import Proof
from mcugen.flow.signals import FoundEvent, SignalRun, SignalVerdict
from mcugen.text import number

_SHOWN = 8
"""Events that are shown."""


def signal_rows(proof: Proof) -> list[tuple[str, str]]:
    """What it costs, and the first events."""
    signal = proof.signal
    if signal is None:
        return []
    rows = [("signal", _amount(signal))]
    model = proof.ready.model
    if model.first is not None:
        rows.insert(0, ("front end", model.first.note))
    per_second = signal.cost_per_second
    if per_second is not None:
        load = proof.load
        uses = f", ≈ {_percent(load)} of {proof.board.name}'s time" if load is not None else ""
        rows.append(("", f"{number(round(per_second))} {signal.unit} per second{uses}"))
    rows.append(("", f"{number(signal.ram)} B of RAM beside the model's, {number(signal.stack)} B of stack"))
    return [*rows, *_event_rows(signal.listed, signal.events)]


def signal_run_rows(signal: SignalRun | None) -> list[tuple[str, str]]:
    """What recordings led to; nothing where there were none."""
    if signal is None:
        return []
    amount = f"{number(signal.frames)} frames" + (f", {signal.seconds:.2f} s" if signal.seconds is not None else "")
    return [("signal", f"{amount}: {number(len(signal.outputs[0]))} inferences"), *_event_rows(signal.events)]


def _event_rows(events: Sequence[FoundEvent], count: int | None = None) -> list[tuple[str, str]]:
    """The first events, of `count` in all."""
    rows = [("event" if not n else "", event_text(event)) for n, event in enumerate(events[:_SHOWN])]
    left = (len(events) if count is None else count) - len(rows)
    return [*rows, ("", f"and {number(left)} more")] if left > 0 else rows


def _amount(signal: SignalVerdict) -> str:
    frames = f"{number(signal.frames)} frames" + (f", {signal.seconds:.2f} s" if signal.seconds is not None else "")
    of = f" in {number(signal.recordings)} recordings" if signal.recordings > 1 else ""
    return f"{frames}{of}: {number(signal.rows)} rows, {number(signal.inferences)} inferences"


def _percent(load: float) -> str:
    return f"{100 * load:.2g} %" if load < 0.1 else f"{100 * load:.0f} %"


def event_text(event: FoundEvent) -> str:
    """An event in one line."""
    when = f"{event.seconds:.2f} s" if event.seconds is not None else f"frame {number(event.frame)}"
    return f"{when} {event.label} {event.kind}s, score {event.score:.4g}, in {event.recording}"


def signal_text(proof: Proof) -> str:
    """The verdict about a signal in one line."""
    assert proof.signal is not None
    return verdict_text(proof.signal)


def verdict_text(signal: SignalVerdict) -> str:
    """The same, of a signal alone."""
    over = f"{number(signal.frames)} frames" if signal.seconds is None else f"{signal.seconds:.2f} s of signal"
    rows = "rows" if not signal.tolerance else f"rows (within {signal.tolerance:g})"
    parts = [
        _equal(rows, signal.rows, signal.wrong_rows),
        _equal("probabilities", signal.inferences, signal.wrong_outputs),
        *([_equal("events", signal.events, signal.wrong_events)] if signal.decides else []),
    ]
    text = f"from sensor to decision: {', '.join(parts)} over {over}"
    return text if signal.passed else f"{text}; the first difference: {signal.first}"


def _equal(what: str, count: int, wrong: int) -> str:
    return f"{number(count)} {what} equal" if not wrong else f"{number(wrong)} of {number(count)} {what} differ"

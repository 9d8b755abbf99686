"""What a monitor feeds a device whose firmware takes a signal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcugen.device.signals import ToldEvent
from mcugen.errors import DataError
from mcugen.flow.sensors import Recording, Recordings, made_up, read_recordings
from mcugen.flow.signals import found_event, too_short
from mcugen.frontends import rows_of
from mcugen.monitor.player import SignalFeed
from mcugen.monitor.sources import GENERATORS
from mcugen.pipeline.app import App

_MADE_UP_INFERENCES = 200
_TONE_HZ, _HIGHEST = 440.0, 0.4
"""Of a sine; and of a chirp's highest tone, in parts of the rate."""


def signal_feed(app: App, inputs: str, seed: int) -> SignalFeed:
    """What the user named, as a signal.

    Args:
        inputs: "noise", "sine", "chirp", or recordings, see :func:`mcugen.flow.sensors.read_recordings`.

    Raises:
        DataError: recordings that cannot be read, or are all too short for an inference.
    """
    if inputs == "device":
        raise DataError(
            "this firmware runs no loop of its own to observe; it only answers requests",
            where="`inputs`",
            hint=f"Pass recordings, or {', '.join(GENERATORS)}",
        )
    signal, rows = app.pipeline.signal, app.pipeline.front_end.rows()
    recordings = _generated(app, inputs, seed) if inputs in GENERATORS else read_recordings(inputs, signal)
    played = tuple((item.name, item.frames) for item in recordings.items if len(item.frames) >= app.frames_first)
    if not played:
        raise too_short(app, recordings)
    kind = np.dtype(rows.dtype).newbyteorder("<")

    def given(parts: Sequence[bytes]) -> NDArray[np.generic]:
        values = np.frombuffer(b"".join(parts), kind).astype(rows.dtype)
        return np.asarray(app.quantizer(values).reshape(app.input.shape))

    def told(event: ToldEvent, name: str) -> str:
        found = found_event(app, event, name)
        when = f"at {found.seconds:.2f} s" if found.seconds is not None else f"at frame {found.frame:,}"
        return f"{found.label} {found.kind}s, score {found.score:.4g}, {when} of {name}"

    short = len(recordings.items) - len(played)
    left = (f"{short} recording{'s' * (short != 1)} too short for an inference",) if short else ()
    first = rows_of(app.pipeline.front_end, played[0][1][: app.frames_first])
    return SignalFeed(
        recordings.origin,
        (*recordings.notes, *left),
        played,
        signal.frame_bytes,
        rows.frames_step * app.stride,
        app.period,
        app.rows,
        given,
        given([np.ascontiguousarray(row).astype(kind).tobytes() for row in first]),
        told,
    )


def _generated(app: App, kind: str, seed: int) -> Recordings:
    """Noise, loud and quiet by turns; or a tone, which stays or rises."""
    noise = made_up(app, _MADE_UP_INFERENCES, seed)
    if kind == "noise":
        return noise
    signal, count = app.pipeline.signal, noise.frames
    time = np.arange(count)
    low = min(_TONE_HZ / signal.rate, _HIGHEST) if signal.rate and signal.kind == "audio" else 0.02
    waves = low * time if kind == "sine" else low * time + (_HIGHEST - low) * time**2 / (2 * count)
    wave = np.repeat(np.sin(2 * np.pi * waves)[:, np.newaxis], signal.channels, axis=1)
    if signal.dtype != "float32":
        info = np.iinfo(signal.dtype)
        middle, half = (info.max + info.min + 1) / 2, (info.max - info.min) / 2
        wave = np.rint(middle + 0.5 * half * wave)
    return Recordings((Recording(kind, wave.astype(signal.dtype)),), kind)

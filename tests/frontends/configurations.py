"""Random front ends of each kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import FrontEnd, Signal
from mcugen.frontends.image_pixels import FORMATS
from mcugen.frontends.motion import FEATURES


def micro(rng: np.random.Generator) -> FrontEnd:
    """A valid one; those that are refused are drawn again."""
    while True:
        rate = int(rng.choice([8000, 11025, 16000, 22050, 44100, 48000]))
        window = int(rng.integers(4, 41))
        low = float(rng.choice([0, 20, 125, 300, float(rng.uniform(0, 1000))]))
        fields = {
            "window_ms": window,
            "step_ms": int(rng.integers(1, window + 1)),
            "channels": int(rng.integers(1, 65)),
            "low_hz": low,
            "high_hz": float(rng.uniform(low + 100, rate / 2)),
            "smoothing_bits": int(rng.integers(4, 14)),
            "even_smoothing": float(rng.uniform(0, 1)) ** 3,
            "odd_smoothing": float(rng.uniform(0, 1)) ** 3,
            "min_signal_remaining": float(rng.uniform(0, 1)) ** 2,
            "pcan": bool(rng.random() < 0.7),
            "pcan_strength": float(rng.uniform(0, 1.2)),
            "pcan_offset": float(rng.choice([0.0, 1.0, 80.0, float(rng.uniform(0, 1000))])),
            "pcan_gain_bits": int(rng.integers(14, 26)),
            "log": bool(rng.random() < 0.8),
            "log_scale_shift": int(rng.integers(0, 12)),
            "output": str(rng.choice(["uint16", "int8", "float32"])),
        }
        try:
            return frontends.make("micro", Signal("audio", "int16", 1, rate), **fields)
        except FrontEndError:
            continue


_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "float32")


def _units(rng: np.random.Generator, channels: int) -> dict[str, object]:
    fields: dict[str, object] = {}
    if rng.random() < 0.7:
        fields["offset"] = [float(value) for value in rng.normal(0, 1000, channels)]
    if rng.random() < 0.7:
        fields["size"] = float(rng.uniform(1e-3, 5000))
    return fields


def table(rng: np.random.Generator) -> FrontEnd:
    channels = int(rng.integers(1, 9))
    signal = Signal("table", str(rng.choice(_TYPES)), channels)
    return frontends.make("table", signal, **_units(rng, channels))


def motion(rng: np.random.Generator) -> FrontEnd:
    channels, window = int(rng.integers(1, 7)), int(rng.integers(2, 65))
    named = [name for name in FEATURES if rng.random() < 0.5]
    bins = int(rng.integers(0, min(window // 2, 9) + 1))
    fields = {**_units(rng, channels), "features": named, "fft_bins": bins}
    if named or bins:
        fields |= {"window": window, "step": int(rng.integers(1, window + 1))}
    return frontends.make("motion", Signal("motion", str(rng.choice(_TYPES)), channels, 50), **fields)


def frames_for(rng: np.random.Generator, signal: Signal, count: int) -> NDArray:
    """Random frames of any of a signal's values, now and then constant ones or extremes."""
    shape = (count, signal.channels)
    if signal.dtype == "float32":
        return rng.normal(0, 10.0 ** rng.uniform(-3, 4), shape).astype(np.float32)
    limits = np.iinfo(signal.dtype)
    kind = rng.random()
    if kind < 0.1:
        return np.full(shape, rng.choice([limits.min, limits.max]), signal.dtype)
    if kind < 0.3:
        return rng.choice([limits.min, limits.max], shape).astype(signal.dtype)
    return rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=signal.dtype)


def image_signal(form: str, width: int, height: int) -> Signal:
    return Signal("image", "uint8", width * FORMATS[form].bytes_of_two // 2, None, height, width, form)


def image(rng: np.random.Generator) -> FrontEnd:
    name = str(rng.choice(list(FORMATS)))
    form = FORMATS[name]
    width, height = (int(value) * 2 for value in rng.integers(1, 20, 2))
    pixels, lines = width // form.lines, height // form.lines
    left, top = int(rng.integers(0, pixels)), int(rng.integers(0, lines))
    fields = {
        "left": left,
        "top": top,
        "crop_width": int(rng.integers(1, pixels - left + 1)),
        "crop_height": int(rng.integers(1, lines - top + 1)),
        "colours": "grey" if form.is_grey else str(rng.choice(["grey", "rgb"])),
        "method": str(rng.choice(["area", "bilinear"])),
        "output": str(rng.choice(["uint8", "int8", "float32"])),
    }
    if rng.random() < 0.8:
        fields |= {"width": int(rng.integers(1, 50)), "height": int(rng.integers(1, 50))}
    if fields["output"] == "float32":
        fields |= {"mean": float(rng.uniform(0, 255)), "scale": float(rng.uniform(0.1, 255))}
    return frontends.make("image", image_signal(name, width, height), **fields)


def log_mel_int16(rng: np.random.Generator) -> FrontEnd:
    """Of both kinds."""
    return log_mel(rng, int16=True)


def log_mel(rng: np.random.Generator, *, int16: bool = False) -> FrontEnd:
    """Of both kinds, log_mel and mfcc."""
    rate, window = int(rng.choice([8000, 16000, 44100])), int(rng.integers(4, 41))
    if int16:
        rate, window = min(rate, 22050), 4 + window // 3  # smaller tables are compiled sooner
    low = float(rng.choice([0, 20, float(rng.uniform(0, 1000))]))
    channels = int(rng.integers(1, 65))
    fields = {
        "like": str(rng.choice(["tf", "librosa", "torchaudio"])),
        "window_ms": window,
        "step_ms": int(rng.integers(1, window + 1)),
        "channels": channels,
        "low_hz": low,
        "high_hz": float(rng.uniform(low + 100, rate / 2)),
        "mel": str(rng.choice(["htk", "slaney"])),
        "power": int(rng.integers(1, 3)),
        "log": str(rng.choice(["ln", "db", "none"])),
        "floor": 1e-9,
    }
    kind = "log_mel"
    if rng.random() < 0.4:
        kind, fields["coefficients"] = "mfcc", int(rng.integers(1, channels + 1))
    if int16:
        fields |= {"arithmetic": "int16", "log": str(rng.choice(["ln", "db"]))}
        fields |= {"floor": float(rng.choice([0, 1e-10, 1e-4])), "offset": float(rng.choice([0, 1e-6, 0.5]))}
        if not fields["floor"] + fields["offset"]:
            fields["floor"] = 1e-20
        return frontends.make(kind, Signal("audio", "int16", 1, rate), **fields)
    return frontends.make(kind, Signal("audio", str(rng.choice(["int16", "float32"])), 1, rate), **fields)


def categories(rng: np.random.Generator) -> FrontEnd:
    channels = int(rng.integers(1, 9))
    if rng.random() < 0.5:
        limits = sorted(rng.normal(0, 100, int(rng.choice([1, 2, 5, 40, 300]))).tolist())
        fields = {"boundaries": limits, "output": str(rng.choice(["index", "one_hot", "multi_hot", "count"]))}
        return frontends.make("categories", Signal("table", str(rng.choice(_TYPES)), channels), **fields)
    fields = {"tokens": int(rng.integers(1, 130)), "output": str(rng.choice(["one_hot", "multi_hot", "count"]))}
    return frontends.make("categories", Signal("table", str(rng.choice(_TYPES[:-1])), channels), **fields)


def spectrogram(rng: np.random.Generator) -> FrontEnd:
    rate, window = int(rng.choice([8000, 16000])), int(rng.integers(16, 300))
    clip = int(rng.integers(300, 1500))
    low = float(rng.uniform(0, 1000))
    fields = {
        "clip": clip,
        "hop": int(rng.integers(1 + clip // 3, clip + 1)),
        "window": window,
        "stride": int(rng.integers(20, 300)),
        "channels": int(rng.integers(1, 30)),
        "low_hz": low,
        "high_hz": float(rng.uniform(low + 100, rate / 2)),
        "power": int(rng.integers(1, 3)),
        "log": str(rng.choice(["db", "none"])),
    }
    if fields["log"] == "db":
        fields |= {"range_db": float(rng.choice([0, 20, 80])), "reference_db": float(rng.uniform(-20, 20))}
    if rng.random() < 0.3:
        fields["fft"] = 512
    return frontends.make("spectrogram", Signal("audio", str(rng.choice(["int16", "float32"])), 1, rate), **fields)

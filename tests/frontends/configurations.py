"""Random front ends of each kind."""

from __future__ import annotations

import numpy as np

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import FrontEnd, Signal


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

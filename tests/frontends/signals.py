"""Sounds that reach the corners of fixed-point arithmetic, and random ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = -32768, 32767


def extreme(count: int) -> dict[str, NDArray[np.int16]]:
    """int16 signals by name."""
    n = np.arange(count)
    found = {
        "silence": np.zeros(count),
        "the lowest": np.full(count, LOW),
        "the highest": np.full(count, HIGH),
        "alternating": np.where(n % 2, HIGH, LOW),
        "square": np.where(n // 20 % 2, HIGH, LOW),
        "impulses": np.where(n % 160 == 80, LOW, 0),
        "one bit": n % 7 == 0,
        "sine": 8000 * np.sin(n * 0.3),
        "clipped sine": np.clip(90000 * np.sin(n * 0.05), LOW, HIGH),
        "chirp": HIGH * np.sin(n**2 * 1e-5),
        "loud, then silence": np.where(n < count // 2, HIGH * np.sin(n * 0.1), 0),
    }
    return {name: values.astype(np.int16) for name, values in found.items()}


def random_sound(rng: np.random.Generator, count: int) -> NDArray[np.int16]:
    """Noise, tones and silences at random levels, some of them clipped."""
    n = np.arange(count)
    level = 2.0 ** rng.uniform(0, 17)
    tone = level * np.sin(n * rng.uniform(0, np.pi) + rng.uniform(0, 6))
    noise = rng.normal(0, 2.0 ** rng.uniform(-1, 15), count)
    on = rng.random(3) < 0.7
    mixed = on[0] * tone + on[1] * noise + on[2] * rng.integers(-200, 200)
    if rng.random() < 0.3:
        mixed[: count // 3] = 0
    return np.clip(np.rint(mixed), LOW, HIGH).astype(np.int16)

"""What is suspicious about a device's answers, over its last inferences."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.monitor.types import Facts, Reading, has_probabilities
from mcugen.tflite.types import TensorSpec

WINDOW = 16
"""Inferences that a judgement takes."""
STUCK = 50
"""Equal outputs in a row, though inputs differ, that are suspicious: classifiers may well be as sure for a while."""
_SATURATED = 0.10
_OUTSIDE = 0.05
_FEW_LEVELS = 4


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of one inference."""

    inputs: int
    outputs: int
    outside: float
    at_limits: tuple[float, ...]
    finite: bool
    span: tuple[tuple[int, int], ...]


class Health:
    """Judges readings as they come, over the last `WINDOW` inferences."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._seen: deque[_Seen] = deque(maxlen=WINDOW)
        self._same = 0
        self._inputs_since: set[int] = set()

    def judge(self, reading: Reading) -> dict[str, str]:
        """Take a reading, and tell what is wrong now: a text for every kind of trouble."""
        self._seen.append(_look(self._facts, reading))
        self._count_same()
        found: dict[str, str] = {}
        if not self._seen[-1].finite:
            found["not finite"] = "an output holds values that are NaN or infinite"
        if len(self._seen) < WINDOW:
            return found
        if self._same >= STUCK and len(self._inputs_since) > 1:
            found["stuck"] = f"the output has not changed for {STUCK} inferences, though the input has"
        for number, spec in enumerate(self._facts.outputs):
            share = float(np.mean([seen.at_limits[number] for seen in self._seen]))
            if share > _SATURATED:
                found[f"saturated {number}"] = (
                    f'output "{spec.name}" saturates: {share:.0%} of its values lie at the limits of {spec.dtype}'
                )
        outside = float(np.mean([seen.outside for seen in self._seen]))
        if outside > _OUTSIDE:
            found["drift"] = (
                f"the inputs have drifted: {outside:.0%} of their values lie outside what the model was calibrated for"
            )
        found.update(self._narrow())
        return found

    def _count_same(self) -> None:
        """How many outputs in a row are the last one's, and which of the last inputs led to them."""
        last = self._seen[-1]
        if len(self._seen) < 2 or self._seen[-2].outputs != last.outputs:
            self._same, self._inputs_since = 0, set()
        self._same += 1
        if len(self._inputs_since) < 2:
            self._inputs_since.add(last.inputs)

    def _narrow(self) -> dict[str, str]:
        """Inputs that use next to nothing of their type's levels are scaled wrongly."""
        found = {}
        for number, spec in enumerate(self._facts.inputs):
            low = min(seen.span[number][0] for seen in self._seen)
            high = max(seen.span[number][1] for seen in self._seen)
            if spec.scale > 0 and low < high and high - low < _FEW_LEVELS:
                info = np.iinfo(spec.dtype)
                found[f"narrow {number}"] = (
                    f'input "{spec.name}" uses {high - low + 1} of {info.max - info.min + 1} levels: '
                    "scale it as in training"
                )
        return found


def _look(facts: Facts, reading: Reading) -> _Seen:
    arrays = reading.sample.arrays
    inputs, outputs = 0, 0
    for array in arrays:
        inputs = zlib.crc32(np.ascontiguousarray(array).tobytes(), inputs)
    for array in reading.outputs:
        outputs = zlib.crc32(np.ascontiguousarray(array).tobytes(), outputs)
    return _Seen(
        inputs=inputs,
        outputs=outputs,
        outside=reading.sample.outside,
        at_limits=tuple(_at_limits(a, s) for a, s in zip(reading.outputs, facts.outputs, strict=True)),
        finite=all(bool(np.isfinite(array).all()) for array in reading.outputs if array.dtype.kind == "f"),
        span=tuple((int(array.min()), int(array.max())) if array.dtype.kind in "iu" else (0, 0) for array in arrays),
    )


def _at_limits(values: NDArray[Any], spec: TensorSpec) -> float:
    """Share of an output's values that were clipped, or may have been.

    Probabilities of 0 and 1 are no clipping, and a lower limit that stands for 0 is a ReLU's.
    """
    if spec.scale <= 0 or has_probabilities(spec):
        return 0.0
    info = np.iinfo(spec.dtype)
    clipped = values == info.max
    if spec.zero_point != info.min:
        clipped = clipped | (values == info.min)
    return float(np.mean(clipped))

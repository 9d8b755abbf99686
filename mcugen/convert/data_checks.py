"""Warnings about calibration data that loads but is probably not what the model was trained on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import short_name
from mcugen.convert.readings import reading_of
from mcugen.convert.types import OwnScaling, Samples
from mcugen.tflite.types import TensorSpec

_FEW = 20
_SATURATED = 0.2
_FAR_OUT = 1000.0
_WILD = 8.0
"""A sample that reaches so many times as far as nearly all others takes three bits of every one of these."""
_WILD_SHARE = 0.01


def check_samples(
    samples: Samples,
    inputs: tuple[TensorSpec, ...],
    *,
    expects_pixels: bool = False,
    scaling: OwnScaling | None = None,
    measured: Collection[int] = (),
) -> list[str]:
    """What looks wrong, as sentences; empty if nothing does.

    Args:
        samples: all samples, not only those used for calibration.
        expects_pixels: the model itself divides by about 255.
        scaling: what its layers do first with its input; None where nobody knows.
        measured: positions of the inputs whose features come in units of their own, and so with any values.
    """
    found = []
    if samples.trusted and samples.count < _FEW:
        plural = "s" * (samples.count != 1)
        found.append(f"only {samples.count} calibration sample{plural}: ranges may be too narrow; use 100 or more")
    if samples.labels is not None and not samples.by_folder and _sorted(samples.labels):
        found.append("the samples are sorted by label: shuffle them before you split or shorten the set")
    for position, (values, spec) in enumerate(zip(samples.inputs, inputs, strict=True)):
        if spec.dtype != "float32":
            continue
        name = f'input "{short_name(spec.name)}"'
        # Of several inputs, those that are no images are scaled by other factors.
        pixels = expects_pixels and (len(inputs) == 1 or (len(spec.shape) == 4 and spec.shape[-1] in (1, 3, 4)))
        found.extend(f"{name}: {text}" for text in _check_values(values, pixels, position in measured))
        if samples.trusted and scaling is not None and not expects_pixels and reading_of(values) == "0…255":
            low, high = float(values.min()), float(values.max())
            found.append(
                f"{name}: values lie in [{low:.3g}, {high:.3g}], and no layer of the model scales them: right only if "
                "it was trained on such values"
            )
    return found


def _sorted(labels: NDArray[np.int64]) -> bool:
    return len(labels) >= _FEW and len(np.unique(labels)) > 1 and bool(np.all(np.diff(labels) >= 0))


def _check_values(values: NDArray[Any], expects_pixels: bool, is_measured: bool) -> list[str]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [f"constant: every value is {low:g}"]
    found = []
    if len(values) > 1 and bool(np.all(values == values[0])):
        found.append("all samples are the same")
    elif len(values) > 1:
        flat = values.reshape(len(values), -1)
        repeated = len(flat) - len({row.tobytes() for row in flat})
        if repeated > len(flat) // 2:
            found.append(f"{repeated} of {len(flat)} samples repeat another one")
    biggest = max(abs(low), abs(high))
    if is_measured:
        return found
    if wild := _wild_samples(values):
        found.append(wild)
    if biggest <= 1.1 / 255:
        found.append(f"values lie in [{low:.3g}, {high:.3g}]: they look divided by 255 twice")
    elif expects_pixels and biggest <= 1.1:
        found.append(f"values lie in [{low:.3g}, {high:.3g}], but the model itself scales its input: give 0…255")
    elif biggest > _FAR_OUT:
        found.append(f"values lie in [{low:.3g}, {high:.3g}]: far from the usual [0, 1], [-1, 1] or [0, 255]")
    # Black-and-white data has two values and no saturation.
    interior = (values > low) & (values < high)
    if interior.any():
        at_high = float(np.mean(values == high))
        at_low = float(np.mean(values == low)) if low != 0 else 0.0
        for share, end, value in ((at_high, "largest", high), (at_low, "smallest", low)):
            if share > _SATURATED:
                found.append(f"saturated: {share:.0%} of the values equal the {end} one ({value:g})")
    return found


def _wild_samples(values: NDArray[Any]) -> str:
    """Which few samples reach much further than all others, so that they alone make the range; "" if none do."""
    reach = np.abs(values.reshape(len(values), -1)).max(axis=1)
    few = max(1, int(len(values) * _WILD_SHARE))
    order = np.argsort(-reach, kind="stable")
    for count in range(1, few + 1):
        rest = float(reach[order[count]]) if len(values) >= _FEW else 0.0
        if rest > 0 and reach[order[count - 1]] > _WILD * rest:
            named = ", ".join(str(n) for n in sorted(order[:count].tolist())[:5]) + (", …" if count > 5 else "")
            which = f"sample {named} reaches" if count == 1 else f"samples {named} reach"
            return (
                f"{which} {float(reach[order[count - 1]]):.3g}, all others at most {rest:.3g}: the range of int8 is "
                "made for what hardly ever comes. Leave such samples out if they are faults"
            )
    return ""

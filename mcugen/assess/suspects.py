"""The usual causes of lost accuracy, looked for at one layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.types import Histogram, Suspect
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.tflite.int8_rules import RULES

# From here on the median channel has 16 of 256 levels, 4 bits.
_OUTLIER = 16.0
_CLIPPED = 0.01
# 99.9 % of the values in an eighth of the range: 5 of 8 bits.
_MOST, _STRETCHED = 0.999, 8
# Rows of weights as coarse as 6 bits.
_UNEVEN_ROWS = 4.0
# Half a step changes the odds of two classes by exp(0.125), 13 %.
_SOFTMAX_STEP = 0.25
_FEW_CHANNELS = 4

_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""Axis of the weights' output channels."""


def find_suspects(
    graph: Graph, op: Op, channels: NDArray[np.float64], clipped: float, histogram: Histogram | None
) -> tuple[Suspect, ...]:
    """What is unusual about an op of a quantized model.

    Args:
        channels: the largest float |value| of each channel of its output.
        clipped: share of the float values outside of what its output can hold.
        histogram: of its output; None if that is not quantized.
    """
    found = []
    rule = RULES.get(op.kind)
    if rule is None or not (rule.same_scale or rule.output):  # a range of its own
        found += _range_suspects(graph.output_of(op), channels, clipped, histogram)
    if coarse := _coarse_weights(graph, op):
        found.append(coarse)
    if op.kind == "SOFTMAX":
        given = graph.input_of(op, 0)
        if given is not None and given.quant is not None and given.scale > _SOFTMAX_STEP:
            odds = np.exp(given.scale / 2) - 1
            text = f"one step of its input is {given.scale:.3g}: rounding alone changes the odds by {odds:.0%}"
            found.append(Suspect("softmax input scale", text))
    return tuple(found)


def _range_suspects(
    output: Tensor, channels: NDArray[np.float64], clipped: float, histogram: Histogram | None
) -> list[Suspect]:
    """What is wrong with the range that a quantized output has."""
    if output.quant is None or histogram is None:
        return []
    found = []
    if uneven := _outlier_channels(output, channels) or _stretched(histogram):
        found.append(uneven)
    if clipped > _CLIPPED:
        text = f"{clipped:.1%} of its float values lie outside the quantized range and are clipped"
        found.append(Suspect("saturated range", text))
    return found


def _outlier_channels(output: Tensor, channels: NDArray[np.float64]) -> Suspect | None:
    used = channels[channels > 0]
    if len(used) < _FEW_CHANNELS or output.scale <= 0:
        return None
    median = float(np.median(used))
    outliers = np.flatnonzero(channels > _OUTLIER * median)
    if not len(outliers):
        return None
    largest = int(channels.argmax())
    levels = max(1, round(median / output.scale))
    others = f" and {len(outliers) - 1} more" if len(outliers) > 1 else ""
    return Suspect(
        "outlier channels",
        f"channel {largest}{others} reaches {channels[largest]:.3g}, the median channel {median:.3g}, which leaves it "
        f"{levels} level{'s' * (levels != 1)}",
    )


def _stretched(histogram: Histogram) -> Suspect | None:
    counts = np.array(histogram.float_counts)
    share = np.cumsum(counts) / max(1, counts.sum())
    # The narrowest run of bins that holds nearly all values.
    ends = np.searchsorted(share, np.concatenate([[0.0], share[:-1]]) + _MOST - 1e-12)
    widths = [int(end) - start + 1 for start, end in enumerate(ends) if end < len(counts)]
    if not counts.sum() or min(widths) > len(counts) // _STRETCHED:
        return None
    part = min(widths) / len(counts)
    text = f"{_MOST:.1%} of its values lie in {part:.1%} of the quantized range, which a few outliers stretch"
    return Suspect("stretched range", text)


def _coarse_weights(graph: Graph, op: Op) -> Suspect | None:
    """Weights with a single scale whose channels differ much in size."""
    axis = _WEIGHTED.get(op.kind)
    weights = graph.input_of(op, 1) if axis is not None else None
    if axis is None or weights is None or weights.data is None or weights.quant is None or weights.quant.per_channel:
        return None
    others = tuple(n for n in range(weights.data.ndim) if n != axis)
    largest = np.abs(weights.data.astype(np.int64) - weights.zero_point).max(axis=others)
    used = largest[largest > 0]
    if len(used) < 2 or used.max() < _UNEVEN_ROWS * np.median(used):
        return None
    text = f"its weights share one scale, and the median channel uses {round(float(np.median(used)))} of 127 steps"
    return Suspect("per-tensor weights", text)

"""What a float model with loops does on samples: every tensor of a loop's body over all rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import calibrate
from mcugen.convert.calibrate import Observation
from mcugen.convert.histogram import Statistics
from mcugen.convert.loops.counted import LOOP
from mcugen.convert.loops.merged import merge
from mcugen.convert.loops.unrolled import Unrolled, unroll
from mcugen.progress import Share
from mcugen.tflite import fields as flat
from mcugen.tflite.lstm_operands import LSTM
from mcugen.tflite.opened import OpenedModel
from mcugen.tflite.schema_types import ModelT


def merged_copy(model: OpenedModel) -> ModelT:
    """A model with its subgraphs merged, to be looked at."""
    copy = model.copy()
    merge(copy)
    return copy


def is_recurrent(model: OpenedModel) -> bool:
    """Whether a model has loops or LSTM ops."""
    return any(flat.kind_of(model.schema, op) in (LOOP, LSTM) for op in model.main.operators)


def observe(
    model: OpenedModel, inputs: Sequence[NDArray[Any]], *, statistics: bool = False, progress: Share | None = None
) -> Observation:
    """Run a float model on every sample and watch all activations, by their ids in the merged graph.

    Args:
        inputs: one (N, *shape) array per model input.

    Raises:
        ConversionError: see :func:`mcugen.convert.calibrate.observe`.
    """
    if not is_recurrent(model):  # it has one graph
        watched, outputs = calibrate.float_activations(model.schema), flat.ints(model.main.outputs)
        return calibrate.observe(model, inputs, watched, outputs, statistics=statistics, progress=progress)
    watched = calibrate.float_activations(merged_copy(model))
    unrolled = unroll(model)
    main = unrolled.model.main
    seen = {i: unrolled.seen.get(i, ()) for i in watched}
    computed = {j for ids in seen.values() for j in ids if not flat.is_constant(unrolled.model.schema, main.tensors[j])}
    found = calibrate.observe(
        unrolled.model,
        inputs,
        sorted(computed),
        flat.ints(main.outputs),
        statistics=statistics,
        progress=progress,
    )
    ranges, known = {}, {}
    for i, ids in seen.items():
        ends = [_range(unrolled, found, j) for j in ids] or [(0.0, 0.0)]
        ranges[i] = (min(low for low, _ in ends), max(high for _, high in ends))
        parts = [found.statistics[j] for j in ids if j in found.statistics]
        if parts:
            known[i] = _together(parts)
    return replace(found, ranges=ranges, statistics=known)


def _range(unrolled: Unrolled, found: Observation, i: int) -> tuple[float, float]:
    if i in found.ranges:
        return found.ranges[i]
    value = flat.constant(unrolled.model.schema, unrolled.model.main.tensors[i])
    return (0.0, 0.0) if value is None or not value.size else (float(value.min()), float(value.max()))


def _together(parts: Sequence[Statistics]) -> Statistics:
    """Of all rounds; the mean is that of the rounds' means."""
    counts = np.sum([part.counts for part in parts], axis=0)
    return Statistics(counts, np.mean([part.mean for part in parts], axis=0))

"""Runs the forms of a model over labelled samples, and says how right each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.task import find_flips, make_gate, make_run, make_task, with_threshold
from mcugen.assess.types import Assessment, Metric, Outputs, Task
from mcugen.convert import flat
from mcugen.convert.calibrate import feeds, observe
from mcugen.convert.compare import agreement, encode_input, run_int8
from mcugen.convert.data import DataSource, choose, load_samples
from mcugen.convert.inspect_source import inspect_model
from mcugen.convert.types import Samples, TensorSpec
from mcugen.errors import DataError
from mcugen.graph.schema import unpack_model

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Samples to judge a model by, as its inputs take them.

    Attributes:
        inputs: the model's inputs.
        feeds: one (N, *input shape) array per input, real values where the input is float or quantized.
        calibrated_on: how many samples were among those of the calibration; None where nobody knows.
    """

    samples: Samples
    inputs: tuple[TensorSpec, ...]
    feeds: tuple[NDArray[Any], ...]
    calibrated_on: int | None

    @property
    def count(self) -> int:
        return self.samples.count


def load_evaluation(model: bytes, source: DataSource, calibration: DataSource | None = None) -> Evaluation:
    """Read the samples to judge a model by.

    Args:
        model: the float `.tflite`; the quantized one where there is no other.
        source: see :func:`mcugen.convert.load_samples`; of split data, x_test and y_test.
        calibration: what the model was quantized with, to say which samples are in both; None if nobody knows.

    Raises:
        DataError: unreadable, or samples that do not fit.
    """
    inspection = inspect_model(unpack_model(model))
    scale = not inspection.rescales_input
    samples = load_samples(source, inspection.inputs, scale_images=scale, part="evaluation")
    common = None
    if calibration is not None:
        used = choose(load_samples(calibration, inspection.inputs, scale_images=scale))
        common = _in_both(samples, used)
    return Evaluation(samples, inspection.inputs, tuple(feeds(samples, inspection.inputs)), common)


def run_float(model: bytes, evaluation: Evaluation, progress: Progress | None = None) -> Outputs:
    """Outputs of a float32 `.tflite` on the host.

    Raises:
        ConversionError: no interpreter runs it, or it computes non-finite numbers.
    """
    outputs = flat.ints(unpack_model(model).subgraphs[0].outputs)
    return observe(model, evaluation.feeds, (), outputs, progress=progress).outputs


def run_quantized(model: bytes, evaluation: Evaluation, progress: Progress | None = None) -> Outputs:
    """Real-valued outputs of a quantized `.tflite` in the oracle, from the same real-valued inputs.

    Raises:
        ModelError, ToolError: see :class:`mcugen.verify.oracle.Oracle`.
    """
    main = unpack_model(model).subgraphs[0]
    return run_int8(model, evaluation.feeds, flat.input_specs(main), flat.output_specs(main), progress)


def output_specs(model: bytes) -> tuple[TensorSpec, ...]:
    """A model's outputs."""
    return flat.output_specs(unpack_model(model).subgraphs[0])


@dataclass(frozen=True, eq=False)
class HostRuns:
    """What the forms of a model gave on the host, and the task that they are judged by. `floats` is None without one.

    `arithmetic` is that of `results`: "int8", "int16", or "float32" where the model was not quantized.
    """

    evaluation: Evaluation
    task: Task
    floats: Outputs | None
    results: Outputs
    outputs: tuple[TensorSpec, ...]
    arithmetic: str


def run_on_host(
    model: bytes,
    float_model: bytes | None,
    evaluation: Evaluation,
    *,
    arithmetic: str = "int8",
    kind: Literal["classification", "regression"] | None = None,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> HostRuns:
    """Run both forms of a model over all samples.

    Args:
        model: the `.tflite` that goes to the device.
        float_model: what it was quantized from, or None.
        arithmetic: "int8" or "int16"; "float32" if `model` is not quantized: then it is the float model itself.
        kind, metric: see :func:`mcugen.assess.make_task`.

    Raises:
        DataError: labels or metrics that do not fit, before anything runs.
        ConversionError, ModelError, ToolError: no interpreter runs the model.
    """
    specs = output_specs(model)
    task = make_task(evaluation.samples, specs, kind=kind, metric=metric)
    floats: Outputs | None = None
    if arithmetic == "float32":
        results = run_float(model, evaluation, _step(progress, "evaluating float32"))
    else:
        if float_model is not None:
            floats = run_float(float_model, evaluation, _step(progress, "evaluating float32"))
        results = run_quantized(model, evaluation, _step(progress, f"evaluating {arithmetic}"))
    task = with_threshold(task, floats if floats is not None else results)
    return HostRuns(evaluation, task, floats, results, specs, arithmetic)


def assess(runs: HostRuns, *, max_drop: float | None = None) -> Assessment:
    """Judge a model by what it gave on the host; the device's run is added by `with_device`.

    Raises:
        DataError: `max_drop` without labels or without a float model.
    """
    task, evaluation = runs.task, runs.evaluation
    quantized = make_run(task, runs.results, runs.arithmetic)
    before = make_run(task, runs.floats, "float32") if runs.floats is not None else None
    gate = None
    if max_drop is not None:
        if before is None:
            raise DataError(
                "what was lost cannot be told without the float model",
                where="--max-drop",
                hint="Give the float model and --data; a quantized one or --no-quantize has nothing to compare with",
            )
        gate = make_gate(task, before, quantized, max_drop)
    floats = runs.floats
    return Assessment(
        kind=task.kind,
        metric=task.metric,
        origin=evaluation.samples.origin,
        samples=evaluation.count,
        calibrated_on=evaluation.calibrated_on,
        trusted=evaluation.samples.trusted,
        runs=(quantized,) if before is None else (before, quantized),
        agreement=agreement(floats, runs.results, runs.outputs) if floats is not None else (),
        flips=find_flips(task, floats, runs.results) if floats is not None else None,
        gate=gate,
        classes=task.classes,
        notes=(*evaluation.samples.notes, *task.notes),
    )


def _in_both(samples: Samples, used: Samples) -> int:
    """How many samples are among the used ones, by their values."""
    known = set(zip(*([row.tobytes() for row in a] for a in used.inputs), strict=True))
    rows = zip(*([row.tobytes() for row in a] for a in samples.inputs), strict=True)
    return sum(row in known for row in rows)


def _step(progress: Callable[[str, float], None] | None, name: str) -> Progress | None:
    if progress is None:
        return None
    tell = progress
    return lambda done: tell(name, done)


def first_samples(evaluation: Evaluation, most: int) -> NDArray[np.int64]:
    """Numbers of at most `most` samples, drawn over the whole set with a fixed seed, in their order."""
    if evaluation.count <= most:
        return np.arange(evaluation.count)
    return np.sort(np.random.default_rng(0).choice(evaluation.count, most, replace=False))


def encode(evaluation: Evaluation, specs: Sequence[TensorSpec], number: int) -> list[NDArray[Any]]:
    """One sample as the device takes it."""
    return [encode_input(a[number], spec) for a, spec in zip(evaluation.feeds, specs, strict=True)]

"""Runs the forms of a model over labelled samples, and says how right each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.task import find_flips, make_gate, make_run, make_task, with_threshold
from mcugen.assess.types import Assessment, Metric, Outputs, Reading, Task
from mcugen.assess.usefulness import accuracy_or_error, is_doubtful, judge_usefulness, skill
from mcugen.convert.calibrate import feeds, observe
from mcugen.convert.compare import agreement, decode_output, encode_input, run_int8
from mcugen.convert.data import DataSource, choose, load_samples
from mcugen.convert.inspect_source import inspect_model
from mcugen.convert.parts import Parts, output_parts
from mcugen.convert.readings import other_readings
from mcugen.convert.types import OwnScaling, Samples
from mcugen.errors import ConversionError
from mcugen.graph import DType
from mcugen.names import TaskName
from mcugen.progress import Progress, Share, share_of
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite import fields as flat
from mcugen.tflite.detections import detected_outputs, places_of_model
from mcugen.tflite.joined import join, joined_specs
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.types import TensorSpec

_REREAD = 200
"""Samples that are tried in other scalings."""
_SEQUENCE = ("the model keeps a state: the samples were run in order, as the steps of one sequence",)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Samples to judge a model by, as its inputs take them.

    Attributes:
        inputs: the model's inputs.
        feeds: one (N, *input shape) array per input, real values where the input is float or quantized.
        available: how many samples there were before the limit.
        calibrated_on: how many samples were among those of the calibration; None where nobody knows.
        sequence: the model keeps a state, so that the samples are the steps of one sequence.
    """

    samples: Samples
    inputs: tuple[TensorSpec, ...]
    feeds: tuple[NDArray[Any], ...]
    available: int
    calibrated_on: int | None
    sequence: bool = False

    @property
    def count(self) -> int:
        return self.samples.count


def load_evaluation(
    model: bytes | OpenedModel,
    source: DataSource,
    calibration: DataSource | None = None,
    *,
    most: int | None = None,
    scaling: OwnScaling | None = None,
    names: Sequence[str] = (),
) -> Evaluation:
    """Read the samples to judge a model by.

    Args:
        model: the float `.tflite`; the quantized one where there is no other.
        source: see :func:`mcugen.convert.load_samples`; of split data, x_test and y_test.
        calibration: what the model was quantized with, to say which samples are in both; None if nobody knows.
        most: take no more samples than that, drawn over the whole set with a fixed seed.
        scaling: what the model does first with its input, where its source told it.
        names: of the classes, by number, for labels that are text.

    Raises:
        DataError: unreadable, or samples that do not fit.
    """
    opened = open_model(model)
    inspection = inspect_model(opened, scaling)
    scale = not inspection.rescales_input
    everything = load_samples(source, inspection.inputs, scale_images=scale, part="evaluation", names=names)
    sequence = read_graph(opened).streams
    samples = everything.take(pick(everything.count, most or everything.count, sequence=sequence))
    common = None
    if calibration is not None:
        common = _in_both(
            samples, choose(load_samples(calibration, inspection.inputs, scale_images=scale, names=names))
        )
    arrays = tuple(feeds(samples, inspection.inputs))
    return Evaluation(samples, inspection.inputs, arrays, everything.count, common, sequence)


def pick(count: int, most: int, *, sequence: bool = False) -> NDArray[np.int64]:
    """Numbers of at most `most` of `count` samples: the first of a sequence, else drawn with a fixed seed, in order."""
    if sequence or count <= most:
        return np.arange(min(count, most))
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def run_float(model: bytes | OpenedModel, evaluation: Evaluation, progress: Share | None = None) -> Outputs:
    """Outputs of a float32 `.tflite` on the host.

    Raises:
        ConversionError: no interpreter runs it, or it computes non-finite numbers.
    """
    opened = open_model(model)
    outputs = observe(opened, evaluation.feeds, (), flat.ints(opened.main.outputs), progress=progress).outputs
    for values in outputs:
        wrong = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if wrong.any():
            raise ConversionError(
                f"the float model returns NaN or infinity for sample {int(wrong.argmax())}",
                where=evaluation.samples.origin,
                hint="Check the model's weights and the range of the data",
            )
    return outputs


def run_quantized(model: bytes | OpenedModel, evaluation: Evaluation, progress: Share | None = None) -> Outputs:
    """Real-valued outputs of a quantized `.tflite` in the oracle, from the same real-valued inputs.

    Raises:
        ModelError, ToolError: see :class:`mcugen.oracle.oracle.Oracle`.
    """
    opened = open_model(model)
    inputs, outputs = flat.input_specs(opened.schema), flat.output_specs(opened.main)
    return run_int8(opened, evaluation.feeds, inputs, outputs, progress)


def output_specs(model: OpenedModel) -> tuple[TensorSpec, ...]:
    """A model's outputs, those of the float model where parts of one are outputs of their own."""
    return joined_specs(model.schema)


@dataclass(frozen=True, eq=False)
class HostRuns:
    """What the forms of a model gave on the host, and the task that they are judged by. `floats` is None without one.

    `model` gave `results`, and `parts` are those of the float model's outputs. `arithmetic` is that of `results`:
    "int8", "int16", or "float32" where the model was not quantized. `readings` tell how the float model does on the
    samples scaled otherwise, where it does badly on them as they are.
    """

    model: OpenedModel
    evaluation: Evaluation
    task: Task
    floats: Outputs | None
    results: Outputs
    outputs: tuple[TensorSpec, ...]
    arithmetic: str
    readings: tuple[Reading, ...] = ()
    parts: tuple[Parts | None, ...] = ()


def run_on_host(
    model: bytes | OpenedModel,
    float_model: bytes | OpenedModel | None,
    evaluation: Evaluation,
    *,
    kind: TaskName | None = None,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    progress: Progress | None = None,
) -> HostRuns:
    """Run both forms of a model over all samples.

    Args:
        model: the `.tflite` that goes to the device; of a float32 one there is only this form.
        float_model: what it was quantized from, or None.
        kind, metric: see :func:`mcugen.assess.make_task`.

    Raises:
        DataError: labels or metrics that do not fit, before anything runs.
        ConversionError, ModelError, ToolError: no interpreter runs the model.
    """
    opened = open_model(model)
    specs, arithmetic = output_specs(opened), arithmetic_of(opened)
    places = places_of_model(opened.schema)
    task = make_task(evaluation.samples, specs, kind=kind, metric=metric, places=places)
    floats: Outputs | None = None
    if arithmetic == "float32":
        results = run_float(opened, evaluation, share_of(progress, "evaluating float32"))
    else:
        if float_model is not None:
            floats = run_float(float_model, evaluation, share_of(progress, "evaluating float32"))
        results = run_quantized(opened, evaluation, share_of(progress, f"evaluating {arithmetic}"))
    unsettled, best = task, floats if floats is not None else results
    task = with_threshold(task, best)
    readings: tuple[Reading, ...] = ()
    source = opened if arithmetic == "float32" else float_model
    if source is not None and is_doubtful(skill(task, best)):
        readings = _read_otherwise(source, evaluation, unsettled, share_of(progress, "evaluating float32"))
    parts = output_parts(open_model(float_model).schema) if float_model is not None else ()
    return HostRuns(opened, evaluation, task, floats, results, specs, arithmetic, readings, parts)


def _read_otherwise(
    model: bytes | OpenedModel, evaluation: Evaluation, task: Task, progress: Share | None
) -> tuple[Reading, ...]:
    """How a float model does on the samples if they are scaled otherwise."""
    if len(evaluation.inputs) != 1 or evaluation.inputs[0].dtype != "float32" or evaluation.sequence:
        return ()
    numbers = pick(evaluation.count, _REREAD)
    ways = other_readings(evaluation.feeds[0])
    if not ways:
        return ()
    # All of them in one go: starting the interpreter takes longer than running it.
    together = np.concatenate([values[numbers] for values in ways.values()])
    opened = open_model(model)
    try:
        outputs = observe(opened, (together,), (), flat.ints(opened.main.outputs), progress=progress).outputs
    except ConversionError:
        return ()
    found = []
    for number, how in enumerate(ways):
        part = slice(number * len(numbers), (number + 1) * len(numbers))
        here = tuple(values[part] for values in outputs)
        settled = with_threshold(task, here)
        reached = skill(settled, here, numbers) if all(np.isfinite(values).all() for values in here) else None
        if reached is not None:
            found.append(Reading(how, reached, accuracy_or_error(settled, here, numbers)))
    return tuple(found)


def assess(runs: HostRuns, *, max_drop: float | None = None) -> Assessment:
    """Judge a model by what it gave on the host; the device's run is added by `with_device`.

    Args:
        max_drop: what may be lost from the float model, see :class:`Gate`; not judged without a float model.

    Raises:
        DataError: `max_drop` without labels.
    """
    task, evaluation = runs.task, runs.evaluation
    after = make_run(task, runs.results, runs.arithmetic)
    before = make_run(task, runs.floats, "float32") if runs.floats is not None else None
    gate = make_gate(task, before, after, max_drop) if before is not None and max_drop is not None else None
    floats, detected = runs.floats, detected_outputs(runs.model.schema)
    return Assessment(
        kind=task.kind,
        metric=task.metric,
        origin=evaluation.samples.origin,
        samples=evaluation.count,
        available=evaluation.available,
        calibrated_on=evaluation.calibrated_on,
        trusted=evaluation.samples.trusted,
        runs=(after,) if before is None else (before, after),
        agreement=agreement(floats, runs.results, runs.outputs, runs.parts, detected) if floats is not None else (),
        flips=find_flips(task, floats, runs.results) if floats is not None else None,
        gate=gate,
        classes=task.classes,
        notes=(*evaluation.samples.notes, *task.notes, *(_SEQUENCE if evaluation.sequence else ())),
        usefulness=judge_usefulness(task, floats, runs.results, runs.arithmetic, evaluation.feeds, runs.readings),
    )


def _in_both(samples: Samples, used: Samples) -> int:
    """How many samples are among the used ones, by their values."""
    known = set(zip(*([row.tobytes() for row in a] for a in used.inputs), strict=True))
    rows = zip(*([row.tobytes() for row in a] for a in samples.inputs), strict=True)
    return sum(row in known for row in rows)


def encode(evaluation: Evaluation, model: bytes | OpenedModel, numbers: NDArray[np.int64]) -> list[list[NDArray[Any]]]:
    """Some of the samples as a device takes them that runs `model`."""
    specs = flat.input_specs(open_model(model).schema)
    return [[encode_input(a[n], spec) for a, spec in zip(evaluation.feeds, specs, strict=True)] for n in numbers]


def with_device(
    assessment: Assessment, runs: HostRuns, numbers: NDArray[np.int64], outputs: Sequence[Sequence[NDArray[Any]]]
) -> Assessment:
    """Add what a device gave on some of the samples.

    Args:
        numbers: of the samples that the device ran.
        outputs: per sample, the device's outputs as they came.
    """
    columns, specs = zip(*outputs, strict=True), flat.output_specs(runs.model.main)
    decoded = [decode_output(np.stack(column), spec) for column, spec in zip(columns, specs, strict=True)]
    real = join(decoded, runs.model.schema)
    host = [values[numbers] for values in runs.results]
    equal = sum(
        all(a[n].tobytes() == b[n].tobytes() for a, b in zip(real, host, strict=True)) for n in range(len(numbers))
    )
    run = make_run(runs.task, real, runs.arithmetic, "device", samples=numbers)
    beside = None
    if runs.floats is not None:
        floats = make_run(runs.task, tuple(values[numbers] for values in runs.floats), "float32", samples=numbers)
        beside = floats.value(runs.task.metric)
    return replace(assessment, runs=(*assessment.runs, replace(run, equal_to_host=equal, float_score=beside)))


def arithmetic_of(model: bytes | OpenedModel) -> str:
    """What a `.tflite` computes with: "int8", "int16" or "float32"."""
    graph = read_graph(model)
    found = {graph.output_of(op).dtype for op in graph.ops if op.outputs}
    if DType.INT16 in found:
        return "int16"
    return "int8" if DType.INT8 in found else "float32"

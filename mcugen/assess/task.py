"""From labels to a task, and from outputs to scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.assess import metrics
from mcugen.assess.average_precision import mean_average_precision
from mcugen.assess.boxes import HINT, found_boxes, true_boxes
from mcugen.assess.types import Flip, Flips, Gate, Metric, Outputs, Run, Score, Task
from mcugen.convert.data_labels import is_one_hot
from mcugen.convert.data_specs import describe_inputs
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.names import TaskName
from mcugen.tflite.detections import Places
from mcugen.tflite.types import TensorSpec

MAX_CONFUSION = 100
"""Classes that a confusion matrix may have."""
MAX_FLIPS = 1000
"""Flipped samples that are listed."""
TOP_3_FROM, TOP_5_FROM = 5, 20
"""Classes from which on the share of true classes among the best 3, or 5, says something."""

PRECISIONS = ("map", "map_50")
"""Mean average precision over overlaps from 0.5 to 0.95, and at 0.5."""
ERRORS = ("mean_absolute_error", "mean_squared_error")
_PROBABILITY, _LOGIT = 0.5, 0.0


def make_task(
    samples: Samples,
    outputs: Sequence[TensorSpec],
    *,
    kind: TaskName | None = None,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    places: Places | None = None,
) -> Task:
    """Find out what the labels of samples ask of a model.

    Integers below the number of output values are classes, as are one-hot rows; real values, or integers that cannot
    be classes of the output, are what a regression aims at.

    Args:
        outputs: the model's outputs, shapes with the batch.
        kind: what the labels are, where they could be both.
        metric: name of the metric that counts, see `metric_names`; or a function of the user's own.
        places: of a model that detects boxes, which outputs tell them: then labels are boxes.

    Raises:
        DataError: labels that fit no output, or several; a metric that the task does not have.
    """
    if metric is not None and not isinstance(metric, str):
        own = metric if isinstance(metric, Metric) else Metric(getattr(metric, "__name__", "metric"), metric)
        return Task("function", own.name, raw=samples.targets, function=own)
    if samples.targets is None:
        if metric is not None or kind is not None:
            raise _refused(samples, "the data has no labels", f'Add them to the .npz as "y" to have {metric or kind}')
        return Task("none")
    if places is not None and kind is None:
        return _named(_detection(samples, places), metric)
    labels = samples.labels if kind != "regression" else None
    if labels is None or (kind is None and not _could_be_classes(labels, outputs)):
        if kind == "classification":
            raise _refused(samples, "the labels are neither class indices nor one-hot")
        task = _regression(samples, outputs)
    else:
        task = _classification(samples, labels, outputs)
    return _named(task, metric)


def _named(task: Task, metric: str | None) -> Task:
    """The task with the metric that counts."""
    names = metric_names(task)
    if metric is not None and metric not in names:
        raise DataError(f'there is no metric "{metric}" for {task.kind}', hint=f"There are {', '.join(names)}")
    return replace(task, metric=metric or names[0])


def with_threshold(task: Task, outputs: Outputs) -> Task:
    """Settle above which value a single output means class 1; other tasks stay as they are.

    A probability never leaves 0…1; a logit does, on any set of samples worth the name.

    Args:
        outputs: what the best form of the model at hand (float32, if there is one) gave on all samples.
    """
    if task.kind != "classification" or _flat(outputs[task.output]).shape[1] > 1:
        return task
    values = outputs[task.output]
    threshold = _PROBABILITY if float(values.min()) >= 0 and float(values.max()) <= 1 else _LOGIT
    what = "a probability" if threshold == _PROBABILITY else "a logit"
    note = f"the output is taken for {what}: above {threshold:g} is class 1"
    return replace(task, threshold=threshold, notes=(*task.notes, note))


def metric_names(task: Task) -> tuple[str, ...]:
    """The metrics of a task, the usual one first. A ROC curve needs samples of both classes."""
    if task.kind == "regression":
        return ERRORS
    if task.kind == "detection":
        return PRECISIONS
    if task.kind == "function":
        return (task.metric,)
    if task.kind == "none":
        return ()
    names = ["accuracy"]
    names += [name for name, least in (("top_3", TOP_3_FROM), ("top_5", TOP_5_FROM)) if task.classes >= least]
    both = task.classes == 2 and task.labels is not None and len(np.unique(task.labels)) == 2
    return (*names, "macro_f1", *(("auc",) if both else ()))


def score(task: Task, outputs: Outputs, samples: NDArray[np.int64] | None = None) -> tuple[Score, ...]:
    """All metrics of the task, the one that counts first.

    Args:
        outputs: the model's real-valued outputs on all samples of the task, or on those in `samples`.
        samples: numbers of the samples that were run; None for all.

    Raises:
        DataError: the user's metric function fails, or returns no finite number.
    """
    if task.kind == "none":
        return ()
    if task.function is not None:
        return (_call(task.function, outputs, _pick(task.raw, samples)),)
    values = _flat(outputs[task.output])
    if task.boxes is not None:
        found = _precisions(task, outputs, samples)
    elif task.targets is not None:
        targets = _pick(task.targets, samples)
        found = {
            "mean_absolute_error": metrics.mean_absolute_error(values, targets),
            "mean_squared_error": metrics.mean_squared_error(values, targets),
        }
    else:
        found = _class_scores(task, values, _pick(task.labels, samples))
    ordered = sorted(found, key=lambda name: name != task.metric)
    return tuple(Score(name, found[name], task.kind != "regression") for name in ordered)


def predict(task: Task, outputs: Outputs) -> NDArray[np.int64]:
    """The predicted class of every sample, (N,)."""
    values = _flat(outputs[task.output])
    if task.threshold is not None:
        return np.asarray(values[:, 0] > task.threshold, np.int64)
    return np.asarray(values.argmax(axis=1), np.int64)


def make_run(
    task: Task,
    outputs: Outputs,
    arithmetic: str,
    where: Literal["host", "device"] = "host",
    *,
    samples: NDArray[np.int64] | None = None,
) -> Run:
    """How outputs do at the task; `samples` as for `score`."""
    confusion = None
    if task.labels is not None and task.classes <= MAX_CONFUSION:
        counts = metrics.confusion(predict(task, outputs), _pick(task.labels, samples), task.classes)
        confusion = tuple(tuple(int(n) for n in row) for row in counts)
    return Run(arithmetic, where, len(outputs[0]), score(task, outputs, samples), confusion)


def find_flips(task: Task, before: Outputs, after: Outputs) -> Flips | None:
    """The samples whose class changed; None if there are no classes."""
    if task.labels is None:
        return None
    old, new, labels = predict(task, before), predict(task, after), task.labels
    changed = np.flatnonzero(old != new)
    broken, fixed = old[changed] == labels[changed], new[changed] == labels[changed]
    ordered = changed[np.argsort(~broken, kind="stable")]
    examples = tuple(Flip(int(i), int(labels[i]), int(old[i]), int(new[i])) for i in ordered[:MAX_FLIPS])
    return Flips(len(changed), int(broken.sum()), int(fixed.sum()), examples)


def make_gate(task: Task, before: Run, after: Run, max_drop: float) -> Gate:
    """Judge what was lost, in percentage points (see :class:`mcugen.assess.types.Gate`).

    Raises:
        DataError: nothing to measure the loss by.
    """
    if not np.isfinite(max_drop):
        raise DataError(
            f"{max_drop} is not a valid limit", where="`max_drop`", hint="Pass percentage points, such as 0.8"
        )
    if task.kind == "none":
        raise DataError(
            "a limit on the loss needs labels",
            where="`max_drop`",
            hint='Add the labels to the .npz as "y"',
        )
    old, new = before.value(task.metric), after.value(task.metric)
    assert old is not None, "make_task takes no metric that all samples together do not have"
    assert new is not None
    return Gate(task.metric, max_drop, drop_of(task, old, new))


def drop_of(task: Task, before: float, after: float) -> float:
    """What was lost of the metric that counts, in percentage points; negative if `after` is better.

    Raises:
        DataError: an error without a spread of targets, or a metric of the user's own that is no share.
    """
    if task.kind == "regression":
        if task.spread == 0:
            raise DataError("all targets are equal, so there is no spread to measure errors against", where="labels")
        if task.metric == "mean_squared_error":
            before, after = before**0.5, after**0.5
        return 100 * (after - before) / task.spread
    if not (0 <= before <= 1 and 0 <= after <= 1):
        raise DataError(
            f'"{task.metric}" is {before:g} in float32 and {after:g} quantized, but percentage points need a share',
            where="`max_drop`",
            hint="Let the metric function return a number from 0 to 1",
        )
    sign = -1 if task.function is not None and not task.function.higher_is_better else 1
    return 100 * sign * (before - after)


def _could_be_classes(labels: NDArray[np.int64], outputs: Sequence[TensorSpec]) -> bool:
    return bool(_fitting_outputs(labels, outputs))


def _fitting_outputs(labels: NDArray[np.int64], outputs: Sequence[TensorSpec]) -> list[int]:
    """Positions of the outputs that the labels may be classes of."""
    most = int(labels.max()) if int(labels.min()) >= 0 else np.inf
    return [n for n, spec in enumerate(outputs) if most < max(2, _elements(spec))]


def _classification(samples: Samples, labels: NDArray[np.int64], outputs: Sequence[TensorSpec]) -> Task:
    fitting = _fitting_outputs(labels, outputs)
    if samples.targets is not None and is_one_hot(samples.targets):
        width = samples.targets.shape[1]
        fitting = [n for n in fitting if max(2, _elements(outputs[n])) == width]
    position = _only(fitting, samples, outputs, f"classes {int(labels.min())} to {int(labels.max())}")
    classes, used = max(2, _elements(outputs[position])), len(np.unique(labels))
    if samples.sorted_names and len(samples.names) != classes:
        raise _refused(
            samples,
            f"the labels name {len(samples.names)} of the model's {classes} classes, so that their numbers are unknown",
            "Give the names of all classes by `labels`, in the model's order",
        )
    notes = (f"the labels hold {used} of the output's {classes} classes",) if used < classes else ()
    return Task("classification", output=position, classes=classes, labels=labels, notes=notes)


def _regression(samples: Samples, outputs: Sequence[TensorSpec]) -> Task:
    given = samples.targets
    assert given is not None
    if given.dtype.kind not in "biuf":
        raise _refused(
            samples, f"the labels are {given.dtype} values, not numbers", "Use class indices that start at 0"
        )
    targets = given.reshape(len(given), -1).astype(np.float64)
    if not np.isfinite(targets).all():
        raise _refused(samples, "the labels hold values that are NaN or infinite", "Remove these samples")
    fitting = [n for n, spec in enumerate(outputs) if _elements(spec) == targets.shape[1]]
    position = _only(fitting, samples, outputs, f"{targets.shape[1]} values per sample")
    spread = float(targets.max() - targets.min())
    return Task("regression", output=position, targets=targets, spread=spread)


def _detection(samples: Samples, places: Places) -> Task:
    boxes = tuple(true_boxes(samples))
    count, classes = sum(each.count for each in boxes), {int(c) for each in boxes for c in each.classes}
    if not count:
        raise _refused(samples, "the labels hold no box, so that nothing can be found", HINT)
    note = f"the labels hold {count} boxes of {len(classes)} class{'es' * (len(classes) != 1)}"
    return Task("detection", output=places.boxes, boxes=boxes, places=places, notes=(note,))


def _precisions(task: Task, outputs: Outputs, samples: NDArray[np.int64] | None) -> dict[str, float]:
    assert task.boxes is not None
    assert task.places is not None
    true = task.boxes if samples is None else [task.boxes[n] for n in samples]
    found = mean_average_precision(found_boxes(outputs, task.places), true)
    return {} if found is None else {"map": found.mean, "map_50": found.at_half}


def _only(fitting: list[int], samples: Samples, outputs: Sequence[TensorSpec], what: str) -> int:
    if len(fitting) == 1:
        return fitting[0]
    how = "no output" if not fitting else "several outputs"
    labels = samples.labels
    if not fitting and labels is not None and int(labels.min()) == 1 and _fitting_outputs(labels - 1, outputs):
        counted = f"the labels count from 1 to {int(labels.max())}, but class indices start at 0"
        raise _refused(samples, counted, "Subtract 1")
    raise _refused(
        samples,
        f"the labels ({what}) fit {how} of the model, which has {describe_inputs(outputs)}",
        "Use class indices from 0 up, one-hot rows, or real values in the shape of an output; from Python, also a "
        "metric function",
    )


def _refused(samples: Samples, what: str, hint: str = "") -> DataError:
    return DataError(what, where=samples.origin, hint=hint)


def _class_scores(task: Task, values: NDArray[Any], labels: NDArray[np.int64]) -> dict[str, float]:
    if task.threshold is not None:
        predicted, certainty = np.asarray(values[:, 0] > task.threshold, np.int64), values[:, 0]
    else:
        predicted = np.asarray(values.argmax(axis=1), np.int64)
        # Of two logits only the difference counts; of two probabilities, it orders samples as the second one does.
        certainty = values[:, 1].astype(np.float64) - values[:, 0]
    found = {"accuracy": metrics.accuracy(predicted, labels)}
    for k, least in ((3, TOP_3_FROM), (5, TOP_5_FROM)):
        if task.classes >= least:
            found[f"top_{k}"] = metrics.top_k(values, labels, k)
    found["macro_f1"] = metrics.macro_f1(metrics.confusion(predicted, labels, task.classes))
    area = metrics.auc(certainty, labels) if task.classes == 2 else None
    if area is not None:
        found["auc"] = area
    return found


def _call(metric: Metric, outputs: Outputs, labels: Any) -> Score:
    floats = tuple(np.asarray(o, np.float32) for o in outputs)
    try:
        value = float(metric.function(floats[0] if len(floats) == 1 else floats, labels))
    except Exception as error:  # whatever the user's function raises
        raise DataError(
            f"the metric function failed: {type(error).__name__}: {error}",
            where=f'metric "{metric.name}"',
            hint="It is called with the outputs, (N, …) float32, and the labels unchanged",
        ) from error
    if not np.isfinite(value):
        raise DataError(f"the metric function returned {value}", where=f'metric "{metric.name}"')
    return Score(metric.name, value, metric.higher_is_better)


def _pick(values: Any, samples: NDArray[np.int64] | None) -> Any:
    return values if samples is None or values is None else values[samples]


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)


def _elements(spec: TensorSpec) -> int:
    return int(np.prod(spec.shape, dtype=np.int64))

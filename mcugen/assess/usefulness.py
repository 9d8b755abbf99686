"""Does a model say something about its samples that a guess does not? A device may compute nonsense in every bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcugen.assess import metrics
from mcugen.assess.task import predict
from mcugen.assess.types import Outputs, Reading, Task, Usefulness
from mcugen.convert.readings import range_text

AT_CHANCE = 0.15
"""Of what lies between a guess and the truth, what less than is no better than a guess."""
_DOUBTFUL = 0.5
"""From here on, nobody looks for another way to read the data."""
_BETTER = 0.25
"""What another way to read the data must add to be named."""
_FEW = 20
_RENAMED = 0.6
"""Of the samples, what must be right under other numbers for it to be more than chance."""


def skill(task: Task, outputs: Outputs, samples: NDArray[np.int64] | None = None) -> float | None:
    """How much of the way from a guess to the truth a model goes: 1 is perfect, 0 what a constant answer gives.

    Of classes, the better one counts of accuracy and mean recall, which differ where classes are not equally frequent.

    Args:
        samples: numbers of the samples that gave the outputs; None for all.

    Returns:
        None where a guess cannot be told from an answer: no labels, a metric of the user's own, one class or value.
    """
    values = outputs[task.output].reshape(len(outputs[task.output]), -1)
    if task.targets is not None:
        targets = task.targets if samples is None else task.targets[samples]
        error, guessed = metrics.mean_absolute_error(values, targets), _constant_error(targets)
        return 1 - error / guessed if guessed > 0 else None
    if task.labels is None:
        return None
    labels = task.labels if samples is None else task.labels[samples]
    counts = np.bincount(labels)
    used = int(np.count_nonzero(counts))
    if used < 2:
        return None
    right = predict(task, outputs) == labels
    accuracy, guessed = float(right.mean()), float(counts.max() / len(labels))
    recall = float(np.mean([right[labels == label].mean() for label in np.flatnonzero(counts)]))
    return max((accuracy - guessed) / (1 - guessed), (recall - 1 / used) / (1 - 1 / used))


def is_doubtful(found: float | None) -> bool:
    """Whether a skill is so low that the data may not be what the model learned with."""
    return found is not None and found < _DOUBTFUL


def judge_usefulness(
    task: Task,
    floats: Outputs | None,
    results: Outputs,
    arithmetic: str,
    inputs: Sequence[NDArray[np.generic]],
    readings: Sequence[Reading] = (),
) -> Usefulness | None:
    """Judge what a model says on samples.

    Args:
        floats: what the float model gave; None if there is none.
        results: what the model gave that goes to the device.
        inputs: the samples, whose range is said.
        readings: how the float model does on some of the same samples if they are scaled otherwise.

    Returns:
        None if nothing is known: no labels, boxes, or a metric of the user's own.
    """
    if task.targets is None and task.labels is None:
        return None
    best = floats if floats is not None else results
    reached, last = skill(task, best), skill(task, results)
    if reached is None or last is None:
        what = "value" if task.targets is not None else "class"
        return Usefulness("unknown", f"all labels are the same {what}, so that a guess is as good as an answer")
    guess = _guess(task)
    if len(best[0]) < _FEW and reached < 1 - AT_CHANCE:
        return Usefulness("unknown", f"{len(best[0])} samples are too few to tell the model from a guess; {guess}")
    better = _better(readings, reached)
    if reached < AT_CHANCE:
        who = "the float model itself" if floats is not None or arithmetic == "float32" else "the model itself"
        level = "at chance" if task.labels is not None else "no better than a guess"
        where = " and ".join(range_text(values) for values in inputs)
        advice = f"is it scaled as in training? The data lies in {where}"
        if better is not None:
            advice += f"; {_told(task, better)}"
        elif renamed := _renamed(task, best):
            advice = renamed
        return Usefulness("chance", f"{who} is {level} on this data ({_value(task, best)}, {guess}): {advice}")
    if better is not None:
        where = " and ".join(range_text(values) for values in inputs)
        return Usefulness(
            "doubtful",
            f"the float model has {_value(task, best)} on this data, which lies in {where}, {guess}; "
            f"{_told(task, better)}: is it scaled as in training?",
        )
    if last < AT_CHANCE:
        return Usefulness(
            "chance",
            f"quantization leaves nothing of the model: {arithmetic} has {_value(task, results)} on this data, float32 "
            f"{_value(task, best)}, {guess}",
        )
    return Usefulness("useful", f"{_value(task, results)}, {guess}")


def _constant_error(targets: NDArray[np.float64]) -> float:
    """The mean absolute error of the best constant answer."""
    return float(np.mean(np.abs(targets - np.median(targets, axis=0))))


def accuracy_or_error(task: Task, outputs: Outputs, samples: NDArray[np.int64] | None = None) -> float:
    """The accuracy of classes, or the mean absolute error of values; `samples` as for :func:`skill`."""
    if task.labels is not None:
        labels = task.labels if samples is None else task.labels[samples]
        return metrics.accuracy(predict(task, outputs), labels)
    assert task.targets is not None
    targets = task.targets if samples is None else task.targets[samples]
    return metrics.mean_absolute_error(outputs[task.output].reshape(len(targets), -1), targets)


def _value(task: Task, outputs: Outputs) -> str:
    value = accuracy_or_error(task, outputs)
    return f"accuracy {_share(value)}" if task.labels is not None else f"mean absolute error {value:.4g}"


def _guess(task: Task) -> str:
    if task.labels is not None:
        share = float(np.bincount(task.labels).max() / len(task.labels))
        return f"where always answering the most frequent class gives {_share(share)}"
    assert task.targets is not None
    return f"where always answering the median gives {_constant_error(task.targets):.4g}"


def _renamed(task: Task, outputs: Outputs) -> str:
    """What to do if the model is right but for the numbers of its classes."""
    if task.labels is None:
        return ""
    counts = metrics.confusion(predict(task, outputs), task.labels, task.classes)
    present = np.flatnonzero(counts.sum(axis=1))
    answers = counts[present].argmax(axis=1)
    right = float(counts[present].max(axis=1).sum() / counts.sum())
    if len(present) < 3 or len(set(answers.tolist())) < len(present) or right < _RENAMED:
        return ""
    return (
        f"with its classes in another order it would be right for {_share(right)}: number the labels as in training "
        "(text labels and class folders: by `labels`, the names in the model's order)"
    )


def _better(readings: Sequence[Reading], reached: float) -> Reading | None:
    """The best other way to read the data, if it is much better."""
    best = max(readings, key=lambda reading: reading.skill, default=None)
    return best if best is not None and best.skill >= max(AT_CHANCE, reached) + _BETTER else None


def _told(task: Task, reading: Reading) -> str:
    value = _share(reading.value) if task.labels is not None else f"{reading.value:.4g}"
    metric = "accuracy" if task.labels is not None else "mean absolute error"
    return f"the same samples {reading.how} give an {metric} of {value}".replace("an mean", "a mean")


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"

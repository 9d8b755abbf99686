"""What `quantize` and `deploy` share to judge a model by samples: which ones, what counts, and where it is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcugen.assess import Evaluation, HostRuns, Layers, assess, layer_noise, load_evaluation, run_on_host
from mcugen.assess.evaluate import encode, pick, with_device
from mcugen.errors import DataError, ModelError, ToolError
from mcugen.flow.defaults import EVAL_SAMPLES, SAMPLES_ON_DEVICE
from mcugen.flow.inputs import Inputs
from mcugen.flow.model import Model
from mcugen.progress import share_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mcugen.assess import Assessment, Metric
    from mcugen.flow.proof import Proof
    from mcugen.names import TaskName
    from mcugen.progress import Progress
    from mcugen.runtimes.program import Program
    from mcugen.tflite.opened import OpenedModel

_MAX_ITERATED = 10_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Wishes:
    """What the user wants to know. Fields as the arguments of :func:`mcugen.verbs.quantize.quantize`.

    `names` are those of the classes, by number, as the user gave them.
    """

    eval_data: Any = None
    eval_samples: int = EVAL_SAMPLES
    metric: str | Metric | Callable[[Any, Any], float] | None = None
    task: TaskName | None = None
    max_drop: float | None = None
    layers: bool = False
    samples_on_device: int = SAMPLES_ON_DEVICE
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Judged:
    """The results on the host. `runs` and `assessment` are None without labels and evaluation data.

    `problem` says why calibration data with labels did not judge the model.
    """

    runs: HostRuns | None = None
    assessment: Assessment | None = None
    layers: Layers | None = None
    problem: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, by number, where the user or the data named all of them."""
        samples = self.runs.evaluation.samples if self.runs is not None else None
        return samples.names if samples is not None else ()


def read_once(data: Any) -> Any:
    """Data that can be read again: an iterator becomes a list."""
    if isinstance(data, Iterator):
        return list(itertools.islice(data, _MAX_ITERATED + 1))
    return data


def check_wishes(data: Any, wishes: Wishes) -> None:
    """Refuse what cannot be answered, before anything slow.

    Raises:
        DataError: a number that makes no sense, or a wish without the samples or the model that it needs.
    """
    if wishes.eval_samples < 1:
        raise DataError(f"the model cannot be evaluated on {wishes.eval_samples} samples", where="`eval_samples`")
    if wishes.samples_on_device < 0:
        raise DataError(f"{wishes.samples_on_device} is not a number of samples", where="`samples_on_device`")
    no_data = data is None and wishes.eval_data is None
    for name, wished in (("max_drop", wishes.max_drop), ("metric", wishes.metric), ("task", wishes.task)):
        if wished is not None and no_data:
            raise DataError(
                "there are no samples to evaluate the model on",
                where=f"`{name}`",
                hint='Pass `eval_data=X.npz` with "x" and "y"',
            )


def judge_on_host(model: Model, data: Any, wishes: Wishes, progress: Progress | None = None) -> Judged:
    """Run the float and the quantized model over the samples, where there is something to learn from it.

    Calibration data that happens to have labels judges the model as well; if it cannot, that is a warning and no error.

    Args:
        data: what the model was quantized with, or None.

    Raises:
        DataError: data, labels or limits that do not fit.
        ConversionError, ModelError, ToolError: no interpreter runs the model.
    """
    source = wishes.eval_data if wishes.eval_data is not None else data
    if source is None:
        return Judged()
    floats = model.floats if model.float_data != model.data else None
    if wishes.max_drop is not None and floats is None:
        raise DataError(
            "the loss is unknown: there is no float model to compare with",
            where="`max_drop`",
            hint="Pass the float model and `data`",
        )
    asked = any(wish is not None for wish in (wishes.eval_data, wishes.max_drop, wishes.metric, wishes.task))
    try:
        evaluation = load_evaluation(
            floats or model.opened,
            source,
            data if floats is not None else None,
            most=wishes.eval_samples,
            scaling=model.scaling,
            names=wishes.names,
        )
        layers = _compare_layers(model.opened, floats, evaluation, progress) if wishes.layers and floats else None
        if not asked and evaluation.samples.targets is None:
            return Judged(layers=layers)
        runs = run_on_host(model.opened, floats, evaluation, kind=wishes.task, metric=wishes.metric, progress=progress)
    except (DataError, ToolError) as error:
        if asked:
            raise
        return Judged(problem=f"not judged by the labels of the calibration data: {error}")
    return Judged(runs, assess(runs, max_drop=wishes.max_drop), layers)


def _compare_layers(
    model: OpenedModel, floats: OpenedModel, evaluation: Evaluation, progress: Progress | None
) -> Layers:
    try:
        return layer_noise(floats, model, evaluation.feeds, progress=share_of(progress, "comparing layers"))
    except ModelError as error:
        # The quantized model has run before, so it is the float one that TFLM lacks an op for.
        return Layers(0, (), problem=error.what)


def with_problem(model: Model, judged: Judged) -> Model:
    """The model with a warning in its report, if it could not be judged."""
    if not judged.problem or model.report is None:
        return model
    return replace(model, report=replace(model.report, warnings=(*model.report.warnings, judged.problem)))


@dataclass(frozen=True, eq=False)
class OnDevice:
    """Samples of the evaluation that a device runs: their numbers, and what goes to the device."""

    numbers: NDArray[np.int64]
    inputs: Inputs


def for_device(judged: Judged, plan: Program, model: OpenedModel, most: int) -> OnDevice | None:
    """The samples that the device is to run, at most so many; None if there is nothing to judge.

    Where the device can only begin afresh with every sample, and samples are steps of a stream, there are none.
    """
    if judged.runs is None or most == 0 or (plan.verified_afresh and not plan.graph.sequences):
        return None
    evaluation = judged.runs.evaluation
    numbers = pick(evaluation.count, most, sequence=evaluation.sequence)
    return OnDevice(numbers, Inputs(encode(evaluation, model, numbers), evaluation.samples.origin))


@dataclass(frozen=True)
class DeviceScore:
    """How right a device is: the value of a metric over so many samples."""

    metric: str
    value: float
    samples: int


def score_on_device(
    model: Model,
    plan: Program,
    data: Any,
    run: Callable[[Sequence[NDArray[Any]]], Sequence[NDArray[Any]]],
    *,
    samples: int = SAMPLES_ON_DEVICE,
    metric: str | None = None,
) -> DeviceScore:
    """Judge a device by labelled samples, at most so many, drawn with a fixed seed.

    Args:
        data: samples with labels, as `eval_data` of :func:`mcugen.api.quantize` takes them.
        run: an inference of the device: its outputs as they come.

    Raises:
        DataError: samples or labels that do not fit the model.
    """
    judged = judge_on_host(model, None, Wishes(eval_data=read_once(data), eval_samples=samples, metric=metric))
    chosen = for_device(judged, plan, model.opened, samples)
    if chosen is None or judged.runs is None or judged.assessment is None or not judged.assessment.metric:
        raise DataError("there is nothing to judge the device by", hint='Pass samples with labels: "x" and "y"')
    outputs = [run(sample) for sample in chosen.inputs.samples]
    found = with_device(judged.assessment, judged.runs, chosen.numbers, outputs).runs[-1]
    value = found.value(judged.assessment.metric)
    assert value is not None, "every run has the metric that counts"
    return DeviceScore(judged.assessment.metric, value, found.samples)


def judged_proof(proof: Proof, judged: Judged, ran: OnDevice | None) -> Proof:
    """The proof with the results on the host and, if the device ran evaluation samples, on the device."""
    assessment = judged.assessment
    if assessment is not None and judged.runs is not None and ran is not None:
        outputs = proof.verdict.outputs[: len(ran.numbers)]
        assessment = with_device(assessment, judged.runs, ran.numbers, outputs)
    return replace(proof, assessment=assessment, layers=judged.layers)

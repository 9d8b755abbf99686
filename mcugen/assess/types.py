"""What the assess stage finds out about a quantized model: how right it is, and where it loses accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.average_precision import Boxes
from mcugen.convert.types import Agreement
from mcugen.tflite.detections import Places

Kind = Literal["classification", "regression", "detection", "function", "none"]
"""What labels are: classes, real values, boxes, whatever the user's own metric function takes them for, or absent."""

Outputs = tuple[NDArray[Any], ...]
"""Real values, one (N, *output shape) array per model output."""


@dataclass(frozen=True)
class Score:
    """One metric's value. Shares are 0…1; errors have the unit of the targets (squared for the squared error)."""

    metric: str
    value: float
    higher_is_better: bool = True


@dataclass(frozen=True, eq=False)
class Metric:
    """A user's own measure of how right outputs are.

    Attributes:
        function: takes (outputs, labels) and returns a finite number. `outputs` is a float32 array (N, *output shape
            without the batch of 1), or a tuple of them if the model has several; `labels` are the data's `y` as they
            are, or None.
        higher_is_better: False for errors.
    """

    name: str
    function: Callable[[Any, Any], float]
    higher_is_better: bool = True


@dataclass(frozen=True, eq=False)
class Task:
    """What the labels ask of the model.

    Attributes:
        metric: name of the metric that counts: `--max-drop` and the search look at it. Empty without labels.
        output: position of the output that is judged.
        classes: number of classes; 0 where there are none.
        labels: (N,) int64 classes.
        targets: (N, M) float64, M the output's elements, for regression.
        raw: the labels as given, for `function`.
        boxes: what is there, by sample; `places` tells which outputs say what was found.
        threshold: output values above it mean class 1, where a single output tells two classes; else None.
        spread: largest less smallest target, which differences of errors are measured by; 0 if not regression.
        notes: what was decided, for people.
    """

    kind: Kind
    metric: str = ""
    output: int = 0
    classes: int = 0
    labels: NDArray[np.int64] | None = None
    targets: NDArray[np.float64] | None = None
    raw: Any = None
    boxes: tuple[Boxes, ...] | None = None
    places: Places | None = None
    threshold: float | None = None
    spread: float = 0.0
    function: Metric | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """How one form of the model did on the samples.

    Attributes:
        arithmetic: "float32", "int8" or "int16".
        where: "host" or "device".
        samples: how many; the device may have run only the first of those that the host ran.
        scores: the metric that counts first.
        confusion: rows are true classes, columns what the model said; None if not classes, or more than MAX_CONFUSION.
        equal_to_host: samples whose device outputs equal the host's in every bit; None for the host.
        float_score: the metric that counts, of the float model on the same samples; None where nobody knows.
    """

    arithmetic: str
    where: Literal["host", "device"]
    samples: int
    scores: tuple[Score, ...]
    confusion: tuple[tuple[int, ...], ...] | None = None
    equal_to_host: int | None = None
    float_score: float | None = None

    def value(self, metric: str) -> float | None:
        """A metric's value; None if the samples do not have it, as the AUC of a single class."""
        return next((s.value for s in self.scores if s.metric == metric), None)


@dataclass(frozen=True)
class Flip:
    """A sample that float32 and the quantized model put into different classes. `sample` counts from 0."""

    sample: int
    label: int
    before: int
    after: int


@dataclass(frozen=True)
class Flips:
    """All samples that changed their class. `broken` were right before, `fixed` are right now.

    `examples` holds the first MAX_FLIPS of them, broken ones first.
    """

    count: int
    broken: int
    fixed: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True)
class Gate:
    """`--max-drop`: how much may be lost.

    Attributes:
        drop: what was lost from float32 to the quantized model on the host, in percentage points: of the metric where
            it is a share, of the targets' spread where it is an error. Squared errors count by their roots. Negative
            if the quantized model is better.
    """

    metric: str
    max_drop: float
    drop: float

    @property
    def passed(self) -> bool:
        # A sum of floats must not fail a drop that is exactly the limit.
        return self.drop <= self.max_drop + 1e-9


@dataclass(frozen=True)
class Suspect:
    """A usual cause of lost accuracy that was found at a layer. `kind` is stable, `text` is for people."""

    kind: Literal["outlier channels", "saturated range", "stretched range", "per-tensor weights", "softmax input scale"]
    text: str


@dataclass(frozen=True)
class Histogram:
    """Values of a tensor, float and quantized, in the same equal bins from `low` to `high` (real units).

    `below` and `above` count the float values outside; the bins cover what the quantized type can hold.
    """

    low: float
    high: float
    float_counts: tuple[int, ...]
    quantized_counts: tuple[int, ...]
    below: int
    above: int


@dataclass(frozen=True)
class LayerNoise:
    """How far the quantized model is from the float one after one layer.

    Attributes:
        index: the op's position in the quantized model file; kind, name: the op, its layer.
        matched: name of the float model's tensor that it is compared with.
        sqnr_db: 10·log10(Σ float² / Σ (float − quantized)²) of the op's output, over all samples, with the errors of
            all layers before it; None if both are equal.
        limit_db: the same if the float values themselves were quantized with the output's scale: no layer does
            better with this scale. None if they are equal.
        lost_db: what this layer added: the least SQNR of its inputs less its own; None where either is not finite.
        low, high: the float values' range over the samples.
        clipped: share of the float values that lie outside what the quantized tensor can hold.
    """

    index: int
    kind: str
    name: str
    matched: str
    sqnr_db: float | None
    limit_db: float | None
    lost_db: float | None
    low: float
    high: float
    clipped: float
    suspects: tuple[Suspect, ...] = ()
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Layers:
    """Noise per layer, in execution order.

    Attributes:
        unmatched: layers of the quantized model without a float partner.
        problem: why there are no layers, or empty.
    """

    samples: int
    layers: tuple[LayerNoise, ...]
    unmatched: tuple[str, ...] = ()
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Reading:
    """How the float model does on samples that are scaled otherwise.

    Attributes:
        how: what was done to them, for people: "divided by 255".
        skill: see :func:`mcugen.assess.usefulness.skill`.
        value: of the accuracy, or of the mean absolute error.
    """

    how: str
    skill: float
    value: float


@dataclass(frozen=True)
class Usefulness:
    """Whether what a model says about the samples is better than a guess, the same constant answer to all.

    Attributes:
        verdict: "useful"; "doubtful", if the samples scaled otherwise do much better; "chance", if it is no better;
            "unknown", if the samples cannot tell.
        text: the figures, and what to do, for people.
    """

    verdict: Literal["useful", "doubtful", "chance", "unknown"]
    text: str


@dataclass(frozen=True, eq=False)
class Assessment:
    """How right a model is, before and after quantization.

    Attributes:
        origin: where the samples came from.
        samples: how many were run on the host, of `available` ones.
        calibrated_on: how many of them were among the calibration samples; None where nobody knows (the model came
            quantized).
        trusted: False for random data.
        runs: float32 (if there is a float model), quantized on the host, and on the device.
        agreement: float against quantized per output.
        usefulness: whether the model says more than a guess; None without labels, or with a metric of the user's own.
    """

    kind: Kind
    metric: str
    origin: str
    samples: int
    available: int
    calibrated_on: int | None
    trusted: bool
    runs: tuple[Run, ...]
    agreement: tuple[Agreement, ...] = ()
    flips: Flips | None = None
    gate: Gate | None = None
    classes: int = 0
    notes: tuple[str, ...] = ()
    usefulness: Usefulness | None = None

    @property
    def warning(self) -> str:
        """What a person must know of the model itself, whatever the device does; "" if nothing."""
        found = self.usefulness
        return found.text if found is not None and found.verdict in ("chance", "doubtful") else ""

    @property
    def passed(self) -> bool:
        """False if more was lost than the gate allows."""
        return self.gate is None or self.gate.passed

    def run(self, where: str, *, quantized: bool) -> Run | None:
        """The run of that kind, or None."""
        return next((r for r in self.runs if r.where == where and (r.arithmetic != "float32") == quantized), None)

    def to_dict(self) -> dict[str, Any]:
        """The `accuracy` object of docs/JSON.md."""
        facts = {**dataclasses.asdict(self)}
        facts["runs"] = [{**run, "scores": {s["metric"]: s["value"] for s in run["scores"]}} for run in facts["runs"]]
        facts["gate"] = {**facts["gate"], "passed": self.passed} if self.gate is not None else None
        return facts


@dataclass(frozen=True)
class OnBoard:
    """What one form of a model takes on a board, in bytes and in the device's unit.

    Attributes:
        problem: why it does not run there; the measured figures are None then.
        model_flash: the model's own part of `flash`: weights, its code and kernels.
        score: the metric that counts, on the device; None without labels.
    """

    arithmetic: str
    problem: str = ""
    flash: int | None = None
    model_flash: int | None = None
    ram: int | None = None
    arena: int | None = None
    cost: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class BeforeAfter:
    """The float32 and the quantized form of a model on the same board.

    Attributes:
        unit: of the costs: "instructions" of an emulator.
        metric: what the scores are; empty without labels.
        samples: how many samples both ran for the scores.
    """

    board: str
    unit: str
    metric: str
    samples: int
    before: OnBoard
    after: OnBoard

    def ratio(self, figure: str) -> float | None:
        """A figure of the quantized form divided by the float one's; None where one is missing or 0."""
        before, after = getattr(self.before, figure), getattr(self.after, figure)
        return after / before if before and after is not None else None

    def to_dict(self) -> dict[str, Any]:
        """The `against_float` object of docs/JSON.md."""
        figures = ("flash", "model_flash", "ram", "arena", "cost")
        return {**dataclasses.asdict(self), "ratios": {name: self.ratio(name) for name in figures}}

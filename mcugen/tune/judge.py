"""Judges quantized forms of one float model by the same samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from mcugen.assess import Evaluation, drop_of, make_task, run_float, run_quantized, score
from mcugen.assess.evaluate import output_specs, pick
from mcugen.assess.task import with_threshold
from mcugen.assess.types import Metric
from mcugen.convert.calibrate import feeds
from mcugen.convert.compare import agreement
from mcugen.convert.parts import output_parts
from mcugen.convert.types import Samples
from mcugen.progress import Share
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite import fields as flat
from mcugen.tflite.detections import detected_outputs, places_of_model
from mcugen.tflite.opened import OpenedModel

SAMPLES = 500


class Judge:
    """The samples, what the float model gives on them, and what counts.

    Args:
        model: the float `.tflite`.
        given: the samples; with labels, the metric counts, else the outputs' error.
        samples: judge by at most so many, drawn with a fixed seed.
        kind, metric: see :func:`mcugen.assess.make_task`.

    Raises:
        DataError: samples or labels that do not fit.
        ConversionError: no interpreter runs the model.
    """

    def __init__(
        self,
        model: OpenedModel,
        given: Samples,
        *,
        kind: Literal["classification", "regression"] | None = None,
        metric: str | Metric | Callable[[Any, Any], float] | None = None,
        samples: int = SAMPLES,
        progress: Share | None = None,
    ) -> None:
        inputs = flat.input_specs(model.schema)
        sequence = read_graph(model).streams
        taken = given.take(pick(given.count, samples, sequence=sequence))
        self.evaluation = Evaluation(taken, inputs, tuple(feeds(taken, inputs)), given.count, None, sequence)
        specs = output_specs(model)
        self._parts = output_parts(model.schema)
        places = places_of_model(model.schema)
        task = make_task(self.evaluation.samples, specs, kind=kind, metric=metric, places=places)
        self._floats = run_float(model, self.evaluation, progress)
        self.task = with_threshold(task, self._floats)
        self.float_value = score(self.task, self._floats)[0].value if self.labelled else None

    @property
    def labelled(self) -> bool:
        return self.task.kind != "none"

    def judge(self, quantized: OpenedModel) -> tuple[float, float | None, float | None]:
        """`lost`, `value` and `sqnr_db` of a quantized form (see :class:`mcugen.tune.types.Trial`).

        Raises:
            ModelError, ToolError: it does not run on the host.
        """
        outputs = run_quantized(quantized, self.evaluation)
        specs, detected = output_specs(quantized), detected_outputs(quantized.schema)
        figures = agreement(self._floats, outputs, specs, self._parts, detected)
        # Of an output of parts that differ in size, each counts: the whole is as exact as its largest part.
        each = [p for f, cut in zip(figures, self._parts, strict=True) for p in ((cut and f.parts) or (f,))]
        known = [figure.sqnr_db for figure in each if figure.sqnr_db is not None]
        sqnr = min(known, default=None)
        if self.float_value is None:
            return (100 * 10 ** (-sqnr / 20) if sqnr is not None else 0.0), None, sqnr
        value = score(self.task, outputs)[0].value
        return drop_of(self.task, self.float_value, value), value, sqnr

"""`mcugen quantize`: any model to a full int8 `.tflite`, or one with int16 activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.defaults import EVAL_SAMPLES, TRIALS, Tuning, record_beside
from mcugen.flow.within import takes_scaler, takes_stream, takes_trust
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import Spelling, command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.assess import Assessment, Layers, Metric
    from mcugen.flow.model import Model
    from mcugen.names import Activations, TaskName
    from mcugen.progress import Progress


@dataclass(frozen=True, eq=False, repr=False)
class Quantized(Brief):
    """A quantized model and where it was written (None: nowhere).

    `assessment` is what samples with labels, or evaluation data, told about it; `layers` the noise per layer, where
    asked for; `names` those of the classes, where the user or the data gave them.
    """

    model: Model
    out: Path | None
    assessment: Assessment | None = None
    layers: Layers | None = None
    names: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 if more accuracy was lost than allowed."""
        return 0 if self.assessment is None or self.assessment.passed else 1

    @property
    def tflite(self) -> bytes:
        """The int8 model."""
        return self.model.data

    def to_dict(self) -> dict[str, Any]:
        model = self.model
        return {
            "schema": "mcugen.quantize/1",
            "mcugen": __version__,
            "model": {
                "name": model.graph.name,
                "sha256": model.graph.sha256,
                "source": model.source,
                "bytes": len(model.data),
            },
            "out": str(self.out) if self.out else None,
            "trusted": model.trusted,
            "quantization": model.report.to_dict() if model.report else None,
            "accuracy": self.assessment.to_dict() if self.assessment else None,
            "sqnr": self.layers.to_dict() if self.layers else None,
        }


@takes_trust
@takes_scaler
@takes_stream
def quantize(
    model: object,
    *,
    data: Any = None,
    scaler: Any = None,
    activations: Activations = "int8",
    split_outputs: bool = False,
    auto: bool = False,
    board: str | None = None,
    max_flash: int | None = None,
    max_ram: int | None = None,
    max_instructions: int | None = None,
    trials: int = TRIALS,
    search_seed: int = 0,
    out: str | Path | None = None,
    eval_data: Any = None,
    eval_samples: int = EVAL_SAMPLES,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    task: TaskName | None = None,
    max_drop: float | None = None,
    labels: str | Sequence[str] | None = None,
    layers: bool = False,
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    stream: bool = False,
    progress: Progress | None = None,
) -> Quantized:
    """Convert a model to full int8 with int8 input and output, or to int16 activations, input and output.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        data: calibration data, see :func:`mcugen.convert.convert`.
        scaler: what the model's training data went through, so that data and device keep the features' own units: a
            .npz or .json file, a mapping, or a scikit-learn scaler; see :func:`mcugen.convert.scaler.read_scaler`.
        activations: "int8" or "int16" (with int8 weights, by TensorFlow's quantizer).
        split_outputs: parts of an output that differ much in size become outputs of their own (docs/QUANTIZATION.md).
        auto: search for the best calibration and quantization settings, see docs/QUANTIZATION.md.
        board: its flash and RAM are the limits of the search, besides those passed here.
        max_flash, max_ram: limits of the search, in bytes.
        max_instructions: limit of the search, per inference in the board's emulator.
        trials: number of models to try.
        search_seed: random seed of the search. The same seed finds the same model.
        out: output file. Without it the model is only returned.
        eval_data: labelled samples to evaluate the model on, in the same forms as `data`. Default: the labelled samples
            in `data`, if any (of split data, x_test and y_test). See docs/ACCURACY.md.
        eval_samples: maximum number of evaluation samples, drawn with a fixed seed.
        metric: name of the metric that counts, or a function of (outputs, labels), see :class:`mcugen.assess.Metric`.
        task: "classification" or "regression", if the labels are ambiguous.
        max_drop: maximum loss of the metric, in percentage points; more is a negative verdict.
        labels: class names in the model's order, for labels that are text and for the results: a text file with one per
            line, a list with commas, or a sequence.
        layers: also compare every layer of the float and the quantized model.
        stream: as :func:`mcugen.verbs.verify.verify`.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: the model or the data cannot be used, or `out` cannot be written.
    """
    from mcugen.convert.early import check_early
    from mcugen.errors import ConversionError, DataError
    from mcugen.flow.boards import require_board
    from mcugen.flow.judging import Wishes, check_wishes, judge_on_host, read_once, with_problem
    from mcugen.flow.labels import read_labels
    from mcugen.flow.model import load_model
    from mcugen.flow.runtime import Choice
    from mcugen.flow.tuning import check_tuning, tune_model
    from mcugen.outputs import check_output, write_file

    path = Path(out) if out is not None else None
    if path is not None:
        read = [item for item in (model, data, eval_data) if isinstance(item, str | Path)]
        check_output(path, inputs=read)
    data = read_once(data)
    names = read_labels(labels)
    wishes = Wishes(
        eval_data=read_once(eval_data),
        eval_samples=eval_samples,
        metric=metric,
        task=task,
        max_drop=max_drop,
        layers=layers,
        names=names,
    )
    check_wishes(data, wishes)
    check_early(model, wishes.eval_data, "evaluation", names)
    wanted = Tuning(
        auto=auto,
        max_flash=max_flash,
        max_ram=max_ram,
        max_instructions=max_instructions,
        trials=trials,
        seed=search_seed,
    )
    if board is not None and not auto:
        raise DataError(
            "quantization does not depend on the board", where="`board`", hint="Add `auto=True`, or omit `board`"
        )
    chosen = require_board(board) if board is not None else None
    check_tuning(wanted, activations=activations, split_outputs=split_outputs, board=chosen)
    if auto:
        loaded = tune_model(
            model,
            data,
            wishes,
            wanted,
            board=chosen,
            choice=Choice(),
            front_ends="refused",
            record=lambda _name: record_beside(path),
            progress=progress,
        )
    else:
        loaded = load_model(
            model,
            data,
            progress,
            activations=activations,
            split_outputs=split_outputs,
            names=names,
            front_ends="refused",
        )
    if layers and loaded.float_data is None:
        raise ConversionError(
            "the model was already quantized, so that its layers have no float32 ones to compare with",
            where="`layers`",
            hint="Pass the float model",
        )
    judged = judge_on_host(loaded, data, wishes, progress)
    loaded = with_problem(loaded, judged)
    if path is not None:
        write_file(path, loaded.data)
    return Quantized(loaded, path, judged.assessment, judged.layers, judged.names)


def _render(console: Console, result: Quantized) -> None:
    from mcugen.text import size
    from mcugen.ui.accuracy import say_gate, say_usefulness, show_assessment, show_layers
    from mcugen.ui.quantization import show_report
    from mcugen.ui.terminal import say_verdict

    report = result.model.report
    if report is not None:
        show_report(console, report)
    if result.assessment is not None:
        show_assessment(console, result.assessment, result.names)
    if result.layers is not None:
        show_layers(console, result.layers)
    what = "int16 activations, int8 weights" if report is not None and report.activations == "int16" else "full int8"
    say_verdict(console, True, f"wrote {result.out}: {what}, {size(len(result.tflite))}")
    if result.assessment is not None:
        say_gate(console, result.assessment)
        say_usefulness(console, result.assessment)


command = command_for(
    quantize,
    "Convert a model to a full int8 .tflite, or one with int16 activations.",
    _render,
    out=Spelling(
        Annotated[Path, typer.Option("--out", "-o", metavar="OUT.tflite", help="The int8 model.", show_default=False)],
        required=True,
    ),
    board=options.BudgetBoard,
    layers=Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Show the signal-to-noise ratio of every layer, and where it is lost.",
            rich_help_panel=options.ACCURACY,
        ),
    ],
)

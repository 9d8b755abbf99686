"""A model, ready to plan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from mcugen.boards.types import Board
from mcugen.convert import QuantizationReport, convert
from mcugen.convert.choices import Choices
from mcugen.convert.early import check_early
from mcugen.convert.types import OwnScaling
from mcugen.errors import ConversionError, ModelError, PipelineError, TrainingError
from mcugen.flow.first_layers import Behind, FirstLayers, behind_front_end
from mcugen.flow.memories import in_memories
from mcugen.flow.runtime import Choice, make, read_model
from mcugen.flow.sensors import calibration
from mcugen.flow.training import Head, Wanted, cut_and_convert, make_head, with_head
from mcugen.graph import Graph
from mcugen.names import Activations, FrontEnds, Goal, InputRows, Runtime
from mcugen.ops.base import Target
from mcugen.ops.custom import take_others
from mcugen.outputs import temporary_folder
from mcugen.pipeline import is_pipeline_file, read_pipeline
from mcugen.pipeline.app import App, bind
from mcugen.pipeline.emit import ram_bytes, scratch_bytes
from mcugen.progress import Progress
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.runtimes.aot.plan.front import with_front_room
from mcugen.runtimes.aot.plan.verify import verify_front
from mcugen.runtimes.program import Program
from mcugen.text import plain
from mcugen.tflite.opened import OpenedModel

_SAMPLES_AS_SIGNAL = 16
"""That a device is verified with, of a model whose first layers became a front end."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model, ready to plan: full int8, or float32 where that was asked for.

    Attributes:
        opened: the `.tflite`.
        graph: what of the model the runtime runs.
        source: what the user gave, for reports.
        trusted: False if it was quantized with random data, or none.
        report: how it was quantized; None if it came out of a project.
        floats: the float `.tflite` that it was quantized from; None if it came quantized, or out of a project.
        scaling: what it does first with its input; None where nobody knows.
        app: the way from a sensor to it and on to decisions, where a pipeline file was given, or the model's own
            first layers became a front end.
        first: these layers; `signal` is some of the calibration data as a sensor gives it, `rows` all of it as the
            rest of the model takes it, with its labels.
        head: the layers that learn on the device, which take this model's output; None where none do.
    """

    opened: OpenedModel
    graph: Graph
    source: str
    trusted: bool
    report: QuantizationReport | None
    floats: OpenedModel | None = None
    scaling: OwnScaling | None = None
    app: App | None = None
    head: Head | None = None
    first: FirstLayers | None = None
    signal: Any = None
    rows: Any = None

    def __repr__(self) -> str:
        return f"Model({self.source!r}, {len(self.data):,} B)"

    @property
    def data(self) -> bytes:
        """The flatbuffer."""
        return self.opened.data

    @property
    def quantized_here(self) -> bool:
        """It came as float, and was quantized now."""
        return self.report is not None and self.report.calibration.kind != "none"

    @property
    def float_data(self) -> bytes | None:
        """The float flatbuffer."""
        return None if self.floats is None else self.floats.data


def source_name(source: object) -> str:
    """How reports name what the user gave: no folders, so that outputs are the same on every machine."""
    return plain(Path(source).name) if isinstance(source, str | Path) else type(source).__name__


@contextlib.contextmanager
def naming(source: object) -> Iterator[None]:
    """Errors of a model's content name its file, too."""
    try:
        yield
    except (ModelError, ConversionError) as error:
        name = source_name(source)
        if isinstance(source, str | Path) and name not in error.where:
            error.where = f"{name}: {error.where}" if error.where else name
        raise


def load_model(
    source: object,
    data: Any = None,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
    *,
    quantize: bool = True,
    activations: Activations = "int8",
    split_outputs: bool = False,
    sizes_only: bool = False,
    names: Sequence[str] = (),
    front_ends: FrontEnds = "never",
    wanted: Wanted | None = None,
) -> Model:
    """Convert whatever the user gave to full int8, int16 activations or float32, and read it as the runtime needs it.

    `sizes_only`: a float model without data is sized by its shapes, see :func:`mcugen.convert.convert`.
    `front_ends`: whether a Keras model's first layers become one, see :data:`mcugen.names.FrontEnds`. `wanted`: the
    layers at its end that learn on the device, and are cut off.

    Raises:
        ModelError, DataError, ConversionError: see the convert and graph stages.
    """
    if is_pipeline_file(source):
        if wanted is not None:
            raise TrainingError(
                "trains a model alone, not one in a pipeline", where="`trainable`", hint="Pass the model, or omit it"
            )
        return _load_app(
            Path(str(source)),
            data,
            progress,
            runtime,
            quantize=quantize,
            activations=activations,
            split_outputs=split_outputs,
            sizes_only=sizes_only,
        )
    if quantize:
        check_early(source, data, names=names)
    if wanted is not None:
        return _load_with_head(source, data, wanted, progress, runtime, quantize=quantize)
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming(source))
        stack.enter_context(take_others(runtime == "tflm"))
        folder = stack.enter_context(temporary_folder())
        behind = behind_front_end(source, folder, data, front_ends, runtime, tuple(names))
        converted = convert(
            behind.source,
            behind.data,
            quantize=quantize,
            choices=Choices(
                activations=activations,
                split_outputs=split_outputs,
                per_tensor_dense=activations == "int16" and runtime == "tflm",
            ),
            sizes_only=sizes_only,
            names=names,
            progress=progress,
        )
        graph = read_model(converted, runtime or "aot")
    report, floats = converted.report, converted.float_model
    model = Model(converted.model, graph, source_name(source), report.trusted, report, floats, converted.scaling)
    return with_front_end(model, behind)


def front_ends_for(*, rows: InputRows | None, runtime: Runtime | None, compare_float: bool = False) -> FrontEnds:
    """Where a Keras model's first layers become a front end: everywhere, but where one can only bring whole inputs, or
    none at all."""
    return "needed" if compare_float or rows == "pushed" or runtime == "tflm" else "always"


def with_front_end(model: Model, behind: Behind) -> Model:
    """A model behind its first layers, with the front end that took their place; unchanged where none did."""
    first, report = behind.first, model.report
    if first is None:
        return model
    signal = None
    if behind.samples is not None:
        signal = first.frames(behind.samples.inputs[0][:_SAMPLES_AS_SIGNAL])
    if report is not None and behind.samples is not None:
        origin, notes = behind.samples.origin, behind.samples.notes
        report = replace(report, calibration=replace(report.calibration, origin=origin, notes=notes))
    if report is not None:
        report = replace(report, notes=(first.note, *report.notes))
    app = bind(first.front.pipeline, model.graph)
    return replace(model, report=report, app=app, first=first, signal=signal, rows=behind.data)


def _load_with_head(
    source: object, data: Any, wanted: Wanted, progress: Progress | None, runtime: Runtime | None, *, quantize: bool
) -> Model:
    """A model whose last layers learn on the device: its body, and these."""
    with naming(source):
        converted, parts = cut_and_convert(source, data, wanted, progress, quantize=quantize)
        graph = read_model(converted, runtime or "aot")
    head, report = make_head(parts, graph, wanted.settings), converted.report
    return Model(converted.model, graph, source_name(source), report.trusted, report, converted.float_model, head=head)


def _load_app(path: Path, data: Any, progress: Progress | None, runtime: Runtime | None, **how: Any) -> Model:
    """The model that a pipeline file names, with what is around it.

    Raises:
        PipelineError: the file breaks the format, or does not go with its model.
    """
    if runtime == "tflm":
        raise PipelineError("runs compiled ahead of time only", where=source_name(path), hint='Omit `runtime="tflm"`')
    pipeline = read_pipeline(path)
    samples = calibration(pipeline, data)
    model = load_model(pipeline.model, samples, progress, runtime, front_ends="refused", **how)
    return replace(model, source=source_name(path), app=bind(pipeline, model.graph))


def plan_model(model: Model, board: Board, choice: Choice | None = None) -> Program:
    """The model's plan for a board; compiled ahead of time for speed unless something else is chosen."""
    with naming(model.source):
        program = make(model.opened, model.graph, board, choice or Choice())
    return with_head(with_app(program, model.app), model.head)


AnyProgram = TypeVar("AnyProgram", bound=Program)


def with_app(program: AnyProgram, app: App | None) -> AnyProgram:
    """The program, with the RAM of what is around it.

    Raises:
        PipelineError: it takes its input in another way than the app brings it.
    """
    if app is None:
        return program
    assert isinstance(program, Plan)
    if program.rows == "pushed":
        raise PipelineError("brings the model's input as a whole", where="[model]", hint='Omit `rows="pushed"`')
    scratch = scratch_bytes(app)
    shared = with_front_room(program, scratch) if scratch else None
    if shared is None:
        return replace(program, app_bytes=ram_bytes(app))
    found = replace(shared, app_bytes=ram_bytes(app) - scratch)
    verify_front(found)
    return cast("AnyProgram", found)


def plan_per_board(model: Model, boards: Sequence[Board], goal: Goal, pushed: bool = False) -> list[tuple[Board, Plan]]:
    """The plan for every board, made once per core."""
    plans: dict[Target, Plan] = {}
    for board in boards:
        if board.target() not in plans:
            plans[board.target()] = make_plan(model.graph, board.target(), goal, pushed)
    found = ((board, in_memories(plans[board.target()], board, {}) or plans[board.target()]) for board in boards)
    return [(board, with_app(plan, model.app)) for board, plan in found]

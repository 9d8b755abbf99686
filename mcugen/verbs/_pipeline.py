"""What verbs share: a model or a project folder, taken as far through the stages as a verb needs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen.activations import Activations
from mcugen.boards import Board, load_board, load_boards
from mcugen.build import Firmware, build_project, check_fit
from mcugen.convert import QuantizationReport, convert
from mcugen.emit.manifest import MANIFEST_NAME
from mcugen.emit.project import Project, changed_files, emit_project, load_project
from mcugen.emit.renode import renode_files
from mcugen.emulators import EmulatorName
from mcugen.errors import BoardError, ConversionError, DataError, ModelError, ProjectError, ToolError
from mcugen.goals import Goal
from mcugen.graph import Graph, optimize, read_graph
from mcugen.ops.base import Target
from mcugen.plan import Plan, make_plan
from mcugen.plan.types import Program
from mcugen.protocols import Protocol
from mcugen.runtimes import Runtime
from mcugen.tflm.view import read_view
from mcugen.ui.terminal import Progress
from mcugen.ui.text import plain
from mcugen.verbs._runtime import Choice, library_files, make, options_text, read_model, remake

MODEL_FILE = "model/model.tflite"
QUANTIZATION_FILE = "model/quantization.json"


def no_progress(_step: str, _done: float) -> None:
    """For callers that do not want to hear about progress."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model, ready to plan: full int8, or float32 where that was asked for.

    Attributes:
        data: the `.tflite`.
        graph: what of the model the runtime runs.
        source: what the user gave, for reports.
        trusted: False if it was quantized with random data.
        report: how it was quantized; None if it came out of a project.
        float_data: the float `.tflite` that it was quantized from; None if it came quantized, or out of a project.
    """

    data: bytes
    graph: Graph
    source: str
    trusted: bool
    report: QuantizationReport | None
    float_data: bytes | None = None


@dataclass(frozen=True, eq=False)
class Ready:
    """A model that is built for a board. `changed` names emitted files that somebody changed since."""

    model: Model
    board: Board
    plan: Program
    project: Project
    firmware: Firmware
    changed: tuple[str, ...] = ()

    @property
    def runtime(self) -> str:
        return self.plan.runtime


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
) -> Model:
    """Convert whatever the user gave to full int8, int16 activations or float32, and read it as the runtime needs it.

    Raises:
        ModelError, DataError, ConversionError: see the convert and graph stages.
    """
    with naming(source):
        converted = convert(source, data, quantize=quantize, activations=activations, progress=progress)
        graph = read_model(converted, runtime or "aot")
    report, floats = converted.report, converted.float_tflite
    return Model(converted.tflite, graph, source_name(source), report.trusted, report, floats)


def plan_model(model: Model, board: Board, choice: Choice | None = None) -> Program:
    """The model's plan for a board; compiled ahead of time for speed unless something else is chosen."""
    with naming(model.source):
        return make(model.data, model.graph, board, choice or Choice())


def write_project(
    model: Model,
    plan: Program,
    board: Board,
    folder: Path,
    *,
    command: str,
    labels: Sequence[str] = (),
    protocol: Protocol = "mcugen",
    emulator: EmulatorName | None = None,
    force: bool = False,
) -> Project:
    """Emit the project, if the model fits the board.

    Args:
        emulator: "renode" adds its script, platform and Robot test.

    Raises:
        BoardError: Renode's model of the board is not known.
        DataError: as many labels as no output has classes.
        DoesNotFitError: with the numbers.
        ProjectError: the folder is not mcugen's, or was changed by hand.
    """
    check_fit(plan, board)
    _check_labels(labels, plan)
    scripts = renode_files(board) if emulator == "renode" else {}
    return emit_project(
        plan,
        board,
        folder,
        model_files=library_files(plan, labels, command),
        extra_files={**_model_files(model), **scripts},
        command=command,
        labels=labels,
        protocol=protocol,
        force=force,
    )


def _check_labels(labels: Sequence[str], plan: Program) -> None:
    """A table shorter than the output would be read beyond its end by the user's own code."""
    classes = [tensor.shape[-1] for tensor in plan.output_tensors() if tensor.shape]
    # One output between two classes: the probability of the second.
    if labels and len(labels) not in classes and not (len(labels) == 2 and 1 in classes):
        raise DataError(
            f"{len(labels)} label{'s' * (len(labels) != 1)} for {' or '.join(map(str, classes))} classes",
            where="--labels",
            hint="Give one name per value of the output, in its order",
        )


def _model_files(model: Model) -> dict[str, str | bytes]:
    """What a project keeps of its model, so that it can be verified again: the model, and how it was made."""
    files: dict[str, str | bytes] = {MODEL_FILE: model.data}
    if model.report is not None:
        facts = {"schema": "mcugen.quantization/1", **model.report.to_dict()}
        files[QUANTIZATION_FILE] = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False) + "\n"
    return files


def command_line(verb: str, model: Model, plan: Program, board: Board) -> str:
    """The command for the banners of generated files, without this computer's folders."""
    how = " --data random" if not model.trusted else ""
    if model.report is not None and not model.report.quantized:
        how = " --no-quantize"
    elif model.report is not None and model.report.search is not None:
        how += " --auto"
    elif model.report is not None and model.report.activations != "int8":
        how += f" --activations {model.report.activations}"
    return f"mcugen {verb} {model.source} --board {board.name}{how}{options_text(plan)}"


def default_folder(model: Model, board: Board) -> Path:
    """Where a project goes if the user does not say: "kws-mps2-an386" in the current folder."""
    return folder_for(model.graph.name, board)


def folder_for(name: str, board: Board) -> Path:
    """The same by a model's name."""
    return Path(f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60] or 'model'}-{board.name}")


def is_project(target: object) -> bool:
    """Whether a verb's DIR|MODEL argument is a project folder."""
    return isinstance(target, str | Path) and (Path(target) / MANIFEST_NAME).is_file()


def open_project(
    folder: Path, board_name: str | None = None, choice: Choice | None = None
) -> tuple[Project, Model, Board, Program]:
    """A project's model, board and plan, checked against its manifest.

    Args:
        board_name, choice: what the user named, which must be the project's own.

    Raises:
        ProjectError: not a project, made by another version, for another board, or its model is not the one in
            its manifest.
    """
    project = load_project(folder)
    manifest = project.manifest
    if board_name is not None and board_name != manifest.board:
        raise ProjectError(
            f"was generated for {manifest.board}, not for {plain(board_name)}",
            where=str(folder),
            hint=f"Leave --board away, or generate a project for {plain(board_name)}",
        )
    choice = choice or Choice()
    for option, named, own in (
        ("--runtime", choice.runtime, manifest.runtime),
        ("--optimize", choice.goal, manifest.optimize),
    ):
        if named is not None and named != own:
            raise ProjectError(
                f"was generated with {option} {own}",
                where=str(folder),
                hint=f"Leave {option} away, or generate a project with {option} {named}",
            )
    board = project.board
    model = _project_model(project)
    plan = remake(model.data, model.graph, board, manifest, choice.tflm)
    return project, model, board, plan


def _project_model(project: Project) -> Model:
    folder, manifest = project.folder, project.manifest
    path = folder / MODEL_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProjectError(
            f"the model cannot be read: {error.strerror}",
            where=str(path),
            hint="It is needed to compare the device with; generate the project again",
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest.model_sha256:
        raise ProjectError("is not the model that this project was made from", where=str(path))
    name = manifest.model_name
    graph = read_view(data, name).main if manifest.runtime == "tflm" else optimize(read_graph(data, name))
    return Model(data, graph, plain(folder.name), _trusted(folder), None)


def _trusted(folder: Path) -> bool:
    """Whether a project's model was quantized with real data, or needed no quantization."""
    path = folder / QUANTIZATION_FILE
    if not path.exists():
        return True
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError("cannot be read", where=str(path), hint="Generate the project again") from error
    trusted = facts.get("trusted") if isinstance(facts, dict) else None
    if not isinstance(trusted, bool):
        raise ProjectError("does not say whether the model is trusted", where=str(path))
    return trusted


@contextlib.contextmanager
def built(
    target: object,
    board_name: str | None,
    *,
    data: Any = None,
    quantize: bool = True,
    choice: Choice | None = None,
    progress: Progress | None = None,
) -> Iterator[Ready]:
    """A project folder or a model, built; a model's project is temporary and gone afterwards.

    Raises:
        ProjectError: a model without a board, or see `open_project`.
        McugenError: whatever the stages refuse.
    """
    progress, choice = progress or no_progress, choice or Choice()
    if is_project(target):
        folder = Path(str(target))
        if data is not None:
            raise ProjectError("a generated project takes no calibration data", hint="Leave --data away")
        if not quantize:
            raise ProjectError("a generated project has its model already", hint="Leave --no-quantize away")
        project, model, board, plan = open_project(folder, board_name, choice)
        if project.manifest.protocol == "mlperf":
            raise ProjectError(
                "its firmware speaks the MLPerf Tiny protocol, whose rounded results cannot be compared bit for bit",
                where=str(folder),
                hint="Generate the same model without --protocol mlperf; the benchmark's runner drives this one",
            )
        progress("building", -1.0)
        firmware = build_project(folder, tflm=choice.tflm)
        yield Ready(model, board, plan, project, firmware, tuple(changed_files(project)))
        return
    board = require_board(board_name)
    model = load_model(target, data, progress, choice.runtime, quantize=quantize)
    with built_temporarily(model, plan_model(model, board, choice), board, choice.tflm, progress) as ready:
        yield ready


@contextlib.contextmanager
def built_temporarily(
    model: Model, plan: Program, board: Board, tflm: str | None, progress: Progress
) -> Iterator[Ready]:
    """A planned model, built in a project that is gone afterwards.

    Raises:
        McugenError: it does not fit, or the build failed.
    """
    with tempfile.TemporaryDirectory(prefix="mcugen-") as temporary:
        folder = Path(temporary) / "project"
        command = command_line("generate", model, plan, board)
        project = write_project(model, plan, board, folder, command=command)
        progress("building", -1.0)
        yield Ready(model, board, plan, project, _build_temporary(folder, model, board, tflm))


def _build_temporary(folder: Path, model: Model, board: Board, tflm: str | None) -> Firmware:
    """Build a project that will be gone when its error is read, so that the error does not point into it."""
    try:
        return build_project(folder, tflm=tflm)
    except ToolError as error:
        if str(folder) not in f"{error.where}{error.hint}":
            raise
        hint = f"All that the compiler said: mcugen generate MODEL --board {board.name} -o DIR, then mcugen build DIR"
        raise ToolError(error.what, where=model.source, hint=hint) from error


def known_boards() -> list[Board]:
    """All boards whose memories are known; of the others the user's linker script tells."""
    return [board for board in load_boards().values() if not board.own_linker_script]


def plan_per_board(graph: Graph, boards: Sequence[Board], goal: Goal) -> list[tuple[Board, Plan]]:
    """The plan for every board, made once per core."""
    plans: dict[Target, Plan] = {}
    for board in boards:
        if board.target() not in plans:
            plans[board.target()] = make_plan(graph, board.target(), goal)
    return [(board, plans[board.target()]) for board in boards]


def require_board(name: str | None) -> Board:
    """The board, which a model needs and a project knows.

    Raises:
        ProjectError: no name; BoardError: an unknown one, or one that needs a linker script.
    """
    if name is None:
        raise ProjectError(
            "no board was given", hint="Add --board BOARD; mcugen boards lists them. Or give a generated project"
        )
    board = load_board(name)
    if board.own_linker_script:
        raise BoardError(
            f"{board.name} stands for any such chip, so it needs a project with your linker script",
            where=f"board {board.name}",
            hint="Make one: mcugen generate MODEL --board … --linker-script FILE.ld -o DIR",
        )
    return board

"""Project folders: written, named and opened again."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mcugen.boards.emulated import emulator_files
from mcugen.boards.types import Board
from mcugen.builder import check_fit
from mcugen.emit.style import FIRMWARE_NAME
from mcugen.errors import DataError, ProjectError
from mcugen.flow.boards import named_board
from mcugen.flow.model import Model, with_app
from mcugen.flow.runtime import Choice, library_files, options_text, read_opened, remake
from mcugen.flow.training import TRAINING_FILE, head_files, open_head, with_head
from mcugen.formats.emit import emit_project
from mcugen.names import Protocol
from mcugen.pipeline import read_pipeline
from mcugen.pipeline.app import bind
from mcugen.pipeline.emit import emit_app
from mcugen.project.manifest import MANIFEST_NAME
from mcugen.project.project import Project, load_project
from mcugen.runtimes.aot.plan import Plan
from mcugen.runtimes.program import Program
from mcugen.text import plain
from mcugen.tflite.opened import open_model
from mcugen.training.emit import emit_training

MODEL_FILE = "model/model.tflite"
QUANTIZATION_FILE = "model/quantization.json"
PIPELINE_FILE = "model/pipeline.toml"


def write_project(
    model: Model,
    plan: Program,
    board: Board,
    folder: Path,
    *,
    command: str,
    labels: Sequence[str] = (),
    protocol: Protocol = "mcugen",
    emulator: str | None = None,
    force: bool = False,
) -> Project:
    """Emit the project, if the model fits the board.

    Args:
        emulator: one that the user named; it may add scripts of its own.

    Raises:
        BoardError: the emulator does not model the board.
        DataError: as many labels as no output has classes.
        DoesNotFitError: with the numbers.
        ProjectError: the folder is not mcugen's, or was changed by hand.
    """
    check_fit(plan, board)
    check_labels(labels, plan)
    scripts = emulator_files(board, emulator)
    return emit_project(
        plan,
        board,
        folder,
        model_files={
            **library_files(plan, labels, command),
            **app_files(model, plan, command),
            **training_files(model, command),
        },
        extra_files={**model_files(model), **scripts},
        command=command,
        labels=labels,
        protocol=protocol,
        force=force,
    )


def check_labels(labels: Sequence[str], plan: Program) -> None:
    """A table shorter than the output would be read beyond its end by the user's own code."""
    classes = [tensor.shape[-1] for tensor in plan.output_tensors() if tensor.shape]
    # One output between two classes: the probability of the second.
    if labels and len(labels) not in classes and not (len(labels) == 2 and 1 in classes):
        raise DataError(
            f"{len(labels)} label{'s' * (len(labels) != 1)} for {' or '.join(map(str, classes))} classes",
            where="`labels`",
            hint="Pass one name per value of the output, in its order",
        )


def model_file(name: str) -> str:
    """Where a project keeps a model."""
    return MODEL_FILE if name == FIRMWARE_NAME else f"model/{name}.tflite"


def quantization_file(name: str) -> str:
    """Where a project says how a model was quantized."""
    return QUANTIZATION_FILE if name == FIRMWARE_NAME else f"model/{name}.json"


def app_files(model: Model, plan: Program, command: str, name: str = FIRMWARE_NAME) -> dict[str, str]:
    """The C of what is around a model; none where nothing is."""
    if model.app is None:
        return {}
    shared = isinstance(plan, Plan) and plan.front is not None
    return emit_app(model.app, model.graph, name=name, command=command, scratch_in_arena=shared)


def training_files(model: Model, command: str) -> dict[str, str]:
    """The C of what learns; none where nothing does."""
    if model.head is None:
        return {}
    return emit_training(model.head.net, sha256=model.graph.sha256, model=model.graph.name, command=command)


def model_files(model: Model, name: str = FIRMWARE_NAME) -> dict[str, str | bytes]:
    """What a project keeps of its model, so that it can be verified again: the model, and how it was made."""
    files: dict[str, str | bytes] = {model_file(name): model.data}
    if model.report is not None:
        facts = {"schema": "mcugen.quantization/1", **model.report.to_dict()}
        files[quantization_file(name)] = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False) + "\n"
    if model.app is not None:
        files[PIPELINE_FILE] = model.app.pipeline.text
    return {**files, **head_files(model.head)}


def command_line(verb: str, model: Model, plan: Program, board: Board) -> str:
    """The command for the banners of generated files, without this computer's folders."""
    how = " --data random" if not model.trusted else ""
    if model.report is not None and not model.report.quantized:
        how = " --no-quantize"
    elif model.report is not None and model.report.search is not None:
        how += " --auto"
    elif model.report is not None and model.report.activations != "int8":
        how += f" --activations {model.report.activations}"
    if model.head is not None:
        how += f" --trainable {shlex.quote(','.join(model.head.net.names))}"
    return f"mcugen {verb} {shlex.quote(model.source)} --board {board.name}{how}{options_text(plan)}"


def default_folder(model: Model, board: Board) -> Path:
    """Where a project goes if the user does not say: "kws-mps2-an386" in the current folder."""
    return folder_for(model.graph.name, board)


def folder_for(name: str, board: Board) -> Path:
    """The same by a model's name."""
    return Path(f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60] or 'model'}-{board.name}")


def is_project(target: object) -> bool:
    """Whether a verb's DIR|MODEL argument is a project folder, or DIR:NAME, one of its models."""
    return isinstance(target, str | Path) and (project_folder(target) / MANIFEST_NAME).is_file()


def project_folder(target: str | Path) -> Path:
    """The folder of DIR or DIR:NAME."""
    return _parted(target)[0]


def _parted(target: str | Path) -> tuple[Path, str]:
    folder, colon, name = str(target).rpartition(":")
    if colon and not Path(target).exists() and (Path(folder) / MANIFEST_NAME).is_file():
        return Path(folder), name
    return Path(target), ""


def _chosen(project: Project, name: str) -> Project:
    """The project, with the facts of one of its models.

    Raises:
        ProjectError: there is none of that name, or several and none was named.
    """
    manifest = project.manifest
    models = {one.name: one for one in (replace(manifest, others=()), *manifest.others)}
    if not name and len(models) == 1:
        return project
    if name not in models:
        what = f"has no model {plain(name)[:40]!r}" if name else f"holds {len(models)} models"
        raise ProjectError(
            what,
            where=str(project.folder),
            hint="Name one: " + ", ".join(f"{project.folder.name}:{one}" for one in models),
        )
    return replace(project, manifest=replace(models[name], files=manifest.files))


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
    folder, name = _parted(folder)
    project = _chosen(load_project(folder), name)
    manifest = project.manifest
    if board_name is not None and board_name != manifest.board:
        board_name = named_board(board_name).name
    if board_name is not None and board_name != manifest.board:
        raise ProjectError(
            f"was generated for {manifest.board}, not for {plain(board_name)}",
            where=str(folder),
            hint=f"Omit `board`, or generate a project for {plain(board_name)}",
        )
    choice = choice or Choice()
    reserve = dict(manifest.reserve)
    if choice.reserve and choice.reserve != reserve:
        kept = ", ".join(f"{memory}={size}" for memory, size in sorted(reserve.items())) or "nothing"
        raise ProjectError(
            f"was generated with {kept} reserved", where=str(folder), hint="Omit `reserve`, or generate another project"
        )
    for name, named, own in (
        ("runtime", choice.runtime, manifest.runtime),
        ("optimize", choice.goal, manifest.optimize),
        ("rows", choice.rows, manifest.rows),
    ):
        if named is not None and named != own:
            raise ProjectError(
                f'was generated with `{name}="{own}"`',
                where=str(folder),
                hint=f'Omit `{name}`, or generate a project with `{name}="{named}"`',
            )
    board = project.board
    model = _project_model(project)
    plan = with_app(remake(model.opened, model.graph, board, manifest, choice.tflm), model.app)
    plan = with_head(plan, model.head)
    return project, model, board, plan


def _project_model(project: Project) -> Model:
    folder, manifest = project.folder, project.manifest
    path = folder / model_file(manifest.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProjectError(
            f"the model cannot be read: {error.strerror}",
            where=str(path),
            hint="It is needed to compare the device with; generate the project again",
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest.model_sha256:
        raise ProjectError("is not the model of this project", where=str(path))
    name = manifest.model_name
    opened, trusted = open_model(data), _trusted(folder / quantization_file(manifest.name))
    graph = read_opened(opened, name, "tflm" if manifest.runtime == "tflm" else "aot", trusted=trusted)
    source = folder.name if manifest.name == FIRMWARE_NAME else f"{folder.name}:{manifest.name}"
    app = bind(read_pipeline(folder / PIPELINE_FILE), graph) if PIPELINE_FILE in manifest.files else None
    head = open_head(folder, graph) if TRAINING_FILE in manifest.files else None
    return Model(opened, graph, plain(source), trusted, None, app=app, head=head)


def _trusted(path: Path) -> bool:
    """Whether a project's model was quantized with real data, or needed no quantization, by its file."""
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

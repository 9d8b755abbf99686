"""What verbs share: a model or a project folder, taken as far through the stages as a verb needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen.boards.types import Board
from mcugen.builder import Firmware, build_project
from mcugen.builder.in_use import using
from mcugen.errors import ProjectError, ToolError
from mcugen.flow.boards import require_board
from mcugen.flow.model import Model, load_model, plan_model
from mcugen.flow.project import (
    command_line,
    is_project,
    open_project,
    project_folder,
    write_project,
)
from mcugen.flow.runtime import Choice
from mcugen.outputs import temporary_folder
from mcugen.progress import Progress, no_progress
from mcugen.project.project import Project, changed_files
from mcugen.runtimes.program import Program


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
            raise ProjectError("a generated project takes no calibration data", hint="Omit `data`")
        if not quantize:
            raise ProjectError("a generated project has its model already", hint="Omit `quantize=False`")
        with using(project_folder(folder)):
            project, model, board, plan = open_project(folder, board_name, choice)
            if project.manifest.protocol == "mlperf":
                raise ProjectError(
                    "its firmware speaks the MLPerf Tiny protocol, whose rounded results cannot be compared bit for"
                    " bit",
                    where=str(folder),
                    hint='Generate the same model without `protocol="mlperf"`; the benchmark\'s runner drives this one',
                )
            progress("building", -1.0)
            firmware = build_project(project.folder, tflm=choice.tflm)
            yield Ready(model, board, plan, project, firmware, tuple(changed_files(project)))
        return
    board = require_board(board_name)
    model = load_model(target, data, progress, choice.runtime, quantize=quantize, front_ends="needed")
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
    with temporary_folder() as temporary:
        folder = temporary / "project"
        command = command_line("generate", model, plan, board)
        project = write_project(model, plan, board, folder, command=command)
        progress("building", -1.0)
        yield Ready(model, board, plan, project, _build_temporary(folder, model, plan, board, tflm))


def _build_temporary(folder: Path, model: Model, plan: Program, board: Board, tflm: str | None) -> Firmware:
    """Build a project that will be gone when its error is read, so that the error does not point into it."""
    try:
        return build_project(folder, tflm=tflm)
    except ToolError as error:
        if str(folder) not in f"{error.where}{error.hint}":
            raise
        runtime = ", runtime='tflm'" if plan.runtime == "tflm" else ""
        how = f"`api.generate(MODEL, board={board.name!r}, out=DIR{runtime})`, then `api.build(DIR)`"
        hint = f"For the full compiler output: {how}"
        raise ToolError(error.what, where=model.source, hint=hint) from error

"""Writes a model in one of the formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mcugen import __version__
from mcugen.boards.types import Board
from mcugen.formats import formats
from mcugen.formats.types import Part, Subject
from mcugen.names import Protocol
from mcugen.project.folder import digest
from mcugen.project.manifest import (
    Manifest,
    is_inside,
    plan_facts,
)
from mcugen.project.project import Project, write_project
from mcugen.runtimes.program import Program


def emit_project(
    plan: Program,
    board: Board,
    out_dir: Path,
    *,
    model_files: Mapping[str, str | bytes],
    extra_files: Mapping[str, str | bytes] | None = None,
    command: str = "",
    labels: Sequence[str] = (),
    protocol: Protocol = "mcugen",
    force: bool = False,
    format: str = "firmware",
) -> Project:
    """Write a model's folder. The same arguments give the same bytes, wherever and whenever.

    Args:
        plan: a verified plan for the board's core.
        out_dir: absent, empty, or a project of mcugen's, which is replaced. What tools put there (`.git`, `.pio`,
            …) stays.
        model_files: the model library, by path relative to its folder (a runtime emits it).
        extra_files: further files, by path relative to the project.
        command: shown in the files' banners; without paths of this computer, or the bytes depend on them.
        labels: class names, for the manifest and the README.
        protocol: what the firmware speaks over its UART.
        force: replace files that the user changed. Files that the user added are kept in any case.
        format: a name among `formats()`.

    Raises:
        ProjectError: `out_dir` is not mcugen's, holds changed or added files, or cannot be written.
        BoardError: the runtime does not go with the board's framework.
    """
    subject = Subject(
        (Part(plan, model_files, labels),), board, extra_files=extra_files or {}, command=command, protocol=protocol
    )
    files = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in formats()[format].files(subject).items()
    }
    for path in files:
        if not is_inside(path):
            raise AssertionError(f"emitted path {path!r} leaves the project")
    manifest = Manifest(
        mcugen=__version__,
        board=board.name,
        command=command,
        labels=tuple(labels),
        protocol=protocol,
        files={path: digest(content) for path, content in files.items()},
        **plan_facts(plan),
    )
    return write_project(out_dir, files, manifest, board, force=force)

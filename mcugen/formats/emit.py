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


def emit_models_project(subject: Subject, out_dir: Path, *, force: bool = False) -> Project:
    """Write the firmware of several models; see `emit_project`."""
    assert subject.board is not None
    files = _encoded(formats()["firmware"].files(subject))

    def facts(part: Part, files: Mapping[str, str], others: tuple[Manifest, ...] = ()) -> Manifest:
        assert subject.board is not None
        return Manifest(
            mcugen=__version__,
            board=subject.board.name,
            command=subject.command,
            labels=tuple(part.labels),
            protocol=subject.protocol,
            files=files,
            name=part.name,
            others=others,
            **plan_facts(part.program),
        )

    first, *rest = subject.parts
    hashes = {path: digest(content) for path, content in files.items()}
    manifest = facts(first, hashes, tuple(facts(part, {}) for part in rest))
    return write_project(out_dir, files, manifest, subject.board, force=force)


def _encoded(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    encoded = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    for path in encoded:
        if not is_inside(path):
            raise AssertionError(f"emitted path {path!r} leaves the project")
    return encoded


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
    files = _encoded(formats()[format].files(subject))
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

"""Models written as a library for somebody's own project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcugen.boards.shipped import load_boards
from mcugen.boards.types import Board
from mcugen.builder import check_fit
from mcugen.cores import cores
from mcugen.emit.style import Arena, Style, check_name, name_of
from mcugen.errors import BoardError, DoesNotFitError, ModelError, PipelineError, ProjectError
from mcugen.flow.boards import named_board
from mcugen.flow.evidencing import Evidence, make_evidence
from mcugen.flow.model import Model, with_app
from mcugen.flow.project import app_files, check_labels, model_files
from mcugen.formats import formats
from mcugen.formats.emit import emit_models_project
from mcugen.formats.types import Format, Part, Subject
from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import Target
from mcugen.progress import Progress, no_progress
from mcugen.project.exported import Exported, ExportedModel, hashes, write_exported
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.plan import Plan, make_plan

GENERIC = "generic"
"""The core of portable C."""


@dataclass(frozen=True)
class Chosen:
    """What code is made for.

    Attributes:
        core: as people read it.
        board: None where only a core was named, or none.
    """

    core: str
    target: Target
    board: Board | None = None


def choose_core(board: str | None, core: str | None) -> Chosen:
    """The core by a board's name, by its own, or any.

    Raises:
        BoardError: unknown, or both.
    """
    if board is not None and core is not None:
        raise BoardError("`board` and `core` both name a core", hint="Pass one of them")
    if board is not None:
        found = named_board(board)
        return Chosen(found.cpu, found.target(), None if found.own_linker_script else found)
    if core is None or core == GENERIC:
        return Chosen(GENERIC, Target())
    known = {**{name: Target(name) for name in cores()}, **_boards_of_any_maker()}
    if core not in known:
        raise BoardError(
            f"unknown core {core[:40]!r}", where="`core`", hint=f"Known are {GENERIC}, {', '.join(sorted(known))}"
        )
    return Chosen(core, known[core])


def _boards_of_any_maker() -> dict[str, Target]:
    """Cores with what they have, by the names of the boards that stand for any chip with one."""
    return {name: board.target() for name, board in load_boards().items() if board.own_linker_script}


def choose_names(titles: Sequence[str], names: Sequence[str]) -> list[str]:
    """A prefix for every model: those that the user chose, or the models' own.

    Raises:
        DataError: a name that cannot be a prefix.
        ProjectError: another number of names than of models, or two models of one name.
    """
    if names and len(names) != len(titles):
        raise ProjectError(
            f"{len(names)} name{'s' * (len(names) != 1)} for {len(titles)} model{'s' * (len(titles) != 1)}",
            where="`name`",
            hint="Pass one per model, in their order",
        )
    chosen = [check_name(name) for name in names] or [_free(name_of(title)) for title in titles]
    if len(set(chosen)) < len(chosen):
        raise ProjectError(
            f"several models would be called {', '.join(sorted({n for n in chosen if chosen.count(n) > 1}))}",
            hint="Pass a name for each: `name=[NAME, NAME]`",
        )
    return chosen


def _free(name: str) -> str:
    """The name, unless it is the kernels' own."""
    return f"model_{name}" if name == "mcg" or name.startswith("mcg_") else name


def write_export(
    models: Sequence[Model],
    chosen: Chosen,
    folder: Path,
    *,
    format: Format,
    names: Sequence[str],
    command: str,
    labels: Sequence[str] = (),
    goal: Goal | None = None,
    arena: Arena = "static",
    evidence: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Exported, Evidence | None]:
    """Write models in a format; gives the folder, what its manifest says, and the evidence if it was asked for.

    Args:
        names: a prefix for every model.
        command: for the banners of the files, without this computer's folders.
        labels: class names of the only model.
        evidence: find the facts about what is written, and write them, too.

    Raises:
        ModelError: state that a shared arena would lose.
        DataError: as many labels as no output has classes.
        ProjectError: the folder is not an export of mcugen's, or was changed by hand.
    """
    whole = arena == "context" or evidence
    plans = [_planned(model, chosen, goal, whole=whole) for model in models]
    if labels:
        check_labels(labels, plans[0])
    if arena == "shared":
        _check_shareable(plans)
    if arena == "context":
        _check_whole(plans, "the functions that take a context keep nothing outside of it")
    if evidence:
        _check_whole(plans, "the evidence is about layers that run one after the other")
    subject = make_subject(plans, names, chosen, labels=labels, arena=arena, command=command)
    subject = _with_apps(subject, models, command)
    found = make_evidence(models, plans, subject, progress or no_progress) if evidence else None
    files = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in {**format.files(subject), **(found.files if found else {})}.items()
    }
    facts = Exported(
        format=format.name,
        name=subject.name,
        core=chosen.core,
        arena=arena,
        command=command,
        models=[_facts(part) for part in subject.parts],
        files=hashes(files),
    )
    return write_exported(folder, files, facts, force=force), facts, found


def _planned(model: Model, chosen: Chosen, goal: Goal | None, *, whole: bool) -> Plan:
    plan = with_app(make_plan(model.graph, chosen.target, goal or DEFAULT_GOAL, whole=whole), model.app)
    assert isinstance(plan, Plan)
    return plan


def _with_apps(subject: Subject, models: Sequence[Model], command: str) -> Subject:
    """What is written, with the C around the models whose pipeline files were given.

    Raises:
        PipelineError: an arena that it cannot find.
    """
    parts = []
    for part, model in zip(subject.parts, models, strict=True):
        if model.app is not None and subject.arena == "context":
            raise PipelineError(
                "keeps its state in variables, not in a context", where=model.source, hint="Omit `context=True`"
            )
        files = {**part.files, **app_files(model, part.program, command, part.name)}
        parts.append(replace(part, files=files))
    return replace(subject, parts=tuple(parts))


def write_firmware(
    models: Sequence[Model],
    chosen: Chosen,
    folder: Path,
    *,
    names: Sequence[str],
    command: str,
    goal: Goal | None = None,
    arena: Arena = "static",
    force: bool = False,
) -> tuple[Path, Exported]:
    """Write the firmware of several models; gives what `write_export` gives.

    Raises:
        BoardError: no board, or a generic one.
        DoesNotFitError: with the numbers.
        ModelError: state that a shared arena would lose.
        ProjectError: the folder is not mcugen's, or was changed by hand.
    """
    if chosen.board is None:
        raise BoardError("firmware is made for a board", where="`format`", hint="Pass `board=BOARD`")
    for model in models:
        if model.app is not None:
            raise PipelineError("is one model's alone in a firmware", where=model.source, hint="Deploy it by itself")
    plans = [make_plan(model.graph, chosen.target, goal or DEFAULT_GOAL, whole=True) for model in models]
    if arena == "shared":
        _check_shareable(plans)
    _check_whole(plans, "the host takes the layers of such firmware one after the other")
    _check_fit(plans, chosen.board, arena)
    subject = make_subject(plans, names, chosen, arena=arena, command=command)
    kept: dict[str, str | bytes] = {}
    for model, name in zip(models, names, strict=True):
        kept |= model_files(model, name)
    project = emit_models_project(replace(subject, extra_files=kept), folder, force=force)
    facts = Exported(
        format="firmware",
        name=subject.name,
        core=chosen.core,
        arena=arena,
        command=command,
        models=[_facts(part) for part in subject.parts],
        files=project.manifest.files,
    )
    return project.folder, facts


def _check_whole(plans: Sequence[Plan], why: str) -> None:
    """Refuse rows that flow through layers, which keep beside the arena what they have come to."""
    for plan in plans:
        if plan.pipelines:
            raise ModelError(
                f"with this goal rows flow through its layers, and {why}",
                where=plan.graph.name,
                hint='Choose another goal: `optimize="balanced"`',
            )


def _check_fit(plans: Sequence[Plan], board: Board, arena: Arena) -> None:
    """Each model alone, and all constants and arenas together; the code that they share is for the linker to sum up."""
    for plan in plans:
        check_fit(plan, board)
    sizes = [plan.arena_bytes for plan in plans]
    ram = (max(sizes) if arena == "shared" else sum(sizes)) + board.stack_bytes
    flash = sum(sum(plan.constant_sizes()) for plan in plans)
    for what, needed, memory in (("RAM", ram, board.ram), ("flash", flash, board.flash)):
        if needed > memory.size:
            raise DoesNotFitError(
                f"{len(plans)} models do not fit {board.title} together; {what}: needs {needed:,} bytes for "
                f"{'arenas and stack' if what == 'RAM' else 'constants'} alone, has {memory.size:,}",
                where=f"board {board.name}",
                hint="Pass `share_arena=True` if they never run at once, or choose a board with more memory",
            )


def make_subject(
    plans: Sequence[Plan],
    names: Sequence[str],
    chosen: Chosen,
    *,
    labels: Sequence[str] = (),
    arena: Arena = "static",
    command: str = "",
) -> Subject:
    """What formats write: the models' C under their names."""
    several = len(plans) > 1
    parts = []
    for plan, name in zip(plans, names, strict=True):
        files: dict[str, str | bytes] = {
            **emit_model(plan, labels=labels, command=command, style=Style(name, arena, several))
        }
        if arena == "shared":
            files["mcg_arena.c"] = _shared_arena(max(plan.arena_bytes for plan in plans))
        parts.append(Part(plan, files, labels, name))
    name = names[0] if not several else "_".join(names)[:40].rstrip("_")
    return Subject(tuple(parts), chosen.board, name, arena, chosen.core, command=command)


def _shared_arena(size: int) -> str:
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n/* The arena of all models of this export, one at a time. */\n"
        '#include <stdint.h>\n\n#include "kernels/mcg_compiler.h"\n\n'
        f"extern uint8_t mcg_arena[];\n\nMCG_ALIGNED uint8_t mcg_arena[{size}];\n"
    )


def _check_shareable(plans: Sequence[Plan]) -> None:
    keeping = [plan.graph.name for plan in plans if plan.stateful]
    if keeping and len(plans) > 1:
        raise ModelError(
            f"{', '.join(keeping)} keeps values between inferences, which another model would overwrite",
            where="`share_arena`",
            hint="Omit `share_arena=True`: each model gets an arena of its own",
        )


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        ProjectError: there is none.
    """
    if name not in formats():
        raise ProjectError(f"unknown format {name[:40]!r}", where="`format`", hint=f"Known are {', '.join(formats())}")
    return formats()[name]


def _facts(part: Part) -> ExportedModel:
    plan = part.program
    return ExportedModel(
        name=part.name,
        title=plan.graph.name,
        sha256=plan.graph.sha256,
        arena=plan.arena_bytes,
        weights=sum(plan.constant_sizes()),
        ops=len(plan.steps),
        macs=plan.macs,
    )

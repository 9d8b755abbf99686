"""`mcugen export`: models as a library for a project of one's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_scaler, takes_trust
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import Spelling, command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.emit.style import Arena
    from mcugen.flow.evidencing import Evidence
    from mcugen.flow.exporting import Chosen
    from mcugen.flow.model import Model
    from mcugen.names import Activations, Goal
    from mcugen.progress import Progress
    from mcugen.project.exported import Exported


@dataclass(frozen=True, eq=False, repr=False)
class Export(Brief):
    """A library on disk, and the models that it was made from."""

    folder: Path
    facts: Exported
    models: Sequence[Model]
    evidence: Evidence | None = None

    @property
    def exit_code(self) -> int:
        """1 if the evidence does not hold."""
        return 1 if self.evidence is not None and not self.evidence.holds else 0

    @property
    def arena(self) -> int:
        """Bytes of RAM that all models take: of a shared arena the largest, of contexts one each."""
        sizes = [model.arena for model in self.facts.models]
        return max(sizes) if self.facts.arena == "shared" else sum(sizes)

    def to_dict(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "schema": "mcugen.export/1",
            "mcugen": __version__,
            "format": facts.format,
            "name": facts.name,
            "core": facts.core,
            "arena": {"kind": facts.arena, "bytes": self.arena},
            "models": [
                {
                    "name": part.name,
                    "title": part.title,
                    "sha256": part.sha256,
                    "source": model.source,
                    "trusted": model.trusted,
                    "arena": part.arena,
                    "weights": part.weights,
                    "ops": part.ops,
                    "macs": part.macs,
                }
                for part, model in zip(facts.models, self.models, strict=True)
            ],
            "evidence": [asdict(check) for check in self.evidence.checks] if self.evidence is not None else None,
            "folder": str(self.folder),
            "files": sorted(facts.files),
        }


@takes_custom_ops
@takes_trust
@takes_scaler
def export(
    models: object,
    *,
    format: str,
    out: str | Path,
    board: str | None = None,
    core: str | None = None,
    name: str | Sequence[str] = (),
    share_arena: bool = False,
    context: bool = False,
    data: Any = None,
    scaler: Any = None,
    quantize: bool = True,
    activations: Activations = "int8",
    split_outputs: bool = False,
    labels: str | Sequence[str] | None = None,
    optimize: Goal | None = None,
    evidence: bool = False,
    force: bool = False,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    progress: Progress | None = None,
) -> Export:
    """Write models as a library for a project of one's own.

    Args:
        models: a model file, a SavedModel folder or a Keras object; or a sequence of them, which are linked together.
        format: a name among :func:`mcugen.formats.formats`. "firmware" is for several models on a board; of a single
            one it is :func:`mcugen.api.generate`.
        out: folder of the library: absent, empty, or an export of mcugen's.
        board: name of a board whose core the kernels are chosen for.
        core: name of the core instead, like "cortex-m4f". Default: portable C for any core.
        name: prefix of the functions, a name per model. Default: the models' own names.
        share_arena: one arena, as large as the largest model's, for models that do not run at the same time.
        context: functions take a context, of which there may be several: instances of the model with a state each.
        data: calibration data for a float model, see :func:`mcugen.convert.convert`.
        scaler: what the model's training data went through, see :func:`mcugen.convert.scaler.read_scaler`.
        quantize: False runs a float model in float32.
        activations: "int8" or "int16", see :func:`mcugen.convert.convert`.
        split_outputs: parts of an output that differ much in size become outputs of their own (docs/QUANTIZATION.md).
        labels: class names: a text file, "a,b,c", or a sequence.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram".
        evidence: add what a person needs who must sign for the code (docs/EVIDENCE.md); needs an emulated board. The
            exit code is 1 if a claim does not hold.
        force: replace files even if they were edited.
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.

    Raises:
        McugenError: a model cannot be used, names clash, or `out` is not an export of mcugen's.
    """
    from mcugen.errors import ProjectError
    from mcugen.flow.exporting import choose_core, choose_names, find_format, write_export, write_firmware
    from mcugen.flow.labels import read_labels
    from mcugen.flow.model import load_model

    given = list(models) if isinstance(models, list | tuple) else [models]
    chosen_format, chosen, class_names = find_format(format), choose_core(board, core), read_labels(labels)
    if chosen_format.needs_board and (len(given) == 1 or context):
        raise ProjectError(
            f"{chosen_format.name} is a whole project for a board, and holds one instance of each model"
            if context
            else f"{chosen_format.name} of one model is a whole project, and another verb's",
            where="`format`",
            hint="Omit `context=True`" if context else "Make it: `api.generate(MODEL, board=BOARD, out=DIR)`",
        )
    if evidence and (share_arena or context or chosen_format.needs_board):
        raise ProjectError(
            "`evidence` is about models with arenas of their own, exported as a library",
            hint="Omit `share_arena`, `context`, or choose another format",
        )
    if share_arena and context:
        raise ProjectError("`share_arena` and `context` exclude each other", hint="Contexts bring their own arenas")
    if len(given) > 1 and (data is not None or scaler is not None or labels is not None):
        raise ProjectError(
            "`data`, `scaler` and `labels` belong to one model, and several were given",
            hint="Quantize each first: `api.quantize(MODEL, data=D, out=FILE)`",
        )
    if not given:
        raise ProjectError("no models were given", hint="Pass at least one")
    loaded = [
        load_model(
            one,
            data,
            progress,
            quantize=quantize,
            activations=activations,
            split_outputs=split_outputs,
            front_ends="needed",
        )
        for one in given
    ]
    names = choose_names([model.graph.name for model in loaded], [name] if isinstance(name, str) else list(name))
    if evidence:
        from mcugen.flow.evidencing import check_board

        check_board(chosen.board)
    arena: Arena = "shared" if share_arena else "context" if context else "static"
    line = _command(loaded, chosen, chosen_format.name, names, optimize, arena)
    if chosen_format.needs_board:
        folder, facts = write_firmware(
            loaded, chosen, Path(out), names=names, command=line, goal=optimize, arena=arena, force=force
        )
        return Export(folder, facts, loaded)
    folder, facts, found = write_export(
        loaded,
        chosen,
        Path(out),
        format=chosen_format,
        names=names,
        command=line,
        labels=class_names,
        goal=optimize,
        arena=arena,
        evidence=evidence,
        force=force,
        progress=progress,
    )
    return Export(folder, facts, loaded, found)


def _command(
    models: Sequence[Model], chosen: Chosen, format: str, names: Sequence[str], goal: Goal | None, arena: Arena
) -> str:
    """The command for the banners of generated files, without this computer's folders."""
    sources = " ".join(shlex.quote(model.source) for model in models)
    where = f" --board {chosen.board.name}" if chosen.board else f" --core {chosen.core}"
    how = "" if all(model.trusted for model in models) else " --data random"
    how += f" --optimize {goal}" if goal is not None and goal != "balanced" else ""
    how += {"static": "", "shared": " --share-arena", "context": " --context"}[arena]
    called = "".join(f" --name {name}" for name in names)
    return f"mcugen export {sources} --as {format}{where if chosen.core != 'generic' else ''}{called}{how}"


def _render(console: Console, result: Export) -> None:
    from mcugen.text import number, size
    from mcugen.ui.quantization import show_report
    from mcugen.ui.terminal import grid, say_verdict

    facts = result.facts
    for model in result.models:
        if model.report is not None and model.quantized_here:
            show_report(console, model.report)
            console.print()
    rows = [
        (part.name, f"{part.title} · {part.ops} ops · {number(part.macs)} MACs · weights {size(part.weights)}")
        for part in facts.models
    ]
    rows.append(("arena", f"{size(result.arena)}, {_ARENAS[facts.arena]}"))
    readme = next(path for path in sorted(facts.files) if path.endswith("README.md"))
    rows.append(("next", f"{shlex.quote(str(result.folder / readme))} says how to use it"))
    console.print(grid(rows))
    for check in result.evidence.checks if result.evidence is not None else ():
        say_verdict(console, check.holds, f"{check.claim}: {check.found}")
    say_verdict(console, True, f"wrote {result.folder} as {facts.format} for {facts.core}, {len(facts.files)} files")


_ARENAS = {"static": "inputs and outputs included", "shared": "shared by all models", "context": "per instance"}

command = command_for(
    export,
    "Write models as a library for your own project: C, CMake, Arduino, ESP-IDF, Zephyr, …",
    _render,
    models=Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Models; several are linked together.", show_default=False),
    ],
    format=Spelling(options.Format),
    out=Spelling(options.OutDir, required=True),
    board=options.OptionalCoreBoard,
    name=Spelling(options.Name, default=None, value=lambda given: given or ()),
)

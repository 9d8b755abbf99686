"""`mcugen generate`: the PlatformIO project of a model, not yet built."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_scaler, takes_trust
from mcugen.names import Protocol
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.boards.types import Board
    from mcugen.flow.model import Model
    from mcugen.names import Activations, Goal, InputRows, Runtime
    from mcugen.progress import Progress
    from mcugen.project.project import Project
    from mcugen.runtimes.program import Program


@dataclass(frozen=True, eq=False, repr=False)
class Generated(Brief):
    """An emitted project and what it was made from."""

    project: Project
    model: Model
    plan: Program
    folder: Path
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        from mcugen.flow.proof import tflm_facts

        manifest = self.project.manifest
        return {
            "schema": "mcugen.generate/1",
            "mcugen": __version__,
            "model": {
                "name": manifest.model_name,
                "sha256": manifest.model_sha256,
                "source": self.model.source,
                "bytes": len(self.model.data),
                "ops": len(manifest.ops),
                "macs": manifest.macs,
            },
            "board": manifest.board,
            "runtime": manifest.runtime,
            "protocol": manifest.protocol,
            "trusted": self.model.trusted,
            "arena": manifest.arena_bytes,
            "arena_live_bound": manifest.live_bound,
            "weights": manifest.weight_bytes,
            "tflm": tflm_facts(self.plan),
            "warnings": list(self.plan.warnings),
            "project": str(self.folder),
            "files": sorted(manifest.files),
            "quantization": self.model.report.to_dict() if self.model.report else None,
        }


@takes_custom_ops
@takes_trust
@takes_scaler
def generate(
    model: object,
    *,
    board: str,
    linker_script: str | Path | None = None,
    out: str | Path,
    data: Any = None,
    scaler: Any = None,
    quantize: bool = True,
    activations: Activations = "int8",
    split_outputs: bool = False,
    labels: str | Sequence[str] | None = None,
    optimize: Goal | None = None,
    max_ram: int | None = None,
    reserve: str | Sequence[str] | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    keep_names: bool = False,
    model_slot: int = 0,
    arena: int = 0,
    tflm_build: str = "",
    plain: bool = False,
    protocol: Protocol = "mcugen",
    emulator: str | None = None,
    force: bool = False,
    rows: InputRows | None = None,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    progress: Progress | None = None,
) -> Generated:
    """Generate the project of a model for a board.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        board: board name, or path of a board's .toml file.
        linker_script: the chip's linker script, for the generic boards.
        out: folder of the project: absent, empty, or a project that mcugen generated.
        data: calibration data for a float model, see :func:`mcugen.convert.convert`.
        scaler: what the model's training data went through, so that data and device keep the features' own units: a
            .npz or .json file, a mapping, or a scikit-learn scaler; see :func:`mcugen.convert.scaler.read_scaler`.
        quantize: False runs a float model in float32.
        activations: "int8" or "int16", see :func:`mcugen.convert.convert`.
        split_outputs: parts of an output that differ much in size become outputs of their own (docs/QUANTIZATION.md).
        labels: class names: a text file, "a,b,c", or a sequence.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram".
        rows: "whole" (the default), or "pushed": the caller brings the input row by row (docs/MEMORY.md).
        reserve: "sram=32K", or several such: bytes, by name or kind of a memory, that the firmware leaves to you.
        max_ram: RAM limit of the firmware in bytes, for which it is made as fast as may be. Default: the board's RAM.
        runtime: "aot" (the default) or "tflm".
        tflm: path or name of TensorFlow Lite Micro, see :mod:`mcugen.runtimes.tflm.library`. Default: MCUGEN_TFLM_DIR.
        keep_names, model_slot, arena: see :class:`mcugen.runtimes.tflm.program.TflmOptions`.
        tflm_build: the build of a checkout: "release", "release_with_logs", "default" or "debug". Default: the first of
            these that is there.
        plain: of the TFLM runtime, resolver, array, arena and interpreter alone, without guards.
        protocol: protocol on the UART: "mcugen", or "mlperf" for the MLPerf Tiny runner.
        emulator: one that may add scripts of its own, see :func:`mcugen.emulators.emulators`.
        force: replace files even if they were edited.
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: the model cannot be used or does not fit the board, or `out` is not mcugen's.
    """
    from mcugen.boards.emulated import check_emulator
    from mcugen.boards.linker_script import with_linker_script
    from mcugen.builder.in_use import using
    from mcugen.flow.boards import named_board
    from mcugen.flow.labels import read_labels
    from mcugen.flow.memories import read_reserved
    from mcugen.flow.model import front_ends_for, load_model, plan_model
    from mcugen.flow.project import command_line, write_project
    from mcugen.flow.runtime import Choice

    choice = Choice(
        runtime=runtime,
        goal=optimize,
        rows=rows,
        max_ram=max_ram,
        tflm=tflm,
        keep_names=keep_names,
        slot_bytes=model_slot,
        arena_bytes=arena,
        tflm_build=tflm_build,
        plain=plain,
        reserve=read_reserved(reserve),
    )
    chosen, names = with_linker_script(named_board(board), linker_script), read_labels(labels)
    check_emulator(chosen, emulator, None)
    loaded = load_model(
        model,
        data,
        progress,
        choice.runtime,
        quantize=quantize,
        activations=activations,
        split_outputs=split_outputs,
        front_ends=front_ends_for(rows=rows, runtime=runtime),
    )
    plan = plan_model(loaded, chosen, choice)
    command = command_line("generate", loaded, plan, chosen) + (" --protocol mlperf" if protocol == "mlperf" else "")
    with using(Path(out), writing=True):
        project = write_project(
            loaded,
            plan,
            chosen,
            Path(out),
            command=command,
            labels=names,
            protocol=protocol,
            emulator=emulator,
            force=force,
        )
    return Generated(project, loaded, plan, Path(out))


def _render(console: Console, result: Generated) -> None:
    from mcugen.text import number, size
    from mcugen.ui.quantization import show_report
    from mcugen.ui.terminal import grid, say_note, say_verdict
    from mcugen.ui.tflm import tflm_rows

    manifest, report, folder = result.project.manifest, result.model.report, shlex.quote(str(result.folder))
    if report is not None and result.model.quantized_here:
        show_report(console, report)
        console.print()
    rows = [
        ("model", f"{manifest.model_name} · {len(manifest.ops)} ops · {number(manifest.macs)} MACs"),
        ("arena", f"{size(manifest.arena_bytes)}, inputs and outputs included"),
        ("weights", size(manifest.weight_bytes)),
        *tflm_rows(result.plan),
        ("next", f"mcugen build {folder}{_after(result.project.board, folder)}; or pio run in the folder"),
    ]
    console.print(grid(rows))
    for warning in result.plan.warnings:
        say_note(console, warning)
    say_verdict(console, True, f"wrote {result.folder} for {manifest.board}, {len(manifest.files)} files")


def _after(board: Board, folder: str) -> str:
    """What a built project can do next: only what its board can."""
    if board.emulator is not None:
        return f", mcugen verify {folder}"
    return f", mcugen flash {folder}" if board.flashing.tools else ""


command = command_for(
    generate,
    "Generate the PlatformIO project of a model.",
    _render,
    protocol=Annotated[
        Protocol,
        typer.Option(
            "--protocol",
            help="Protocol on the UART; mlperf is for the MLPerf Tiny runner.",
            rich_help_panel=options.ADVANCED,
        ),
    ],
)

"""The two runtimes behind one interface: what a user chooses, the program it leads to, the files it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mcugen import __version__
from mcugen.boards.types import Board
from mcugen.builder import fit_report
from mcugen.builder.blame import peak
from mcugen.convert import Converted
from mcugen.errors import DoesNotFitError, ProjectError
from mcugen.flow.memories import Reserved, arena_room, in_memories, no_room, reserved_in
from mcugen.graph import Graph
from mcugen.names import DEFAULT_GOAL, Goal, InputRows, Runtime
from mcugen.project.manifest import Manifest, plan_facts
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.runtimes.program import Program
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.library import BUILD_TYPES
from mcugen.runtimes.tflm.program import PLAIN_FILE, TflmOptions, TflmProgram, make_program
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite.opened import OpenedModel

_TRIES = 3
"""Limits of the arena that are tried to keep to a limit of RAM."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How a model is to run.

    Attributes:
        runtime: None where the user said nothing: a project knows its own, a model runs ahead of time.
        goal: what the ahead-of-time runtime optimizes for; None for the default.
        rows: how the input comes; None where the user said nothing.
        max_ram: RAM limit of the firmware in bytes; None for what the board has.
        tflm, keep_names, slot_bytes, arena_bytes, tflm_build, plain: see `mcugen.runtimes.tflm.program.TflmOptions`.
        reserve: bytes by memory that are the user's, see `mcugen.flow.memories.read_reserved`.
    """

    runtime: Runtime | None = None
    goal: Goal | None = None
    rows: InputRows | None = None
    max_ram: int | None = None
    tflm: str | None = None
    keep_names: bool = False
    slot_bytes: int = 0
    arena_bytes: int = 0
    tflm_build: str = ""
    plain: bool = False
    reserve: Reserved = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.runtime == "tflm" and self.goal is not None:
            raise ProjectError(
                "`optimize` applies to the ahead-of-time runtime only",
                hint="TFLM's kernels come prebuilt with its library: omit `optimize`",
            )
        if self.runtime == "tflm" and (self.rows == "pushed" or self.max_ram is not None):
            raise ProjectError(
                '`rows="pushed"` and `max_ram` apply to the ahead-of-time runtime only',
                hint="TFLM's interpreter runs layer after layer: omit them",
            )
        if self.runtime == "tflm" and self.reserve:
            raise ProjectError(
                "`reserve` applies to the ahead-of-time runtime only", hint="TFLM's arena lies in RAM: omit `reserve`"
            )
        if self.max_ram is not None and self.max_ram < 1:
            raise ProjectError("a limit of RAM is a positive number of bytes", where="`max_ram`")
        if self.runtime != "tflm" and (
            self.keep_names or self.slot_bytes or self.arena_bytes or self.tflm_build or self.plain
        ):
            raise ProjectError(
                "`keep_names`, `model_slot`, `arena`, `tflm_build` and `plain` apply to the TFLM runtime only",
                hint='Add `runtime="tflm"`',
            )
        if self.tflm_build and self.tflm_build not in BUILD_TYPES:
            raise ProjectError(f"{self.tflm_build!r} is no build of TFLM's", hint=f"Choose {', '.join(BUILD_TYPES)}")
        if self.slot_bytes < 0 or self.arena_bytes < 0:
            raise ProjectError("sizes in bytes cannot be negative")

    @property
    def is_tflm(self) -> bool:
        return self.runtime == "tflm"


def read_model(converted: Converted, runtime: Runtime) -> Graph:
    """What of a model the runtime runs: after all passes, or as the file has it.

    Raises:
        ModelError: the runtime cannot run it.
    """
    return read_opened(converted.model, converted.name, runtime, trusted=converted.report.trusted)


def read_opened(model: OpenedModel, name: str, runtime: Runtime, *, trusted: bool) -> Graph:
    """The same of a `.tflite`; `trusted` is False if it was quantized without real data."""
    if runtime == "tflm":
        return read_view(model, name).main
    return optimize(read_graph(model, name), made_up=not trusted)


def make(model: OpenedModel, graph: Graph, board: Board, choice: Choice) -> Program:
    """Everything that is decided about a model before its firmware is emitted.

    Raises:
        McugenError: the runtime cannot run the model on the board.
    """
    if not choice.is_tflm:
        return replace(_compiled(graph, board, choice), reserved=tuple(sorted(choice.reserve.items())))
    options = TflmOptions(
        choice.tflm,
        choice.keep_names,
        choice.slot_bytes,
        choice.arena_bytes,
        build_type=choice.tflm_build,
        plain=choice.plain,
    )
    return make_program(model, graph.name, board, options)


def _compiled(graph: Graph, board: Board, choice: Choice) -> Plan:
    """The plan of the goal; where it does not fit, the fastest one that does, if there is one.

    Raises:
        DoesNotFitError: no plan keeps to `max_ram`.
    """
    goal, pushed = choice.goal or DEFAULT_GOAL, choice.rows == "pushed"
    reserved = reserved_in(board, choice.reserve)
    plan = make_plan(graph, board.target(), goal, pushed)
    if board.placed:
        return _in_several(plan, board, choice, reserved)
    free = board.ram.size - reserved.get("ram", 0)
    most = min(free, choice.max_ram or free)
    limit = plan.arena_bytes
    # What pipelines count takes some bytes beside the arena, so that the first limit may be too high.
    for _ in range(_TRIES):
        missing = fit_report(plan, board).ram_needed - most
        if missing <= 0:
            return plan
        if plan.arena_bytes > limit:
            break  # it is the smallest one
        limit = max(1, plan.arena_bytes - missing)
        plan = make_plan(graph, board.target(), goal, pushed, limit)
    missing = fit_report(plan, board).ram_needed - most
    if reserved:
        _check_reserved(plan, board, reserved)
    if choice.max_ram is not None and missing > 0:
        widest = peak(plan)
        raise DoesNotFitError(
            f"the smallest plan that was found needs {missing:,} bytes of RAM more than `max_ram`: an arena of "
            f'{plan.arena_bytes:,} bytes, the most of it at {widest.kind} "{widest.layer}"',
            where=f"board {board.name}",
            hint="Allow more, or choose a smaller model"
            + ("" if pushed else ', or bring the input row by row: `rows="pushed"`'),
        )
    return plan


def _in_several(plan: Plan, board: Board, choice: Choice, reserved: Reserved) -> Plan:
    """The plan in the board's memories; where it does not fit, the fastest one that does, if there is one.

    Raises:
        DoesNotFitError: none does.
        ProjectError: a limit of RAM, of which there are several.
    """
    if choice.max_ram is not None:
        raise ProjectError(
            f"{board.name} has several RAMs, for which one limit says too little",
            where="`max_ram`",
            hint="Say what of each is yours: `reserve=dtcm=64K`",
        )
    goal, pushed = choice.goal or DEFAULT_GOAL, choice.rows == "pushed"
    limit = arena_room(board, plan, reserved)
    for _ in range(_TRIES):
        if plan.arena_bytes <= limit and (placed := in_memories(plan, board, reserved)) is not None:
            return placed
        smaller = make_plan(plan.graph, board.target(), goal, pushed, min(limit, max(1, plan.arena_bytes - 1)))
        if smaller.arena_bytes >= plan.arena_bytes:
            break
        plan = smaller
    raise no_room(plan, board, reserved)


def _check_reserved(plan: Plan, board: Board, reserved: Reserved) -> None:
    """Refuse a plan that leaves less than was reserved in flash or RAM."""
    fit = fit_report(plan, board)
    for name, needed, size in (("flash", fit.flash_needed, board.flash.size), ("ram", fit.ram_needed, board.ram.size)):
        left = size - needed
        if left < reserved.get(name, 0):
            raise DoesNotFitError(
                f"{reserved[name]:,} bytes are reserved in {name}, but the firmware leaves only {max(0, left):,}",
                where=f"board {board.name}",
                hint="Reserve less, or choose a smaller model",
            )


def remake(model: OpenedModel, graph: Graph, board: Board, manifest: Manifest, tflm: str | None) -> Program:
    """The program of a project, from its model and its manifest.

    Raises:
        ProjectError: the manifest does not belong to the model.
    """
    if manifest.runtime == "tflm":
        options = TflmOptions(
            tflm,
            manifest.names_kept,
            manifest.slot_bytes,
            manifest.arena_bytes,
            manifest.arena_exact,
            plain=f"lib/mcg_model/{PLAIN_FILE}" in manifest.files,
        )
        program: Program = make_program(model, graph.name, board, options, library=manifest.library)
    else:
        pushed, limit = manifest.rows == "pushed", manifest.arena_limit
        plan = make_plan(graph, board.target(), manifest.optimize, pushed, limit)
        placed = in_memories(plan, board, reserved_in(board, manifest.reserve)) or plan
        program = replace(placed, reserved=tuple(sorted(manifest.reserve.items())))
    facts = plan_facts(program)
    same_ops = facts["ops"] == manifest.ops if manifest.runtime == "aot" else len(facts["ops"]) == len(manifest.ops)
    if program.arena_bytes != manifest.arena_bytes or not same_ops:
        other = manifest.mcugen != __version__
        raise ProjectError(
            f"mcugen {__version__} plans this model differently from the version that generated the project"
            if other
            else "the project's code does not belong to its model file",
            hint="Generate the project again: `api.generate(MODEL, board=BOARD, out=DIR"
            + (", runtime='tflm')`" if manifest.runtime == "tflm" else ")`"),
        )
    return program


def library_files(program: Program, labels: Sequence[str], command: str) -> dict[str, str]:
    """The files of the model library, by path relative to its folder."""
    if isinstance(program, TflmProgram):
        return emit_tflm(program, labels=labels, command=command)
    assert isinstance(program, Plan)
    return emit_model(program, labels=labels, command=command)


def options_text(program: Program) -> str:
    """The options that lead to a program, as one writes them in a command."""
    if isinstance(program, TflmProgram):
        text = " --runtime tflm"
        text += " --keep-names" if program.names_kept else ""
        text += " --plain" if program.plain else ""
        return text + (f" --model-slot {program.slot_bytes}" if program.slot_bytes else "")
    text = f" --optimize {program.goal}" if program.goal != DEFAULT_GOAL else ""
    text += " --rows pushed" if program.rows == "pushed" else ""
    assert isinstance(program, Plan)
    return text + "".join(f" --reserve {name}={size}" for name, size in program.reserved)

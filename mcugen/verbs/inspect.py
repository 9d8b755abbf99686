"""`mcugen inspect`: what is in a model, what it needs, and which boards it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_trust
from mcugen.verbs.options import loading
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options
from mcugen.verbs.options.tuning import Reserve

if TYPE_CHECKING:
    from mcugen.boards.types import Board
    from mcugen.cost.estimate import Estimate
    from mcugen.flow.inspection import Inspection
    from mcugen.flow.model import Model
    from mcugen.flow.proof import Cost
    from mcugen.flow.runtime import Choice
    from mcugen.names import Goal, InputRows, Runtime
    from mcugen.progress import Progress
    from mcugen.runtimes.program import Program


@takes_custom_ops
@takes_trust
def inspect(
    model: object,
    *,
    board: str | None = None,
    optimize: Goal | None = None,
    rows: InputRows | None = None,
    reserve: str | Sequence[str] | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    measure: bool = False,
    data: Any = None,
    quantize: bool = True,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Read a model, plan it for every board, and report what it needs.

    Args:
        model: a model file, a SavedModel folder, or a Keras object. A float model is shown in its int8 form.
        board: show the kernels of this board. Default: the portable ones.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram".
        rows: "whole" (the default), or "pushed": the caller brings the input row by row (docs/MEMORY.md).
        reserve: "sram=32K", or several such: bytes, by name or kind of a memory of `board`, that are left to you.
        runtime: "aot" (the default) or "tflm".
        tflm: path or name of TensorFlow Lite Micro, see :mod:`mcugen.runtimes.tflm.library`. Default: MCUGEN_TFLM_DIR.
        measure: build the model for `board` and run it once in its emulator, to measure the cost of every op, and its
            cycles and time where the core has a timing; of a board without emulator these, by its core's twin.
        data: calibration data for a float model. Default: none, sizes follow from the shapes. Only with real data are
            channels left out that never change.
        quantize: False shows a float model in float32.
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: the model cannot be read, or has an op that cannot run; `measure` without a board, or one that
            has neither an emulator nor a core with a timing.
    """
    from mcugen.boards.emulated import named_emulator, require_model
    from mcugen.builder import fit_report
    from mcugen.cost.rules import core_timing
    from mcugen.errors import BoardError
    from mcugen.flow.boards import named_board
    from mcugen.flow.inspection import Inspection
    from mcugen.flow.memories import read_reserved
    from mcugen.flow.model import front_ends_for, load_model, naming
    from mcugen.flow.runtime import Choice
    from mcugen.progress import no_progress

    chosen = named_board(board) if board is not None else None
    if reserve and chosen is None:
        raise BoardError("`reserve` needs a board, whose memories it names", hint="Add `board=BOARD`")
    if measure and chosen is None:
        raise BoardError(
            "`measure=True` needs a board to measure on", hint="Add `board=BOARD`; `api.boards()` lists them"
        )
    if measure and chosen is not None and core_timing(chosen.cpu) is None:
        require_model(chosen, named_emulator(None))
    choice = Choice(runtime=runtime, goal=optimize, rows=rows, tflm=tflm, reserve=read_reserved(reserve))
    front_ends = front_ends_for(rows=rows, runtime=runtime)
    loaded = load_model(model, data, progress, runtime, quantize=quantize, sizes_only=True, front_ends=front_ends)
    with naming(model):
        plan, plans, left_out = _tflm_plans(loaded, chosen, tflm) if choice.is_tflm else _plans(loaded, chosen, choice)
    fits = tuple(fit_report(each, board) for board, each in plans)
    cost, estimated = (None, None)
    if measure and chosen:
        cost, estimated = _measure(loaded, plan, chosen, tflm, progress or no_progress)
    return Inspection(loaded, plan, fits, left_out, chosen, cost, estimated)


Plans = tuple["Program", list[tuple["Board", "Program"]], tuple[str, ...]]
"""The plan that is shown, that of every board, and the names of boards without one."""


def _plans(model: Model, chosen: Board | None, choice: Choice) -> Plans:
    from mcugen.flow.boards import known_boards
    from mcugen.flow.memories import in_memories, reserved_in
    from mcugen.flow.model import plan_per_board, with_app
    from mcugen.names import DEFAULT_GOAL
    from mcugen.ops.base import Target
    from mcugen.runtimes.aot.plan import make_plan

    goal = choice.goal or DEFAULT_GOAL
    pushed = choice.rows == "pushed"
    boards: list[tuple[Board, Program]] = [*plan_per_board(model, known_boards(), goal, pushed)]
    plan = make_plan(model.graph, chosen.target() if chosen else Target(), goal, pushed)
    if chosen is not None:
        plan = in_memories(plan, chosen, reserved_in(chosen, choice.reserve)) or plan
    return with_app(plan, model.app), boards, ()


def _tflm_plans(model: Model, chosen: Board | None, tflm: str | None) -> Plans:
    from mcugen.boards.shipped import load_boards
    from mcugen.errors import ToolError
    from mcugen.runtimes.tflm.library import choose_library, runs_on
    from mcugen.runtimes.tflm.program import TflmOptions, make_program, prepare

    options, name = TflmOptions(tflm), model.graph.name
    prepared = prepare(model.opened, name, options)
    boards: list[tuple[Board, Program]] = []
    left_out = []
    for board in load_boards().values():
        if not runs_on(board):
            continue
        try:
            choose_library(board, tflm)
        except ToolError:
            left_out.append(board.name)
            continue
        boards.append((board, make_program(model.opened, name, board, options, prepared=prepared)))
    if chosen is not None:
        return make_program(model.opened, name, chosen, options, prepared=prepared), boards, tuple(left_out)
    if not boards:
        choose_library(load_boards()[left_out[0]], tflm)  # what is named is no TFLM: says so
    return max((plan for _, plan in boards), key=lambda plan: plan.arena_bytes), boards, tuple(left_out)


def _measure(
    model: Model, plan: Program, board: Board, tflm: str | None, progress: Progress
) -> tuple[Cost | None, Estimate]:
    """What one inference costs on the emulated board, and its cycles; of a board without emulator these alone."""
    from mcugen.device.connecting import open_device
    from mcugen.flow.estimating import estimate_emulated, estimate_planned
    from mcugen.flow.proof import measure
    from mcugen.flow.ready import built_temporarily
    from mcugen.oracle import make_inputs
    from mcugen.progress import share_of

    if board.emulator is None:
        return None, estimate_planned(model, [(board, plan)], tflm, progress)[0]
    sample = make_inputs(model.graph, 1, 0)[0]
    with (
        built_temporarily(model, plan, board, tflm, progress) as ready,
        open_device(ready.firmware.elf, board, model_sha256=model.graph.sha256) as device,
    ):
        cost = measure(device, sample, share_of(progress, "measuring"))
        progress("counting cycles", -1.0)
        return cost, estimate_emulated(ready, sample)


def command(
    model: options.Model,
    board: Annotated[
        str | None,
        typer.Option("--board", "-b", metavar="BOARD", show_default=False, help="Show the kernels for this board."),
    ] = None,
    optimize: options.Optimize = None,
    rows: options.Rows = None,
    reserve: Reserve = None,
    runtime: options.RuntimeName = None,
    tflm: options.Tflm = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Build for the board, run it in an emulator, and show the cost of every layer."),
    ] = False,
    data: options.Data = None,
    no_quantize: options.NoQuantize = False,
    custom_op: options.CustomOps = None,
    trust_model: options.TrustModel = False,
    custom_objects: options.CustomObjects = None,
    input_shape: options.InputShape = None,
    signature: loading.Signature = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Only list the ops that do not run, with the alternatives for each.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Show a model's layers, what it needs, and which boards it fits."""
    from mcugen.ui.inspection import show_inspection
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    if fallback:
        from mcugen.flow.survey import find_fallbacks
        from mcugen.ui.fallback import show_fallback

        found = find_fallbacks(
            model,
            quantize=not no_quantize,
            custom_ops=custom_op or (),
            trust_model=trust_model,
            custom_objects=custom_objects,
            input_shape=input_shape,
            signature=signature,
        )
        return terminal.show(found, lambda console: show_fallback(console, found))
    with terminal.progress() as progress:
        result = inspect(
            model,
            board=board,
            optimize=optimize,
            rows=rows,
            reserve=reserve,
            runtime=runtime,
            tflm=tflm,
            measure=measure,
            data=data,
            quantize=not no_quantize,
            custom_ops=custom_op or (),
            trust_model=trust_model,
            custom_objects=custom_objects,
            input_shape=input_shape,
            signature=signature,
            progress=progress,
        )
    return terminal.show(result, lambda console: show_inspection(console, result))

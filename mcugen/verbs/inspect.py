"""`mcugen inspect`: what is in a model, what it needs, and which boards it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from mcugen import __version__
from mcugen.verbs import _options as options
from mcugen.verbs._custom import takes_custom_ops

if TYPE_CHECKING:
    from mcugen.boards import Board
    from mcugen.build.fit import Fit
    from mcugen.goals import Goal
    from mcugen.graph import Tensor
    from mcugen.plan.types import Program, ProgramStep
    from mcugen.runtimes import Runtime
    from mcugen.ui.terminal import Progress
    from mcugen.verbs._pipeline import Model
    from mcugen.verbs._proof import Cost
    from mcugen.verbs._runtime import Choice


@dataclass(frozen=True, eq=False)
class Inspection:
    """A model's ops, its needs, and the boards.

    Attributes:
        plan: for the board's core, or for one without extensions; MACs are the same on every core. Of the TFLM runtime
            without a board, the one with the largest arena.
        fits: what the model needs on each board and whether that is there.
        left_out: boards whose core the runtime does not know.
        quantized_here: the model came as float, so what is shown is its int8 form.
        board: the board that the plan is for, if one was named.
        cost: what an inference costs on that board, if it was measured.
    """

    model: Model
    plan: Program
    fits: tuple[Fit, ...]
    quantized_here: bool
    left_out: tuple[str, ...] = ()
    board: Board | None = None
    cost: Cost | None = None
    exit_code: int = 0

    @property
    def weights(self) -> int:
        """Bytes of all constants."""
        return sum(self.plan.constant_sizes())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person may want to know about the model and the boards."""
        unknown = f"TensorFlow Lite Micro's Makefile does not know the core of {', '.join(self.left_out)}"
        return (*self.model.graph.notes, *self.plan.warnings, *((unknown,) if self.left_out else ()))

    def to_dict(self) -> dict[str, Any]:
        from mcugen.verbs._proof import tflm_facts

        model, plan = self.model, self.plan
        return {
            "schema": "mcugen.inspect/1",
            "mcugen": __version__,
            "model": {
                "name": model.graph.name,
                "sha256": model.graph.sha256,
                "source": model.source,
                "bytes": len(model.data),
                "ops": len(plan.steps),
                "macs": plan.macs,
            },
            "board": self.board.name if self.board else None,
            "runtime": plan.runtime,
            "optimize": plan.goal,
            "cost": {"unit": self.cost.unit, "invoke": self.cost.invoke} if self.cost else None,
            "trusted": model.trusted,
            "quantized_here": self.quantized_here,
            "inputs": [_tensor_facts(tensor) for tensor in plan.input_tensors()],
            "outputs": [_tensor_facts(tensor) for tensor in plan.output_tensors()],
            "arena": plan.arena_bytes,
            "arena_live_bound": plan.live_bound,
            "weights": self.weights,
            "ops": [_op_facts(self, number, step) for number, step in enumerate(plan.steps)],
            "boards": [
                {**asdict(fit), "flash_needed": fit.flash_needed, "ram_needed": fit.ram_needed, "fits": fit.fits}
                for fit in self.fits
            ],
            "tflm": tflm_facts(plan),
            "notes": list(self.notes),
            "quantization": model.report.to_dict() if model.report else None,
        }


@takes_custom_ops
def inspect(
    model: object,
    *,
    board: str | None = None,
    optimize: Goal | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    measure: bool = False,
    data: Any = None,
    quantize: bool = True,
    custom_ops: Sequence[str] = (),
    progress: Progress | None = None,
) -> Inspection:
    """Read a model, plan it for every board, and say what it needs.

    Args:
        model: a model file, a SavedModel folder, or a Keras object. Of a float model its int8 form is shown.
        board: the board whose kernels are shown; without it the portable ones.
        optimize: "speed" (the default), "size" of the code, or "ram".
        runtime: "aot" (the default) or "tflm".
        tflm: where TensorFlow Lite Micro is, see :mod:`mcugen.tflm.library`; None takes MCUGEN_TFLM_DIR.
        measure: build the model for `board` and run it once, emulated, to tell what every op costs.
        data: calibration data for a float model. Without it random data serve: what a model needs does not depend on
            the calibration.
        quantize: False shows a float model as it is, in float32.
        custom_ops: kernels of the user's own, NAME=path/kernel.c each, see docs/CUSTOM_OPS.md.

    Raises:
        McugenError: the model cannot be read, or has an op that cannot run; `measure` without a board, or one that
            has no emulator.
    """
    from mcugen.boards import load_board
    from mcugen.build import fit_report
    from mcugen.errors import BoardError
    from mcugen.verbs._pipeline import load_model, naming, no_progress
    from mcugen.verbs._runtime import Choice

    chosen = load_board(board) if board is not None else None
    if measure and chosen is None:
        raise BoardError("--measure needs a board to measure on", hint="Add --board BOARD; mcugen boards lists them")
    choice = Choice(runtime, optimize, tflm)
    if quantize and data is None and is_float(model):
        data = "random"
    loaded = load_model(model, data, progress, runtime, quantize=quantize)
    with naming(model):
        plan, plans, left_out = _tflm_plans(loaded, chosen, tflm) if choice.is_tflm else _plans(loaded, chosen, choice)
    fits = tuple(fit_report(each, board) for board, each in plans)
    quantized_here = loaded.report is not None and loaded.report.calibration.kind != "none"
    cost = _measure(loaded, plan, chosen, tflm, progress or no_progress) if measure and chosen else None
    return Inspection(loaded, plan, fits, quantized_here, left_out, chosen, cost)


Plans = tuple["Program", list[tuple["Board", "Program"]], tuple[str, ...]]
"""The plan that is shown, that of every board, and the names of boards without one."""


def _plans(model: Model, chosen: Board | None, choice: Choice) -> Plans:
    from mcugen.ops.base import Target
    from mcugen.plan import make_plan
    from mcugen.verbs._pipeline import known_boards, plan_per_board

    goal = choice.goal or "speed"
    boards: list[tuple[Board, Program]] = [*plan_per_board(model.graph, known_boards(), goal)]
    return make_plan(model.graph, chosen.target() if chosen else Target(), goal), boards, ()


def _tflm_plans(model: Model, chosen: Board | None, tflm: str | None) -> Plans:
    from mcugen.boards import load_boards
    from mcugen.errors import ToolError
    from mcugen.tflm.library import choose_library
    from mcugen.tflm.program import TflmOptions, make_program, prepare

    options, name = TflmOptions(tflm), model.graph.name
    prepared = prepare(model.data, name, options)
    boards: list[tuple[Board, Program]] = []
    left_out = []
    for board in load_boards().values():
        if board.own_linker_script or board.framework is not None:
            continue  # this runtime is not made for them
        try:
            choose_library(board, tflm)
        except ToolError:
            left_out.append(board.name)
            continue
        boards.append((board, make_program(model.data, name, board, options, prepared=prepared)))
    if chosen is not None:
        return make_program(model.data, name, chosen, options, prepared=prepared), boards, tuple(left_out)
    if not boards:
        choose_library(load_boards()[left_out[0]], tflm)  # what is named is no TFLM: says so
    return max((plan for _, plan in boards), key=lambda plan: plan.arena_bytes), boards, tuple(left_out)


def _measure(model: Model, plan: Program, board: Board, tflm: str | None, progress: Progress) -> Cost:
    """What one inference costs on the emulated board."""
    from mcugen.device.device import open_device
    from mcugen.verbs._pipeline import built_temporarily
    from mcugen.verbs._proof import measure
    from mcugen.verify import make_inputs

    with built_temporarily(model, plan, board, tflm, progress) as ready:
        progress("measuring", -1.0)
        with open_device(ready.firmware.elf, board, model_sha256=model.graph.sha256) as device:
            return measure(device, make_inputs(model.graph, 1, 0)[0])


def is_float(model: object) -> bool:
    """Whether a model has to be quantized before its sizes are known."""
    from mcugen.convert.inspect_source import inspect_model
    from mcugen.convert.sources import identify
    from mcugen.graph.schema import unpack_model

    found = identify(model)
    return found.kind != "tflite" or inspect_model(unpack_model(found.data)).form != "quantized"


def _tensor_facts(tensor: Tensor) -> dict[str, Any]:
    quant = tensor.quant
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value,
        "scales": len(quant.scale) if quant else 0,
        "scale": quant.scale[0] if quant and not quant.per_channel else None,
        "zero_point": quant.zero_point[0] if quant and not quant.per_channel else None,
    }


def _op_facts(found: Inspection, number: int, step: ProgramStep) -> dict[str, Any]:
    from mcugen.verbs._proof import cost_per_mac

    graph, op = found.plan.graph, step.op
    cost = found.cost.per_op[number] if found.cost else None
    return {
        "op": number,
        "index": op.index,
        "kind": op.kind,
        "name": op.name,
        "macs": step.macs,
        "kernels": step.kernels,
        "variant": step.variant,
        "why_not_faster": step.why_not_faster,
        "cost": cost,
        "cost_per_mac": cost_per_mac(cost, step.macs) if cost is not None else None,
        "inputs": [_tensor_facts(graph.tensor(i)) for i in op.inputs if i >= 0],
        "outputs": [_tensor_facts(graph.tensor(i)) for i in op.outputs],
    }


def command(
    model: options.Model,
    board: Annotated[
        Optional[str],  # noqa: UP045 (Typer reads it at run time, on Python 3.10 too)
        typer.Option("--board", "-b", metavar="BOARD", show_default=False, help="Show the kernels for this board."),
    ] = None,
    optimize: options.Optimize = None,
    runtime: options.RuntimeName = None,
    tflm: options.Tflm = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Build it for the board and run it there, emulated: cost per layer.")
    ] = False,
    data: options.Data = None,
    no_quantize: options.NoQuantize = False,
    custom_op: options.CustomOps = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Only tell which ops do not run, and what would work for each.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Show a model's layers, what it needs, and which boards it fits."""
    from mcugen.ui.inspection import show_inspection
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json)
    if fallback:
        from mcugen.ui.fallback import show_fallback
        from mcugen.verbs._fallback import find_fallbacks

        found = find_fallbacks(model, quantize=not no_quantize, custom_ops=custom_op or ())
        return terminal.show(found, lambda console: show_fallback(console, found))
    with terminal.progress() as progress:
        result = inspect(
            model,
            board=board,
            optimize=optimize,
            runtime=runtime,
            tflm=tflm,
            measure=measure,
            data=data,
            quantize=not no_quantize,
            custom_ops=custom_op or (),
            progress=progress,
        )
    return terminal.show(result, lambda console: show_inspection(console, result))

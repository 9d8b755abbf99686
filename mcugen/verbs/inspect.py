"""`mcugen inspect`: what is in a model, what it needs, and which boards it fits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from mcugen import __version__
from mcugen.verbs import _options as options

if TYPE_CHECKING:
    from mcugen.boards import Board
    from mcugen.build.fit import Fit
    from mcugen.goals import Goal
    from mcugen.graph import Tensor
    from mcugen.plan import Plan, Step
    from mcugen.ui.terminal import Progress
    from mcugen.verbs._pipeline import Model
    from mcugen.verbs._proof import Cost


@dataclass(frozen=True, eq=False)
class Inspection:
    """A model's ops, its needs, and the boards.

    Attributes:
        plan: for the board's core, or for one without extensions; MACs are the same on every core.
        fits: what the model needs on each board and whether that is there.
        quantized_here: the model came as float, so what is shown is its int8 form.
        board: the board that the plan is for, if one was named.
        cost: what an inference costs on that board, if it was measured.
    """

    model: Model
    plan: Plan
    fits: tuple[Fit, ...]
    quantized_here: bool
    board: Board | None = None
    cost: Cost | None = None
    exit_code: int = 0

    @property
    def weights(self) -> int:
        """Bytes of all constants."""
        return sum(self.plan.constant_sizes())

    def to_dict(self) -> dict[str, Any]:
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
            "boards": [{**asdict(fit), "flash_needed": fit.flash_needed, "ram_needed": fit.ram_needed,
                        "fits": fit.fits} for fit in self.fits],
            "notes": list(model.graph.notes),
            "quantization": model.report.to_dict() if model.report else None,
        }  # fmt: skip


def inspect(
    model: object,
    *,
    board: str | None = None,
    optimize: Goal | None = None,
    measure: bool = False,
    data: Any = None,
    quantize: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Read a model, plan it for every board, and say what it needs.

    Args:
        model: a model file, a SavedModel folder, or a Keras object. Of a float model its int8 form is shown.
        board: the board whose kernels are shown; without it the portable ones.
        optimize: "speed" (the default), "size" of the code, or "ram".
        measure: build the model for `board` and run it once, emulated, to tell what every op costs.
        data: calibration data for a float model. Without it random data serve: what a model needs does not depend on
            the calibration.
        quantize: False shows a float model as it is, in float32.

    Raises:
        McugenError: the model cannot be read, or has an op that cannot run; `measure` without a board, or one that
            has no emulator.
    """
    from mcugen.boards import load_board, load_boards
    from mcugen.build import fit_report
    from mcugen.errors import BoardError
    from mcugen.ops.base import Target
    from mcugen.plan import make_plan
    from mcugen.verbs._pipeline import load_model, no_progress

    chosen = load_board(board) if board is not None else None
    if measure and chosen is None:
        raise BoardError("--measure needs a board to measure on", hint="Add --board BOARD; mcugen boards lists them")
    goal = optimize or "speed"
    if quantize and data is None and _is_float(model):
        data = "random"
    loaded = load_model(model, data, progress, quantize=quantize)
    plans: dict[Target, Plan] = {}
    fits = []
    for each in load_boards().values():
        target = each.target()
        if target not in plans:
            plans[target] = make_plan(loaded.graph, target, goal)
        fits.append(fit_report(plans[target], each))
    plan = make_plan(loaded.graph, chosen.target() if chosen else Target(), goal)
    quantized_here = loaded.report is not None and loaded.report.calibration.kind != "none"
    cost = _measure(loaded, plan, chosen, progress or no_progress) if measure and chosen else None
    return Inspection(loaded, plan, tuple(fits), quantized_here, chosen, cost)


def _measure(model: Model, plan: Plan, board: Board, progress: Progress) -> Cost:
    """What one inference costs on the emulated board."""
    from mcugen.device.device import open_device
    from mcugen.verbs._pipeline import built_temporarily
    from mcugen.verbs._proof import measure
    from mcugen.verify import make_inputs

    with built_temporarily(model, plan, board, None, progress) as ready:
        progress("measuring", -1.0)
        with open_device(ready.firmware.elf, board, model_sha256=model.graph.sha256) as device:
            return measure(device, make_inputs(model.graph, 1, 0)[0])


def _is_float(model: object) -> bool:
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


def _op_facts(found: Inspection, number: int, step: Step) -> dict[str, Any]:
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
    measure: Annotated[
        bool, typer.Option("--measure", help="Build it for the board and run it there, emulated: cost per layer.")
    ] = False,
    data: options.Data = None,
    no_quantize: options.NoQuantize = False,
    json: options.Json = False,
) -> int:
    """Show a model's layers, what it needs, and which boards it fits."""
    from mcugen.ui.inspection import show_inspection
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json)
    with terminal.progress() as progress:
        result = inspect(
            model, board=board, optimize=optimize, measure=measure, data=data, quantize=not no_quantize,
            progress=progress,
        )
    return terminal.show(result, lambda console: show_inspection(console, result))

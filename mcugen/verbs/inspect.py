"""`mcugen inspect`: what is in a model, what it needs, and which boards it fits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.verbs import _options as options

if TYPE_CHECKING:
    from mcugen.build.fit import Fit
    from mcugen.graph import Tensor
    from mcugen.plan import Plan, Step
    from mcugen.ui.terminal import Progress
    from mcugen.verbs._pipeline import Model


@dataclass(frozen=True, eq=False)
class Inspection:
    """A model's ops, its needs, and the boards.

    Attributes:
        plan: for a core without extensions; memory and MACs are the same on every core.
        fits: what the model needs on each board and whether that is there.
        quantized_here: the model came as float, so what is shown is its int8 form.
    """

    model: Model
    plan: Plan
    fits: tuple[Fit, ...]
    quantized_here: bool
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
            "trusted": model.trusted,
            "quantized_here": self.quantized_here,
            "inputs": [_tensor_facts(tensor) for tensor in plan.input_tensors()],
            "outputs": [_tensor_facts(tensor) for tensor in plan.output_tensors()],
            "arena": plan.arena_bytes,
            "arena_live_bound": plan.live_bound,
            "weights": self.weights,
            "ops": [_op_facts(plan, number, step) for number, step in enumerate(plan.steps)],
            "boards": [{**asdict(fit), "flash_needed": fit.flash_needed, "ram_needed": fit.ram_needed,
                        "fits": fit.fits} for fit in self.fits],
            "notes": list(model.graph.notes),
            "quantization": model.report.to_dict() if model.report else None,
        }  # fmt: skip


def inspect(model: object, *, data: Any = None, progress: Progress | None = None) -> Inspection:
    """Read a model, plan it for every board, and say what it needs.

    Args:
        model: a model file, a SavedModel folder, or a Keras object. Of a float model its int8 form is shown.
        data: calibration data for a float model. Without it random data serve: what a model needs does not depend on
            the calibration.

    Raises:
        McugenError: the model cannot be read, or has an op that cannot run.
    """
    from mcugen.boards import load_boards
    from mcugen.build import fit_report
    from mcugen.ops.base import Target
    from mcugen.plan import make_plan
    from mcugen.verbs._pipeline import load_model

    if data is None and _is_float(model):
        data = "random"
    loaded = load_model(model, data, progress)
    plans: dict[Target, Plan] = {}
    fits = []
    for board in load_boards().values():
        target = board.target()
        if target not in plans:
            plans[target] = make_plan(loaded.graph, target)
        fits.append(fit_report(plans[target], board))
    plan = make_plan(loaded.graph, Target())
    quantized_here = loaded.report is not None and loaded.report.calibration.kind != "none"
    return Inspection(loaded, plan, tuple(fits), quantized_here)


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


def _op_facts(plan: Plan, number: int, step: Step) -> dict[str, Any]:
    graph, op = plan.graph, step.op
    return {
        "op": number,
        "index": op.index,
        "kind": op.kind,
        "name": op.name,
        "macs": step.macs,
        "kernels": step.kernels,
        "inputs": [_tensor_facts(graph.tensor(i)) for i in op.inputs if i >= 0],
        "outputs": [_tensor_facts(graph.tensor(i)) for i in op.outputs],
    }


def command(model: options.Model, data: options.Data = None, json: options.Json = False) -> int:
    """Show a model's layers, what it needs, and which boards it fits."""
    from mcugen.ui.inspection import show_inspection
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json)
    with terminal.progress() as progress:
        result = inspect(model, data=data, progress=progress)
    return terminal.show(result, lambda console: show_inspection(console, result))

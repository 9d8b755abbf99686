"""What `inspect` finds out about a model, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.text import Brief

if TYPE_CHECKING:
    from mcugen.boards.types import Board
    from mcugen.builder.fit import Fit
    from mcugen.cost.estimate import Estimate
    from mcugen.flow.model import Model
    from mcugen.flow.proof import Cost
    from mcugen.graph import Tensor
    from mcugen.runtimes.aot.plan.types import Plan
    from mcugen.runtimes.program import Program, ProgramStep


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Brief):
    """A model's ops, its needs, and the boards.

    Attributes:
        plan: for the board's core, or for one without extensions; MACs are the same on every core. Of the TFLM runtime
            without a board, the one with the largest arena.
        fits: what the model needs on each board and whether that is there.
        left_out: boards whose core the runtime does not know.
        board: the board that the plan is for, if one was named.
        cost: what an inference costs on that board, if it was measured.
        estimated: its cycles, time and energy there, or why they are not known; None if they were not asked for.
    """

    model: Model
    plan: Program
    fits: tuple[Fit, ...]
    left_out: tuple[str, ...] = ()
    board: Board | None = None
    cost: Cost | None = None
    estimated: Estimate | None = None
    exit_code: int = 0

    @property
    def quantized_here(self) -> bool:
        """The model came as float, so what is shown is its int8 form."""
        return self.model.quantized_here

    @property
    def weights(self) -> int:
        """Bytes of all constants."""
        return sum(self.plan.constant_sizes())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person may want to know about the model and the boards."""
        unknown = f"TensorFlow Lite Micro's Makefile does not know the core of {', '.join(self.left_out)}"
        from mcugen.runtimes.aot.plan.types import Plan

        rows = row_notes(self.plan) if isinstance(self.plan, Plan) else []
        first = (self.model.first.note,) if self.model.first is not None else ()
        return (*first, *self.model.graph.notes, *self.plan.warnings, *rows, *((unknown,) if self.left_out else ()))

    def to_dict(self) -> dict[str, Any]:
        from mcugen.flow.memories import memory_facts
        from mcugen.flow.proof import tflm_facts

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
            "estimate": self.estimated.to_dict() if self.estimated else None,
            "trusted": model.trusted,
            "quantized_here": self.quantized_here,
            "inputs": [_tensor_facts(tensor, model) for tensor in plan.input_tensors()],
            "outputs": [_tensor_facts(tensor, model) for tensor in plan.output_tensors()],
            "arena": plan.arena_bytes,
            "arena_live_bound": plan.live_bound,
            "weights": self.weights,
            "ops": [_op_facts(self, number, step) for number, step in enumerate(plan.steps)],
            "boards": [fit.to_dict() for fit in self.fits],
            "tflm": tflm_facts(plan),
            "memories": memory_facts(plan, {}),
            "notes": list(self.notes),
            "quantization": model.report.to_dict() if model.report else None,
        }


def row_notes(plan: Plan) -> list[str]:
    """What each pipeline keeps of the tensors between its layers."""
    notes = []
    for pipeline in plan.pipelines:
        steps = plan.steps[pipeline.first : pipeline.last + 1]
        made = [plan.graph.output_of(step.op) for step in steps]
        rows = {ring.tensor: ring.rows for ring in pipeline.rings}
        between = [t for t in made if len(t.shape) == 4 and rows[t.id] < t.shape[1]]
        kept = sum(t.nbytes // t.shape[1] * rows[t.id] for t in between)
        stripes = sum(step.stripes.count for step in steps if step.stripes)
        notes.append(
            f"rows flow through ops {pipeline.first} to {pipeline.last} in {stripes:,} stripes: of the tensors between "
            f"them {kept:,} bytes are kept, not {sum(t.nbytes for t in between):,}"
        )
    return notes


def _tensor_facts(tensor: Tensor, model: Model) -> dict[str, Any]:
    quant = tensor.quant
    known = model.trusted and quant is not None and not quant.per_channel
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value,
        "scales": len(quant.scale) if quant else 0,
        "scale": quant.scale[0] if quant and known else None,
        "zero_point": quant.zero_point[0] if quant and known else None,
    }


def _op_facts(found: Inspection, number: int, step: ProgramStep) -> dict[str, Any]:
    from mcugen.flow.proof import cost_per_mac

    graph, op = found.plan.graph, step.op
    cost = found.cost.per_op[number] if found.cost else None
    estimated = found.estimated.per_op[number] if found.estimated and found.estimated.per_op else None
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
        "cycles": estimated.cycles.whole() if estimated else None,
        "time_ms": estimated.time_ms.rounded(4) if estimated and estimated.time_ms else None,
        "inputs": [_tensor_facts(graph.tensor(i), found.model) for i in op.inputs if i >= 0],
        "outputs": [_tensor_facts(graph.tensor(i), found.model) for i in op.outputs],
    }

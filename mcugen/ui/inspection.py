"""How `inspect` shows a model."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from mcugen.flow.inspection import Inspection
from mcugen.flow.memories import memory_facts
from mcugen.graph import Graph, Tensor
from mcugen.graph.repeats import in_rounds
from mcugen.ops.common import describe
from mcugen.runtimes.program import ProgramStep
from mcugen.text import memory, number, per_mac, share, size
from mcugen.ui.cost import time_rows
from mcugen.ui.memories import show_memories
from mcugen.ui.proof import say_why_not_faster
from mcugen.ui.terminal import columns, grid, say_note
from mcugen.ui.tflm import tflm_rows


def show_inspection(console: Console, found: Inspection) -> None:
    plan, graph = found.plan, found.plan.graph
    rows = [("model", f"{graph.name}, {size(len(found.model.data))} as int8 .tflite")]
    known = found.model.trusted
    rows += [("input", _described(tensor, known)) for tensor in plan.input_tensors()]
    rows += [("output", _described(tensor, known)) for tensor in plan.output_tensors()]
    rows += [
        ("work", f"{number(plan.macs)} MACs in {len(plan.steps)} ops"),
        ("weights", size(found.weights)),
        ("arena", f"{size(plan.arena_bytes)}, inputs and outputs included"),
    ]
    if found.board and found.cost:
        cost = f"{number(found.cost.invoke)} {found.cost.unit} per inference"
        rows += [(found.board.name, f"{cost} ({per_mac(found.cost.invoke, plan.macs)} per MAC)")]
    rows += time_rows(found.estimated)
    rows += tflm_rows(plan)
    rows += [("note", note) for note in found.notes]
    console.print(grid(rows))
    console.print()
    wide = console.width >= 100
    cells = [
        (
            *_op_row(graph, [plan.steps[n] for n in rounds], wide, found.board is None),
            *_kernel_cells(found, rounds[0]),
            *_cost_cells(found, rounds),
        )
        for rounds in in_rounds(graph, [step.op for step in plan.steps])
    ]
    headings = ["", "op", "layer", "output", "weights", "MACs"] if wide else ["", "op", "output", "MACs"]
    if wide and found.board:
        headings.remove("weights")  # kernels take their place
    numbers = [0, len(headings) - 1]
    headings += ["kernel"] if found.board else []
    unit = "cycles" if found.estimated and found.estimated.per_op else found.cost.unit if found.cost else ""
    if unit:
        numbers += [len(headings), len(headings) + 1]
        headings += [unit, "per MAC"]
    console.print(columns(headings, cells, right=numbers))
    if found.board:
        say_why_not_faster(console, plan.steps)
    console.print()
    if (facts := memory_facts(plan, {})) is not None:
        show_memories(console, facts)
        console.print()
    boards = [
        (
            "fits" if fit.fits else "–",
            fit.board,
            f"{number(fit.flash_needed)} B, {share(fit.flash_needed, fit.flash_available)} of "
            f"{memory(fit.flash_available)}",
            f"{number(fit.ram_needed)} B, {share(fit.ram_needed, fit.ram_available)} of {memory(fit.ram_available)}",
        )
        for fit in found.fits
    ]
    console.print(columns(("", "board", "flash, about", "RAM, about"), boards, whole=(0, 1)))
    if found.quantized_here and not found.model.trusted:
        say_note(console, "a float model: its int8 form is shown, with made-up scales, for its sizes")


def _kernel_cells(found: Inspection, op: int) -> tuple[str, ...]:
    """The kernel of an op, if it is for a board."""
    return (found.plan.steps[op].variant,) if found.board is not None else ()


def _cost_cells(found: Inspection, rounds: Sequence[int]) -> tuple[str, ...]:
    """What an op costs on the board in all its rounds, in cycles where known; nothing if it was not measured."""
    if found.estimated is not None and found.estimated.per_op:
        cost = sum(round(found.estimated.per_op[n].cycles.nominal) for n in rounds)
    elif found.cost is not None:
        cost = sum(found.cost.per_op[n] for n in rounds)
    else:
        return ()
    return number(cost), per_mac(cost, sum(found.plan.steps[n].macs for n in rounds))


def _described(tensor: Tensor, known: bool) -> str:
    quant = tensor.quant
    if quant is None or not known:
        quantization = ""
    elif quant.per_channel:
        quantization = f", {len(quant.scale)} scales"
    else:
        quantization = f", scale {quant.scale[0]:.6g}, zero point {quant.zero_point[0]}"
    return f"{tensor.name} {describe(tensor)}{quantization}"


def _op_row(graph: Graph, rounds: Sequence[ProgramStep], wide: bool, with_weights: bool) -> tuple[str, ...]:
    """An op, or one that an unrolled layer has in every round."""
    op = rounds[0].op
    index, macs = str(op.index), number(sum(step.macs for step in rounds))
    output = describe(graph.output_of(op)) + (f" × {len(rounds)}" if len(rounds) > 1 else "")
    if not wide:
        return index, op.kind, output, macs
    if not with_weights:
        return index, op.kind, op.name, output, macs
    constants = [tensor for tensor in (graph.tensor(i) for i in op.inputs if i >= 0) if tensor.is_const]
    weights = ""
    if constants:
        scales = len(constants[0].quant.scale) if constants[0].quant else 0
        kind = "" if not scales else " per channel" if scales > 1 else " per tensor"
        weights = describe(constants[0]) + kind
    return index, op.kind, op.name, output, weights, macs

"""What a quantized form costs, told from its plan."""

from __future__ import annotations

from mcugen.boards.types import Board
from mcugen.builder.fit import fit_report, weights_in_flash
from mcugen.graph import DType, Graph, Op
from mcugen.runtimes.program import Program
from mcugen.tune.types import Budget, Cost


def cost_of(program: Program, board: Board | None) -> Cost:
    """Flash, RAM and work of a planned model; of the model alone where there is no board."""
    work = sum(step.macs * (2 if _is_wide(program.graph, step.op) else 1) for step in program.steps)
    if board is None:
        return Cost(weights_in_flash(program), program.arena_bytes, work)
    fit = fit_report(program, board)
    return Cost(fit.flash_needed, fit.ram_needed, work)


def budget_of(board: Board | None, flash: int | None, ram: int | None, instructions: int | None) -> Budget:
    """The user's limits; where none were given, what the board has."""
    if board is None:
        return Budget(flash, ram, instructions)
    return Budget(
        min(board.flash.size, flash if flash is not None else board.flash.size),
        min(board.ram.size, ram if ram is not None else board.ram.size),
        instructions,
        board.name,
    )


def _is_wide(graph: Graph, op: Op) -> bool:
    return any(i in graph.tensors and graph.tensor(i).dtype is DType.INT16 for i in op.inputs)

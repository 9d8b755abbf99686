"""Does a model fit a board? Decided from the plan, before anything is compiled.

Weights, arena and stack are exact: they are what is emitted. The rest are estimates from builds with GCC 12 of the
models and boards in the tests, rounded up: code from one figure per kernel call (measured on Cortex-M0, whose
code is the largest), harness and variables from the emitted harness. So what `Fit.fits` says to fit does fit. `check_fit` refuses
only what cannot fit even with the smallest code ever measured; between the two the linker decides, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.boards import Board
from mcugen.emit.manifest import weight_bytes
from mcugen.emit.project import max_payload
from mcugen.errors import DoesNotFitError
from mcugen.plan.types import Plan

HARNESS_CODE = 8 * 1024
HARNESS_STATIC = 1024
MODEL_CODE = 1536
CALL_CODE = 1024
LEAST_CODE = 3 * 1024
"""Flash that every firmware needs beside the weights, for any model."""


@dataclass(frozen=True)
class Fit:
    """What a model needs on a board, and what the board has. All in bytes.

    Attributes:
        weights, arena, stack: exact.
        code, harness, static: estimated, rather too high than too low.
    """

    board: str
    weights: int
    code: int
    harness: int
    flash_available: int
    arena: int
    static: int
    stack: int
    ram_available: int

    @property
    def flash_needed(self) -> int:
        return self.weights + self.code + self.harness

    @property
    def ram_needed(self) -> int:
        return self.arena + self.static + self.stack

    @property
    def fits(self) -> bool:
        return self.flash_needed <= self.flash_available and self.ram_needed <= self.ram_available

    @property
    def impossible(self) -> bool:
        """No build can fit: the estimates would have to be wrong by more than they can be."""
        flash_least = self.weights + LEAST_CODE
        return flash_least > self.flash_available or self.arena + self.stack > self.ram_available


def fit_report(plan: Plan, board: Board) -> Fit:
    """What `plan` needs on `board`."""
    calls = sum(len(step.calls) for step in plan.steps)
    return Fit(
        board=board.name,
        weights=weight_bytes(plan),
        code=MODEL_CODE + CALL_CODE * calls,
        harness=HARNESS_CODE,
        flash_available=board.flash.size,
        arena=plan.arena_bytes,
        static=HARNESS_STATIC + 2 * max_payload(plan, board),
        stack=board.stack_bytes,
        ram_available=board.ram.size,
    )


def check_fit(plan: Plan, board: Board) -> Fit:
    """Refuse a model that cannot fit.

    Raises:
        DoesNotFitError: with what is needed and what is there.
    """
    fit = fit_report(plan, board)
    if not fit.impossible:
        return fit
    parts = []
    if fit.flash_needed > fit.flash_available:
        parts.append(
            f"flash: needs about {fit.flash_needed:,} bytes ({fit.weights:,} weights, about {fit.code:,} code and "
            f"{fit.harness:,} harness), has {fit.flash_available:,}"
        )
    if fit.ram_needed > fit.ram_available:
        parts.append(
            f"RAM: needs {fit.ram_needed:,} bytes ({fit.arena:,} arena, {fit.stack:,} stack, about {fit.static:,} "
            f"harness), has {fit.ram_available:,}"
        )
    raise DoesNotFitError(
        f'"{plan.graph.name}" does not fit {board.title}; {"; ".join(parts)}',
        where=f"board {board.name}",
        hint="Choose a board with more memory, or a smaller model. mcugen inspect lists the boards that it fits",
    )

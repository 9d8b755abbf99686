"""Does a model fit a board? Decided from the plan, before anything is compiled.

Weights, arena and stack are what is emitted. The rest are estimates from builds with GCC 12 of the models and boards
in the tests, rounded up. Seen were at most 750 bytes of code per depthwise convolution, 100 per fully connected
layer and 410 per any other op, 1.5 KB that ops share, 0.8 KB of library routines, 4.0 KB of harness, and 180 bytes
of variables beside the two frames that the harness buffers; for float32 3 KB of arithmetic on cores without FPU, and
1 to 2 KB for each function of the C library. So what `Fit.fits` says to fit does fit. `check_fit`
refuses only what cannot fit even with the smallest figures ever seen; between the two the linker decides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mcugen.boards.types import Board
from mcugen.errors import DoesNotFitError
from mcugen.graph.repeats import in_rounds
from mcugen.project.bsp import max_payload
from mcugen.runtimes.aot.plan.types import WEIGHTS_ALIGNMENT, Plan, aligned_weights
from mcugen.runtimes.program import Program
from mcugen.runtimes.tflm.program import TflmProgram

MODEL_CODE = 2560
CALL_CODE = {"DEPTHWISE_CONV_2D": 768, "FULLY_CONNECTED": 160}
OTHER_CALL_CODE = 448
ROUND_CODE = 96
"""Of an op that an unrolled layer has once more: its parameters and addresses."""
SOFT_FLOAT_CODE = 3 * 1024
MATHS_CODE = {
    "COS": 2048,
    "ELU": 1024,
    "EXP": 1024,
    "LOG": 1024,
    "LOGISTIC": 1024,
    "LOG_SOFTMAX": 1024,
    "SIN": 2048,
    "SOFTMAX": 1024,
    "TANH": 1024,
}
HARNESS_CODE = 5 * 1024
HARNESS_STATIC = 256
LEAST_CODE = 4 * 1024
LEAST_STATIC = 128
LEAST_TFLM = 0.75
"""Of the estimated code: TensorFlow Lite Micro's other kernel sets are smaller than those that were measured."""


@dataclass(frozen=True)
class Fit:
    """What a model needs on a board, and what the board has. All in bytes.

    Attributes:
        weights: all constants with their alignment; at most 16 bytes per constant more than needed.
        arena, stack: exact. On boards of several memories, `arena` is what of arena and weights lies in `ram`, and
            `weights` what lies in `flash`; what lies elsewhere has room there.
        code, harness: estimated, rather too high than too low; good to about 10 % for the TFLM runtime.
        least_code: the part of both that any build needs.
        static: the harness's two frame buffers, exact, and an estimate of all other variables.
        framework_ram: the framework's part of `static`, of which little is known.
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
    framework_ram: int = 0
    least_code: int = LEAST_CODE

    @property
    def flash_needed(self) -> int:
        return self.weights + self.code + self.harness

    @property
    def ram_needed(self) -> int:
        return self.arena + self.static + self.stack

    @property
    def flash_missing(self) -> int:
        """Bytes of flash that the board would need more; 0 where there is enough."""
        return max(0, self.flash_needed - self.flash_available)

    @property
    def ram_missing(self) -> int:
        """Bytes of RAM that the board would need more; 0 where there is enough."""
        return max(0, self.ram_needed - self.ram_available)

    @property
    def fits(self) -> bool:
        return not self.flash_missing and not self.ram_missing

    def to_dict(self) -> dict[str, Any]:
        """The fields, what is needed in all, and whether it fits."""
        return {
            **asdict(self),
            "flash_needed": self.flash_needed,
            "ram_needed": self.ram_needed,
            "fits": self.fits,
        }

    @property
    def impossible(self) -> bool:
        """No build can fit: the estimates would have to be wrong by more than they can be."""
        flash_spared = self.code + self.harness - self.least_code
        ram_spared = HARNESS_STATIC - LEAST_STATIC + self.framework_ram
        return (
            self.flash_needed - flash_spared > self.flash_available or self.ram_needed - ram_spared > self.ram_available
        )


def fit_report(plan: Program, board: Board) -> Fit:
    """What `plan` needs on `board`, the framework included that starts it."""
    framework_flash, framework_ram = 0, 0
    if board.framework is not None:
        framework_flash, framework_ram = board.framework.flash_bytes, board.framework.ram_bytes
    plan_code = _code_bytes(plan, has_fpu=bool(board.fpu))
    return Fit(
        board=board.name,
        weights=weights_in_flash(plan) + WEIGHTS_ALIGNMENT,
        code=plan_code,
        harness=HARNESS_CODE + framework_flash,
        flash_available=board.flash.size,
        arena=plan.ram_bytes,
        static=HARNESS_STATIC + 2 * max_payload(plan, board) + plan.static_bytes + framework_ram,
        stack=board.stack_bytes,
        ram_available=board.ram.size,
        framework_ram=framework_ram,
        least_code=LEAST_CODE if isinstance(plan, Plan) else int(LEAST_TFLM * plan_code),
    )


def weights_in_flash(plan: Program) -> int:
    """Bytes of the constants in flash, with their alignment."""
    if isinstance(plan, Plan) and plan.memories:
        return plan.taken_in("flash") + sum(aligned_weights(size) for size in plan.small_constants())
    return sum(aligned_weights(size) for size in plan.constant_sizes())


def _code_bytes(plan: Program, *, has_fpu: bool) -> int:
    """Estimate of the model's code, and of the C library's that float32 needs."""
    if isinstance(plan, Plan):
        rounds = in_rounds(plan.graph, [step.op for step in plan.steps])
        first = [plan.steps[numbers[0]] for numbers in rounds]
        calls = sum(len(step.calls) * CALL_CODE.get(step.op.kind, OTHER_CALL_CODE) for step in first)
        calls += ROUND_CODE * (len(plan.steps) - len(first))
        real = {step.op.kind for step in plan.steps for call in step.calls if call.kernel.endswith("_f32")}
        soft = SOFT_FLOAT_CODE if real and not has_fpu else 0
        return MODEL_CODE + calls + soft + sum(MATHS_CODE.get(kind, 0) for kind in real)
    assert isinstance(plan, TflmProgram)
    return plan.code_bytes


def check_fit(plan: Program, board: Board) -> Fit:
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
        hint="Choose a board with more memory, or a smaller model. `api.inspect(MODEL)` lists the boards that it fits",
    )

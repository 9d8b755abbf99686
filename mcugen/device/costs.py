"""What the ticks of a device's counter mean."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.boards.types import Board
from mcugen.device.protocol import CALIBRATION_INSTRUCTIONS, Cost, Counter, Hello
from mcugen.emulators.qemu import Qemu

CALIBRATION_SLACK = 10
"""Instructions around the calibration loop: its call and set-up."""


@dataclass(frozen=True)
class Meter:
    """Makes costs of ticks.

    Attributes:
        hello: what the device said of its counter.
        emulator: the board's emulator, if the device's counter runs exactly as that emulator makes it run.
        unit: "instructions" on an emulator that counts them exactly, "cycles" on hardware, "ticks" where the
            counter's meaning is not known.
    """

    hello: Hello
    emulator: Qemu | None
    unit: str

    def cost(self, cost: Cost, measurements: int = 1) -> int:
        """The cost of what was measured, without measuring it.

        Instructions are rounded before they are subtracted: each count is exact, and so is their difference.

        Args:
            measurements: of how many the ticks are the sum.
        """
        overhead = self.hello.overhead_ticks
        if self.emulator is None:
            return max(0, cost.ticks - measurements * overhead)
        interrupts = cost.interrupts * self.hello.instructions_per_interrupt
        return self.emulator.instructions(cost.ticks) - measurements * self.emulator.instructions(overhead) - interrupts

    def goes_round(self, seconds: float) -> bool:
        """Whether a hardware counter may go round in so many seconds; then its figure is wrong."""
        hello = self.hello
        return bool(
            self.emulator is None and hello.counter_hz and seconds * hello.counter_hz >= 1 << hello.counter_bits
        )


def make_meter(hello: Hello, board: Board | None, *, own_ticks: bool = False) -> Meter:
    """How to read a device's counter, derived from its calibration.

    Args:
        own_ticks: it runs in an emulator whose counter is neither the chip's nor one of instructions.
    """
    if own_ticks:
        return Meter(hello, None, "ticks")
    emulator = _counting_emulator(hello, board)
    if emulator is not None:
        return Meter(hello, emulator, "instructions")
    # A core with DWT that counts by SysTick is an emulator of unknown speed.
    has_dwt = board is None or not board.cpu.startswith("cortex-m0")
    unknown = hello.counter == Counter.NONE or (hello.counter == Counter.SYSTICK and has_dwt)
    return Meter(hello, None, "ticks" if unknown else "cycles")


def _counting_emulator(hello: Hello, board: Board | None) -> Qemu | None:
    """The board's emulator, if the device's counter runs exactly as that emulator makes it run."""
    if board is None or board.emulator is None or hello.counter not in (Counter.SYSTICK, Counter.MCYCLE):
        return None
    counted = board.emulator.instructions(hello.calibration_ticks) - board.emulator.instructions(hello.overhead_ticks)
    return board.emulator if abs(counted - CALIBRATION_INSTRUCTIONS) <= CALIBRATION_SLACK else None

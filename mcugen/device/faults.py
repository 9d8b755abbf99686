"""Says in words where and why a device's program stopped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mcugen.boards.types import Board
from mcugen.cores.architectures import RISCV, Architecture, fault_architecture
from mcugen.device.protocol import Fault
from mcugen.errors import DeviceError


class FaultError(DeviceError):
    """The device's program has stopped. It answers nothing else until it is reset."""


def explain_fault(fault: Fault, where: str, *, elf: Path | None = None, board: Board | None = None) -> FaultError:
    """The error for a fault, with function and line where the firmware's ELF file tells them."""
    architecture = fault_architecture(fault.exception)
    number = fault.exception & ~architecture.fault_flag
    name = architecture.exceptions.get(number, f"exception {number}")
    causes = fault_causes(fault)
    if board is not None and not board.ram.origin <= fault.sp <= board.ram.end and "stack overflow" not in causes:
        causes = ["stack overflow", *causes]
    reason = f" ({', '.join(causes)})" if causes else ""
    pc, lr = (_place(address, architecture, elf) for address in (fault.pc, fault.lr))
    registers = f"PC {pc}, LR {lr}, SP {fault.sp:#010x}{_status(fault, architecture)}"
    hint = "Reset the device before the next run"
    if any("stack" in cause for cause in causes):
        hint = "The stack may be too small: stack_bytes in the board's file sets it"
    article = "an" if name[0] in "aeiou" else "a"
    return FaultError(f"the program stopped with {article} {name}{reason}: {registers}", where=where, hint=hint)


def _status(fault: Fault, architecture: Architecture) -> str:
    """The registers that say more, and the address that was at fault, where there is one."""
    if architecture is RISCV:
        return f", mtval {fault.mmfar:#010x}"
    status = f", CFSR {fault.cfsr:#010x}, HFSR {fault.hfsr:#010x}"
    if fault.cfsr & 0x80:
        status += f", address {fault.mmfar:#010x}"
    elif fault.cfsr & 0x8000:
        status += f", address {fault.bfar:#010x}"
    return status


def _place(address: int, architecture: Architecture, elf: Path | None) -> str:
    """An address, with function, file and line where they can be found."""
    text = f"{address:#010x}"
    tool = shutil.which(architecture.addr2line)
    if elf is None or tool is None:
        return text
    try:
        # A call's return address points behind the call; bit 0 is the Thumb bit.
        done = subprocess.run(
            [tool, "-f", "-s", "-e", str(elf), hex(address & ~1)], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return text
    function, _, line = done.stdout.strip().partition("\n")
    line = line.partition(" (discriminator")[0]
    if done.returncode != 0 or not function or function.startswith("?"):
        return text
    return f"{text} in {function} ({line})" if line and not line.startswith("?") else f"{text} in {function}"


_CFSR_BITS = {
    0: "instruction fetch refused",
    1: "data access refused",
    3: "memory fault while returning",
    4: "memory fault while stacking",
    5: "memory fault saving FPU state",
    8: "bus error on instruction fetch",
    9: "bus error on data access",
    10: "bus error, address not exact",
    11: "bus error while returning",
    12: "bus error while stacking",
    13: "bus error saving FPU state",
    16: "undefined instruction",
    17: "invalid state (no Thumb bit)",
    18: "invalid exception return",
    19: "coprocessor or FPU is off",
    20: "stack overflow",
    24: "unaligned access",
    25: "division by zero",
}


def fault_causes(fault: Fault) -> list[str]:
    """The bits of CFSR (and HFSR) in words; Armv7-M Architecture Reference Manual, B3.2.15."""
    causes = [text for bit, text in _CFSR_BITS.items() if fault.cfsr >> bit & 1]
    if fault.hfsr >> 1 & 1:
        causes.append("vector table could not be read")
    return causes

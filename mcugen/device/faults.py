"""Says in words where and why a device's program stopped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mcugen.boards import Board
from mcugen.device.protocol import Fault, fault_causes
from mcugen.errors import DeviceError

ADDR2LINE = "arm-none-eabi-addr2line"
_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault"}


def explain_fault(fault: Fault, where: str, *, elf: Path | None = None, board: Board | None = None) -> DeviceError:
    """The error for a fault, with function and line where the firmware's ELF file tells them."""
    name = _EXCEPTIONS.get(fault.exception, f"exception {fault.exception}")
    causes = fault_causes(fault)
    if board is not None and not board.ram.origin <= fault.sp <= board.ram.end and "stack overflow" not in causes:
        causes = ["stack overflow", *causes]
    reason = f" ({', '.join(causes)})" if causes else ""
    registers = f"PC {_place(fault.pc, elf)}, LR {_place(fault.lr, elf)}, SP {fault.sp:#010x}"
    status = f", CFSR {fault.cfsr:#010x}, HFSR {fault.hfsr:#010x}"
    if fault.cfsr & 0x80:
        status += f", address {fault.mmfar:#010x}"
    elif fault.cfsr & 0x8000:
        status += f", address {fault.bfar:#010x}"
    hint = "Reset the device before the next run"
    if any("stack" in cause for cause in causes):
        hint = "The stack may be too small: stack_bytes in the board's file sets it"
    return DeviceError(f"the program stopped with a {name}{reason}: {registers}{status}", where=where, hint=hint)


def _place(address: int, elf: Path | None) -> str:
    """An address, with function, file and line where they can be found."""
    text = f"{address:#010x}"
    tool = shutil.which(ADDR2LINE)
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
    if done.returncode != 0 or not function or function.startswith("?"):
        return text
    return f"{text} in {function} ({line})" if line and not line.startswith("?") else f"{text} in {function}"

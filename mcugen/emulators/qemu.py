"""QEMU: connected by a socket pair, which no other run could take (on Windows, which hands none to a program, by a TCP
port of ours); its counter tells instructions exactly."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mcugen.cores.architectures import ARM, Architecture
from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.errors import ToolError
from mcugen.toml_table import Table, short

_OPTIONS = ("-cpu", "-global", "-m")
"""The only QEMU options a board file may set: others can open files and start programs."""


@dataclass(frozen=True)
class Qemu:
    """How QEMU runs a board.

    One instruction takes 2**icount_shift ns of virtual time; `counter_hz` is the rate of the core's counter (SysTick,
    mcycle) in that time. Two ticks or more per instruction make the instruction count exact.
    """

    machine: str
    args: tuple[str, ...]
    icount_shift: int
    counter_hz: int

    def instructions(self, ticks: int) -> int:
        """Instructions in `ticks` of the counter, rounded to the nearest."""
        per_instruction = self.counter_hz << self.icount_shift
        return (ticks * 10**9 * 2 + per_instruction) // (2 * per_instruction)


def find_qemu(architecture: Architecture = ARM) -> str:
    """Path of the architecture's QEMU. Raises ToolError when it is not installed."""
    path = shutil.which(architecture.qemu)
    if path is None:
        raise ToolError(f"{architecture.qemu} was not found", hint=architecture.how_to_install_qemu())
    return path


def _read(table: Table, clock_hz: int) -> Qemu:
    args = table.strings("args", None)
    for position, arg in enumerate(args):
        pattern = r"[A-Za-z0-9][A-Za-z0-9_.,=+-]*" if position % 2 else "|".join(_OPTIONS)
        if not re.fullmatch(pattern, arg) or len(args) % 2:
            allowed = f"pairs of {', '.join(_OPTIONS)} and a value"
            raise table.error("args", f"holds {short(arg)}; allowed are {allowed}")
    machine = table.text("machine")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", machine):
        raise table.error("machine", f"is {short(machine)}, not a machine name of a-z, 0-9 and -")
    shift = table.integer("icount_shift", 0, 10)
    counter_hz = table.integer("counter_hz", 1_000_000, 2_000_000_000, default=clock_hz)
    if counter_hz << shift < 2 * 10**9:
        raise table.error(
            "icount_shift",
            f"is {shift}: an instruction takes {1 << shift} ns, less than two ticks of the {counter_hz} Hz counter,"
            " so instruction counts would not be exact",
        )
    table.finish()
    return Qemu(machine, tuple(args), shift, counter_hz)


def _launch(elf: Path, board: Emulated, model: Qemu) -> Launch:
    architecture = board.architecture
    program = find_qemu(architecture)

    inherits = os.name != "nt"

    def command(number: int) -> list[str]:
        link = f"fd={number}" if inherits else f"host=127.0.0.1,port={number},nodelay=on"
        # The multiplexer reads ahead and feeds the UART whenever the program takes a byte, nearly twice as fast as the
        # socket alone; no byte is its escape character (256).
        return [
            *(program, "-M", model.machine, *model.args, *architecture.qemu_args),
            *("-icount", f"shift={model.icount_shift},align=off,sleep=off"),
            *("-nodefaults", "-display", "none", "-monitor", "none"),
            *("-chardev", f"socket,id=link,{link},mux=on", "-serial", "chardev:link", "-echr", "256"),
            *("-kernel", str(elf.resolve())),
        ]

    return Launch(command, "socket" if inherits else "listener")


EMULATOR = Emulator(
    name="qemu",
    title="QEMU",
    table="emulator",
    read=_read,
    summary=lambda model: str(model.machine),
    launch=_launch,
    unmodelled="`api.boards()` lists those that it does",
    find=lambda board: find_qemu(board.architecture),
    counts_instructions=True,
    tested=True,
)

"""OpenOCD: ST-LINK, CMSIS-DAP and J-Link probes."""

from __future__ import annotations

import re

from mcugen.boards.types import Board
from mcugen.flash.runner import CLOSE_OTHERS, TRY_AGAIN, UDEV, find_program, run_tool
from mcugen.flash.types import Failure, Job, Probe, Tool
from mcugen.flash.usb import sees_usb, usb_probes

FAILURES = (
    Failure(r"LIBUSB_ERROR_ACCESS", "no permission to use the debug probe", UDEV),
    Failure(r"LIBUSB_ERROR_BUSY|resource busy", "another program holds the debug probe", CLOSE_OTHERS),
    Failure(
        r"can't find (?:interface|target|board)/",
        "this OpenOCD is too old for the board",
        'Update it to 0.12 or later, or use `tool="pyocd"`',
    ),
    Failure(
        r"unexpected idcode|cannot identify target|auto_probe failed|couldn't find part|expected \d+ of \d+:",
        "the chip is not this board's",
        "Is this the right board? `api.boards()` lists their chips",
    ),
    Failure(
        r"unable to connect to the target|error connecting dp|examination failed|target not halted",
        "the probe is there, but the chip does not answer",
        "Is the board powered? Hold its reset button until the command has started",
    ),
    Failure(
        r"open failed|unable to (?:find|open).*CMSIS-DAP|no j-link device found|no device found|no matching",
        "no debug probe was found",
        f"Connect the USB socket of the board's debug probe, with a data cable. {UDEV}",
    ),
    Failure(r"verify failed|checksum mismatch|contents differ", "what was read back differs", TRY_AGAIN),
    Failure(
        r"error writing|failed erasing|error erasing|programming failed|timed out|communication failure",
        "writing failed midway",
        TRY_AGAIN,
    ),
)


def list_probes(board: Board, _program: str) -> list[Probe]:
    """Probes of the kind that the board's interface file names; OpenOCD itself takes the first and says nothing."""
    return usb_probes(_kind(board))


def _kind(board: Board) -> str:
    """The kind of probe that the board's interface file names; "" where another file tells."""
    matches = (re.fullmatch(r"interface/([a-z0-9-]+)\.cfg", name) for name in board.flashing.openocd)
    return next((found[1] for found in matches if found), "")


def write(job: Job, program: str) -> None:
    """Write, verify and start the firmware."""
    command = [program]
    chosen = ["-c", f"adapter serial {job.probe}"] if job.probe is not None else []
    for name in job.board.flashing.openocd:
        command += ["-f", name]
        if name.startswith(("interface/", "board/")):
            command += chosen
        if name == "interface/jlink.cfg":
            command += ["-c", "transport select swd"]
    command += ["-c", f"program {job.elf.name} verify reset exit"]
    run_tool(command, FAILURES, where=job.board.name, cwd=job.output)


TOOL = Tool(
    "openocd",
    "apt-get install openocd (Debian, Ubuntu), brew install openocd (macOS)",
    lambda: find_program("openocd"),
    write,
    probes=list_probes,
    lists_all=lambda board: sees_usb(_kind(board)),
)

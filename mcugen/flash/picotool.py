"""picotool: RP2040 and RP2350 over USB."""

from __future__ import annotations

from mcugen.errors import DeviceError
from mcugen.flash.runner import TRY_AGAIN, UDEV, find_program, run_tool
from mcugen.flash.types import Failure, Job, Tool
from mcugen.flash.uf2_image import uf2_image

FAILURES = (
    Failure(
        r"picotool was unable to connect|permission|LIBUSB_ERROR_ACCESS",
        "no permission to use the board",
        UDEV,
    ),
    Failure(
        r"single .*device|multiple devices",
        "several boards are in their boot loader",
        "Unplug the others, or name one with `probe=SERIAL`",
    ),
    Failure(
        r"no accessible .*BOOTSEL",
        "no board is in its boot loader",
        "Hold BOOTSEL while connecting it with a data cable",
    ),
    Failure(
        r"family id|not (?:valid|suitable) for",
        "the chip is not this board's",
        "Is this the right board? A pico2 does not run what was built for a pico",
    ),
    Failure(
        r"returned an error|failed to (?:write|read|verify)|verify failed|disconnected",
        "writing failed midway",
        TRY_AGAIN,
    ),
)


def uf2_file(job: Job) -> str:
    """Path of the UF2 file: what the framework's build left, or made of the firmware that our own start-up runs.

    Raises:
        DeviceError: there is none, or it cannot be made.
    """
    path = job.output / "firmware.uf2"
    if job.board.framework is None:
        path.write_bytes(uf2_image(job.elf, job.board.flashing.uf2))
    if not path.is_file():
        raise DeviceError("the build left no firmware.uf2", where=str(path), hint="Build the project again")
    return str(path)


def write(job: Job, program: str) -> None:
    """Write, verify and start the firmware; a running one is asked to make room first (-f)."""
    command = [program, "load", "-v", "-x", uf2_file(job), "-f"]
    if job.probe is not None:
        command += ["--ser", job.probe]
    run_tool(command, FAILURES, where=job.board.name, cwd=job.output)


TOOL = Tool(
    "picotool", "from https://github.com/raspberrypi/picotool/releases", lambda: find_program("picotool"), write
)

"""UF2: boards whose boot loader shows itself as a disk (RP2040, RP2350). A file copied there is the firmware."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from mcugen.errors import DeviceError
from mcugen.flash.picotool import uf2_file
from mcugen.flash.runner import TRY_AGAIN
from mcugen.flash.types import Job, Tool

MOUNTS = Path("/proc/mounts")
VOLUMES = Path("/Volumes")
"""Where macOS mounts disks."""

WAIT_S = 10.0
BOOT_LOADER_BAUD = 1200
"""Opening the port at this speed asks Arduino's firmware to start the boot loader."""


def boot_disks() -> list[tuple[Path, str]]:
    """Mounted UF2 disks: (folder, Board-ID of its INFO_UF2.TXT)."""
    found = []
    for folder in _mounted():
        try:
            text = (folder / "INFO_UF2.TXT").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        if board_id := re.search(r"^Board-ID:\s*(\S+)", text, re.MULTILINE):
            found.append((folder, board_id[1]))
    return found


def _mounted() -> list[Path]:
    if MOUNTS.is_file():
        fields = (line.split(" ") for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines())
        paths = [field[1] for field in fields if len(field) > 1 and field[2:3] == ["vfat"]]
        return [Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)) for path in paths]
    return sorted(VOLUMES.glob("*"))


def write(job: Job, _program: str) -> None:
    """Copy the firmware onto the board's disk.

    Raises:
        DeviceError: no disk, several, another chip's, or the copy failed.
    """
    source = Path(uf2_file(job)).read_bytes()
    folder = _disk(job)
    target = folder / "firmware.uf2"
    written = 0
    try:
        with target.open("wb", buffering=0) as file:
            while written < len(source):
                written += file.write(source[written : written + 65_536])
            os.fsync(file.fileno())
    except OSError as error:
        # The board restarts with the last block, which may take the disk away while the file is being closed.
        if written < len(source):
            raise _refused(error, folder) from error


def _refused(error: OSError, folder: Path) -> DeviceError:
    if isinstance(error, PermissionError):
        hint = "Mount it as your own user (a file manager does), or copy the file as root"
        return DeviceError("no permission to write to the board's disk", where=str(folder), hint=hint)
    return DeviceError(f"writing failed midway: {error.strerror}", where=str(folder), hint=TRY_AGAIN)


def _disk(job: Job) -> Path:
    _ask_for_boot_loader(job)
    until = time.monotonic() + (WAIT_S if job.port and job.board.framework else 0)
    while not (disks := boot_disks()) and time.monotonic() < until:
        time.sleep(0.2)
    where, wanted = job.board.name, job.board.flashing.uf2
    fitting = [folder for folder, board_id in disks if board_id == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(map(str, fitting))
        raise DeviceError(f"several boards show their disks: {names}", where=where, hint="Unplug the others")
    if disks:
        shown = ", ".join(f"{folder} ({board_id})" for folder, board_id in disks)
        raise DeviceError(
            f"the disk is another chip's: {shown}, not {wanted}",
            where=where,
            hint="Is this the right board? A pico2 does not run what was built for a pico",
        )
    raise DeviceError(
        "no board shows its boot loader's disk",
        where=where,
        hint="Hold BOOTSEL while connecting it with a data cable, and mount the disk",
    )


def _ask_for_boot_loader(job: Job) -> None:
    """Opens the port at 1,200 baud. A board that is in its boot loader already has no port; our own start-up's is a
    UART, which asks for nothing."""
    if job.port is None or job.board.framework is None or boot_disks():
        return
    import serial

    try:
        serial.Serial(job.port, BOOT_LOADER_BAUD, exclusive=True).close()
    except (OSError, ValueError) as error:
        raise DeviceError(
            f"the port cannot be opened: {error}",
            where=job.port,
            hint="Check that you may use it and that no other program holds it, or hold BOOTSEL while plugging it in",
        ) from error


TOOL = Tool("uf2", "", lambda: "copy", write)

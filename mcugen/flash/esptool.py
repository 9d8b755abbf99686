"""esptool: ESP32 chips, through their serial port."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mcugen.errors import DeviceError
from mcugen.flash.runner import CLOSE_OTHERS, DIALOUT, TRY_AGAIN, find_program, run_tool
from mcugen.flash.types import Failure, Job, Tool

FAILURES = (
    Failure(r"\[Errno 13\]|permission denied|PermissionError", "no permission to use the port", DIALOUT),
    Failure(r"\[Errno (?:11|16)\]|resource busy|exclusively lock", "another program holds the port", CLOSE_OTHERS),
    Failure(
        r"\[Errno 2\]|no such file|could not open port",
        "there is no such port",
        "Connect the board with a data cable; `api.doctor()` lists the ports",
    ),
    Failure(
        r"this chip is .* not |wrong --?chip argument|unexpected chip",
        "the chip is not this board's",
        "Is this the right board? esptool chip_id says which chip it has",
    ),
    Failure(
        r"failed to connect|no serial data received|wrong boot mode|invalid head of packet",
        "the chip does not enter its boot loader",
        "Hold the button BOOT (or IO0) while the command starts, or is this another board's port?",
    ),
    Failure(
        r"stopped responding|md5 of file does not match|timed out|write timeout|disconnected|device reports readiness"
        r"|content transfer stopped|serial (?:noise|exception)",
        "writing failed midway",
        TRY_AGAIN,
    ),
)

BOOT_LOADER_AT = {"esp32": 0x1000}
"""Other chips have it at 0. docs.espressif.com: Bootloader, "offset" per chip."""
PARTITIONS_AT, OTA_DATA_AT, OTA_DATA_BYTES, APPLICATION_AT = 0x8000, 0xE000, 0x2000, 0x10000
"""Of Arduino's default partition table."""


def write(job: Job, program: str) -> None:
    """Write boot loader, partition table and application, and start it. Erased OTA data select the first partition."""
    chip = job.board.flashing.esptool
    with tempfile.TemporaryDirectory(prefix="mcugen-") as folder:
        erased = Path(folder) / "ota_data.bin"
        erased.write_bytes(b"\xff" * OTA_DATA_BYTES)
        parts = (
            (BOOT_LOADER_AT.get(chip, 0), job.output / "bootloader.bin"),
            (PARTITIONS_AT, job.output / "partitions.bin"),
            (OTA_DATA_AT, erased),
            (APPLICATION_AT, job.output / "firmware.bin"),
        )
        for _address, path in parts:
            if not path.is_file():
                raise DeviceError(f"the build left no {path.name}", where=str(path), hint="Build the project again")
        images = [text for address, path in parts for text in (hex(address), str(path))]
        command = [program, "--chip", chip, "--port", job.port or "", "--baud", "460800", "write_flash", *images]
        run_tool(command, FAILURES, where=f"{job.board.name} at {job.port}", cwd=job.output)


TOOL = Tool("esptool", "pip install esptool", lambda: find_program("esptool", "esptool.py"), write, lambda _board: True)

"""pyOCD: CMSIS-DAP, ST-LINK and J-Link probes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from mcugen.boards.types import Board
from mcugen.errors import DeviceError
from mcugen.flash.runner import CLOSE_OTHERS, TRY_AGAIN, UDEV, find_program, run_tool
from mcugen.flash.types import Failure, Job, Probe, Tool

FAILURES = (
    Failure(
        r"access denied|insufficient permissions|\[Errno 13\]|LIBUSB_ERROR_ACCESS",
        "no permission to use the debug probe",
        UDEV,
    ),
    Failure(
        r"resource busy|\[Errno 16\]|LIBUSB_ERROR_BUSY|already (?:open|in use)",
        "another program holds the debug probe",
        CLOSE_OTHERS,
    ),
    Failure(
        r"no (?:connected|available) debug probes|no target device available|no probe (?:found|with)",
        "no debug probe was found",
        f"Connect the USB socket of the board's debug probe, with a data cable. {UDEV}",
    ),
    Failure(
        r"target type .* not recognized",
        "pyOCD does not know this chip yet",
        "Install its support: pyocd pack install TARGET",
    ),
    Failure(
        r"no ack|unexpected ack|no cores were discovered|init\(\) call returned|unable to (?:identify|detect)",
        "the chip does not answer as this board's does",
        "Is this the right board, is it powered, and is nothing wired to its debug pins?",
    ),
    Failure(
        r"page failure|sector failure|erase.*failed|program.*fail|transfer (?:fault|error)|disconnected|timed out",
        "writing failed midway",
        TRY_AGAIN,
    ),
)


def list_probes(board: Board, program: str) -> list[Probe]:
    """All probes that pyOCD sees.

    Raises:
        DeviceError: it failed, or printed something else.
    """
    with tempfile.TemporaryDirectory() as empty:  # where no pyocd.yaml lies that changes what it does
        text = run_tool([program, "json", "--probes"], FAILURES, where=board.name, cwd=Path(empty))
    try:
        facts = json.loads(text[text.index("{") :])
        if facts.get("status", 0) != 0:
            raise DeviceError(f"pyOCD cannot list probes: {facts.get('error')}", where=board.name, hint=UDEV)
        return [Probe(str(entry["unique_id"]), str(entry.get("info", ""))) for entry in facts["boards"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeviceError(
            "pyOCD's list of probes cannot be read", where=board.name, hint="Update it: pip install -U pyocd"
        ) from error


def write(job: Job, program: str) -> None:
    """Write and start the firmware."""
    command = [program, "flash", "--no-wait", "--target", job.board.flashing.pyocd]
    if job.probe is not None:
        command += ["--uid", job.probe]
    failures = [replace(failure, hint=failure.hint.replace("TARGET", job.board.flashing.pyocd)) for failure in FAILURES]
    run_tool([*command, job.elf.name], failures, where=job.board.name, cwd=job.output)


TOOL = Tool("pyocd", "pip install pyocd", lambda: find_program("pyocd"), write, probes=list_probes)

"""PlatformIO's own upload, for boards whose firmware it built with a framework from its registry."""

from __future__ import annotations

import sys

from mcugen.boards.types import Board
from mcugen.builder.framework import require_platform
from mcugen.builder.platformio import pio_environment
from mcugen.flash import esptool, openocd, picotool
from mcugen.flash.runner import TRY_AGAIN, run_tool
from mcugen.flash.types import Failure, Job, Tool

FAILURES = (
    *esptool.FAILURES,
    *openocd.FAILURES,
    *picotool.FAILURES,
    Failure(
        r"please specify `?upload_port|no device found on|unable to find (?:a )?(?:serial )?port",
        "PlatformIO finds no board",
        "Connect it with a data cable, and name its port with `port`",
    ),
    Failure(
        r"HTTPClientError|InternetConnectionError|PackageException",
        "PlatformIO cannot fetch its uploader from its registry",
        "Run pio run -t upload once where the registry can be reached, or choose another tool with `tool`",
    ),
    Failure(r"\*\*\* \[upload\]", "writing failed", TRY_AGAIN),
)


def through_port(board: Board) -> bool:
    """Boards with a debug probe are flashed through it; PlatformIO would take a port for the probe's disk."""
    return "openocd" not in board.flashing.tools


def write(job: Job, program: str) -> None:
    """Run the environment's upload."""
    framework = job.board.framework
    assert framework is not None, "only boards with a framework name this tool"
    core = require_platform(framework, str(job.project))
    command = [program, "-m", "platformio", "run", "-e", job.board.name, "-t", "upload"]
    if job.port is not None and through_port(job.board):
        command += ["--upload-port", job.port]
    where = f"{job.board.name} at {job.port}" if job.port else job.board.name
    run_tool([*command, "--project-dir", str(job.project)], FAILURES, where=where, cwd=core, env=pio_environment(core))


TOOL = Tool("platformio", "pip install platformio", lambda: sys.executable, write, through_port)

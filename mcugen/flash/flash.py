"""Writes a built firmware onto its board, and finds out whether it runs there."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcugen.boards.types import Board
from mcugen.builder import Firmware
from mcugen.device.connecting import open_device
from mcugen.device.device import DEFAULT_TIMEOUT_S, Device, ModelStartError, WrongFirmwareError
from mcugen.errors import BoardError, DeviceError, ToolError
from mcugen.flash import esptool, openocd, picotool, platformio, pyocd, uf2
from mcugen.flash.ports import Choose, choose_probe, find_port, require_port
from mcugen.flash.runner import CLOSE_OTHERS, DIALOUT, UDEV
from mcugen.flash.types import Job, Probe, Tool

TOOLS: Mapping[str, Tool] = {
    module.TOOL.name: module.TOOL for module in (platformio, openocd, pyocd, esptool, picotool, uf2)
}

RESTART_S = 15.0
"""A board that is its own USB device vanishes and comes back after it was flashed."""
RETRY_S = 0.3


@dataclass(frozen=True)
class Flashed:
    """What was used to flash a board. `port` is None where it comes into being only when the firmware runs."""

    tool: str
    probe: str | None
    port: str | None


def can_flash(board: Board, port: str | None) -> bool:
    """Whether a board behind a port can be flashed from here: not an emulator, and not over a network."""
    return bool(board.flashing.tools) and (port is None or "://" not in port)


def flash_board(
    firmware: Firmware,
    board: Board,
    *,
    port: str | None = None,
    probe: str | None = None,
    tool: str | None = None,
    choose: Choose | None = None,
) -> Flashed:
    """Write a firmware onto its board.

    Args:
        port: the board's serial port; without it, found by the board's USB ids.
        probe: serial number of its debug probe; needed where several are plugged in.
        tool: one of `TOOLS`; without it, the board's first that is installed.
        choose: called to choose one of several ports; without it, several are an error.

    Raises:
        BoardError: the board cannot be flashed, or not with this tool.
        ToolError: no tool is installed that can.
        DeviceError: no port or several, no probe or several, no permission, or the tool failed.
    """
    way = _find_way(board, port=port, probe=probe, tool=tool, choose=choose)
    job = Job(board, firmware.project, firmware.elf.parent, way.port, way.probe)
    way.tool.write(job, way.program)
    return Flashed(way.tool.name, way.probe, way.port)


def check_flashing(
    board: Board,
    *,
    port: str | None = None,
    probe: str | None = None,
    tool: str | None = None,
    choose: Choose | None = None,
) -> None:
    """Refuse before the work what `flash_board` would refuse after it. Arguments and errors are the same."""
    way = _find_way(board, port=port, probe=probe, tool=tool, choose=choose)
    if way.probes == () and way.tool.lists_all(board):
        raise DeviceError(
            "no debug probe was found",
            where=f"board {board.name}",
            hint=f"Connect the USB socket of the board's debug probe, with a data cable. {UDEV}",
        )


@dataclass(frozen=True)
class _Way:
    """How a board is to be flashed. `probes` are those that the tool sees; None where it needs none."""

    tool: Tool
    program: str
    port: str | None
    probe: str | None
    probes: tuple[Probe, ...] | None


def _find_way(board: Board, *, port: str | None, probe: str | None, tool: str | None, choose: Choose | None) -> _Way:
    if probe is not None and not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", probe):
        raise DeviceError(f"{probe[:60]!r} is not a probe's serial number", where="`probe`")
    chosen, program = _choose_tool(board, tool)
    if port is None:
        port = find_port(board, probe=probe, choose=choose)
    if chosen.through_port(board) or not board.flashing.usb:
        port = require_port(board, port)
    probes = None
    if chosen.probes is not None:
        probes = tuple(chosen.probes(board, program))
        probe = choose_probe(board, probes, probe, port)
    _check_access(board, port)
    return _Way(chosen, program, port, probe, probes)


def _check_access(board: Board, port: str | None) -> None:
    """Refuse before anything is written what could not be checked afterwards."""
    if port is not None and Path(port).exists() and not os.access(port, os.R_OK | os.W_OK):
        raise DeviceError("no permission to use the port", where=f"{board.name} at {port}", hint=DIALOUT)


def _choose_tool(board: Board, name: str | None) -> tuple[Tool, str]:
    """The tool, and where its program is."""
    able = board.flashing.tools
    if not able:
        raise BoardError(
            f"mcugen does not know how to flash {board.title}",
            where=f"board {board.name}",
            hint="Write .pio/build/*/firmware.bin with your own tool, then: `api.verify(DIR, port=PORT)`",
        )
    if name is not None and name not in able:
        raise BoardError(
            f"{name[:40]!r} cannot flash this board", where=f"board {board.name}", hint=f"Tools: {', '.join(able)}"
        )
    candidates = able if name is None else (name,)
    for each in candidates:
        program = TOOLS[each].find()
        if program is not None:
            return TOOLS[each], program
    ways = "; ".join(f"{each}: {TOOLS[each].install}" for each in candidates)
    raise ToolError(
        f"{' and '.join(candidates)} {'are' if len(candidates) > 1 else 'is'} not installed",
        where=f"board {board.name}",
        hint=f"Install {'one of them' if len(candidates) > 1 else 'it'}: {ways}",
    )


def connect_flashed(
    flashed: Flashed,
    firmware: Firmware,
    board: Board,
    *,
    model_sha256: str | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    wait: float | None = None,
    choose: Choose | None = None,
) -> tuple[Device, str]:
    """Connect to a board that was just flashed, as soon as it answers, and check that it runs this firmware.

    Gives the port as well, which may be another one than before.

    Args:
        model_sha256: of the model that it must run.
        timeout: seconds one inference may take.
        wait: seconds that the board may take to come back; None takes `RESTART_S`.
        choose: see `flash_board`.

    Raises:
        DeviceError: no port, no answer, or another firmware or model than the one that was written.
    """
    until = time.monotonic() + (RESTART_S if wait is None else wait)
    while True:
        port = _port_now(flashed, board, choose)
        try:
            port = require_port(board, port)
            return open_device(firmware.elf, board, port=port, timeout=timeout, model_sha256=model_sha256), port
        except ModelStartError:
            raise
        except WrongFirmwareError as error:
            raise WrongFirmwareError(
                f"{error.what}, although {flashed.tool} reported success",
                where=f"{board.name} at {port}",
                hint="Does the port belong to the board that was flashed? Name both with `port` and `probe`",
            ) from error
        except DeviceError as error:
            if time.monotonic() >= until:
                raise DeviceError(
                    f"it was flashed with {flashed.tool}, but does not answer: {error.what}",
                    where=error.where,
                    hint=_what_to_try(error, board),
                ) from error
        time.sleep(RETRY_S)


def _port_now(flashed: Flashed, board: Board, choose: Choose | None) -> str | None:
    """The board's port: what is a USB device of its own may come back under another name."""
    if flashed.port is not None and (not board.flashing.usb or Path(flashed.port).exists()):
        return flashed.port
    return find_port(board, probe=flashed.probe, choose=choose) or flashed.port


def _what_to_try(error: DeviceError, board: Board) -> str:
    """Advice for a port that cannot be opened, or a board that says nothing."""
    code = getattr(error.__cause__, "errno", None)
    if code == errno.EACCES:
        return DIALOUT
    if code in (errno.EBUSY, errno.EAGAIN):
        return CLOSE_OTHERS
    return f"Press its reset button, then: `api.verify(DIR, port=PORT)`. {board.notes}"

"""Opens a device: starts its emulator, or finds the board at a port, and checks that it runs the right firmware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mcugen.boards.emulated import check_emulator, named_emulator
from mcugen.boards.types import Board
from mcugen.builder.identity import build_id
from mcugen.device.device import DEFAULT_TIMEOUT_S, Device, WrongFirmwareError
from mcugen.device.emulated import EmulatedBoard
from mcugen.device.link import Link
from mcugen.device.opening import PortOpener
from mcugen.device.session import request_timeout

DEFAULT_BAUD = 115_200


def open_device(
    elf: Path,
    board: Board,
    *,
    port: str | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    model_sha256: str | None = None,
    paced: bool | None = None,
    emulator: str | None = None,
    arguments: Sequence[str] = (),
) -> Device:
    """Start the firmware `elf` in the board's emulator, or connect to a board that runs it.

    Args:
        elf: the firmware, from which the device's build id is checked and faults are explained.
        port: a URL (/dev/ttyACM0, socket://host:port, rfc2217://host:port); None starts the emulator.
        timeout: seconds one inference may take; of a paced one, an op.
        model_sha256: when given, the device must run this model.
        paced: see `Device`.
        emulator: name of the one that is started; None for the default.
        arguments: of the emulator's program, beyond those that every run has.

    Raises:
        DeviceError: no answer, another protocol version, firmware, board or model.
        ToolError: the emulator is not installed.
        BoardError: the board has no (such) emulator and no port was given, or both were.
    """
    check_emulator(board, emulator, port)
    name = f"{board.name} (emulator)" if port is None else f"{board.name} at {port}"
    notes: tuple[str, ...] = ()
    if port is None:

        def start() -> Link:
            return _start_emulator(elf, board, name, emulator, arguments)

        link, reopen = start(), start
    else:
        link, reopen, notes = _open_port(port, board.uart.baud, name, timeout)
    try:
        device = Device(
            link,
            name=name,
            board=board,
            emulated=named_emulator(emulator).counts_instructions if port is None else None,
            elf=elf,
            timeout=timeout,
            paced=paced,
            reopen=reopen,
            notes=notes,
        )
        _check_identity(device, elf, board, model_sha256)
    except BaseException:
        link.close()
        raise
    return device


def connect(port: str, *, board: Board | None = None, timeout: float = DEFAULT_TIMEOUT_S) -> Device:
    """Connect to whatever firmware of mcugen's runs behind a port.

    Args:
        board: tells the speed to try first; without it, 115,200 baud.

    Raises:
        DeviceError: no answer, or another protocol version.
    """
    baud = board.uart.baud if board is not None else DEFAULT_BAUD
    link, reopen, notes = _open_port(port, baud, port, timeout)
    try:
        return Device(link, name=port, timeout=timeout, reopen=reopen, notes=notes if board is not None else ())
    except BaseException:
        link.close()
        raise


def _start_emulator(elf: Path, board: Board, name: str, emulator: str | None, arguments: Sequence[str]) -> Link:
    emulated = EmulatedBoard(elf, board, emulator, arguments=arguments)
    return Link(
        emulated.transport,
        name,
        check=emulated.check,
        on_close=emulated.stop,
        lossless=True,
        clock=emulated.own_time,
    )


def _open_port(port: str, baud: int, name: str, timeout: float) -> tuple[Link, Callable[[], Link], tuple[str, ...]]:
    """A link, how to make it again, and what a person must know about it."""
    opener = PortOpener(port, baud, name, max(request_timeout(), timeout))
    link = opener.open()
    notes = (f"the device answers at {opener.baud} baud, not at {baud}",) if opener.baud != baud else ()
    return link, opener.reopen, notes


def _check_identity(device: Device, elf: Path, board: Board, model_sha256: str | None) -> None:
    """The device must run this firmware on this board: a port may lead to another one, or to a stale firmware."""
    hello = device.hello
    again = "Flash this firmware, or check the port"
    if hello.board != board.name:
        raise WrongFirmwareError(f"the device is a {hello.board}", where=board.name, hint=again)
    expected = build_id(elf)
    if model_sha256 not in (None, hello.model_sha256) and hello.slot_bytes and expected == hello.build_id:
        raise WrongFirmwareError(
            f"the device runs this firmware, but a model that was sent to it (sha256 {hello.model_sha256[:12]}…)",
            where=board.name,
            hint="Name that model: `pushed=MODEL`. Or send this one with `api.push(MODEL, port=PORT)`",
        )
    if model_sha256 is not None and hello.models == 1:
        device.select_model(model_sha256)
    if expected and hello.build_id != expected:
        raise WrongFirmwareError(
            f"the device runs another firmware (build {hello.build_id[:12]}…, expected {expected[:12]}…)",
            where=board.name,
            hint=again,
        )
    if model_sha256 is not None and hello.models > 1:
        device.select_model(model_sha256)

"""`mcugen serve`: a board of this computer for others, over RFC 2217."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.device.link import Transport
    from mcugen.device.share import Traffic
    from mcugen.progress import Progress

DEFAULT_LISTEN = "127.0.0.1:2217"


@dataclass(frozen=True, eq=False, repr=False)
class Served(Brief):
    """A board that was shared, and is not any more. `traffic` is what went through."""

    device: str
    url: str
    traffic: Traffic
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.serve/1",
            "mcugen": __version__,
            "device": self.device,
            "url": self.url,
            "clients": self.traffic.clients,
            "refused": self.traffic.refused,
            "bytes_to_device": self.traffic.bytes_to_device,
            "bytes_from_device": self.traffic.bytes_from_device,
        }


def serve(
    target: object = None,
    *,
    port: str | None = None,
    board: str | None = None,
    listen: str = DEFAULT_LISTEN,
    data: Any = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Served:
    """Share a board's port, or an emulated board, with one client at a time; returns when `stop` is set, or at Ctrl-C.

    Args:
        target: a project folder or a model, which an emulated board needs.
        port: serial port of the board; without it, the board is emulated.
        board: for a port, its speed until a client sets another; for an emulated board, its name.
        listen: HOST:PORT; port 0 takes a free one. There is no password, so by default only this machine can connect.
        data: calibration data, if `target` is a float model.
        stop: event that ends it.
        say: called with messages for a person: the address, and clients that connect and disconnect.

    Raises:
        McugenError: the port cannot be opened, the emulator cannot start, or the address cannot be used.
    """
    from mcugen.device.share import SharedPort, is_local, parse_address

    tell = say or (lambda _text: None)
    parse_address(listen)  # before anything is built
    with (
        _device(target, port, board, data, progress) as (name, open_port),
        SharedPort(open_port, listen, tell) as shared,
    ):
        url = f"rfc2217://{shared.address}"
        tell(f"{name} is shared at {url}")
        if not is_local(parse_address(listen)[0]):
            tell("anyone who can reach this address can use the board: RFC 2217 has no passwords")
        try:
            shared.serve(stop or threading.Event())
        except KeyboardInterrupt:
            tell("stopped")
        return Served(name, url, shared.traffic)


@contextmanager
def _device(
    target: object, port: str | None, board: str | None, data: Any, progress: Progress | None
) -> Iterator[tuple[str, Callable[[], Transport]]]:
    """What is shared, in words, and how to open it."""
    from mcugen.device.connecting import DEFAULT_BAUD
    from mcugen.device.emulated import EmulatedBoard
    from mcugen.device.ports import open_port
    from mcugen.device.share import EmulatorTransport
    from mcugen.errors import DeviceError
    from mcugen.flow.boards import named_board
    from mcugen.flow.ready import built

    if port is not None:
        if target is not None:
            raise DeviceError(
                "a board at a port already has its firmware", where="`port`", hint="Omit the project or model"
            )
        baud = named_board(board).uart.baud if board is not None else DEFAULT_BAUD
        yield port, lambda: open_port(port, baud)
        return
    if target is None:
        raise DeviceError(
            "nothing to share was named",
            hint="Name a board's port with `port`, or a project or model to run on an emulated board",
        )
    with built(target, board, data=data, progress=progress) as ready:
        elf = ready.firmware.elf
        yield f"{ready.board.name} (emulator)", lambda: EmulatorTransport(EmulatedBoard(elf, ready.board))


def command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[DIR|MODEL]",
            show_default=False,
            help="Project or model to run on an emulated board, which is then shared.",
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option("--port", metavar="URL", show_default=False, help="The board's serial port: /dev/ttyACM0."),
    ] = None,
    board: options.OptionalBoard = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Address to listen on. There is no password; by default only this machine can connect.",
        ),
    ] = DEFAULT_LISTEN,
    data: options.Data = None,
    json: options.Json = False,
) -> int:
    """Share a board over RFC 2217, with one client at a time."""
    from mcugen.text import plain
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    result = serve(
        target,
        port=port,
        board=board,
        listen=listen,
        data=data,
        say=lambda text: terminal.err.print(plain(text), soft_wrap=True),
    )
    return terminal.show(result, lambda console: _render(console, result))


def _render(console: Console, result: Served) -> None:
    from mcugen.text import number, plain
    from mcugen.ui.terminal import grid

    traffic = result.traffic
    console.print(
        grid(
            [
                ("shared", f"{plain(result.device)} at {result.url}"),
                ("clients", f"{number(traffic.clients)} · {number(traffic.refused)} refused"),
                ("bytes", f"{number(traffic.bytes_to_device)} to it · {number(traffic.bytes_from_device)} from it"),
            ]
        )
    )

"""An emulated board as a device: started for one firmware, ended in every case."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from mcugen.boards.emulated import named_emulator, require_model
from mcugen.boards.types import Board
from mcugen.device.child import Child
from mcugen.device.link import SocketTransport
from mcugen.device.own_time import OwnTime
from mcugen.emulators.types import Launch
from mcugen.errors import BoardError, DeviceError

_CONNECTS_WITHIN_S = 20.0


class EmulatedBoard:
    """An emulator running `elf` on `board`, and the firmware's UART as `transport`.

    A context manager; `stop` may be called any number of times. On Linux the emulator also ends when the thread that
    started it does, however that ends.

    Args:
        emulator: its name; None for the default one.
        start_seconds: how long it may take to open its port; None for what it usually needs.
        arguments: of the emulator's program, beyond those that every run has.

    Raises:
        BoardError: the emulator does not model the board.
        ToolError: it is not installed.
        DeviceError: there is no such firmware, the emulator ended, or it did not open its port in time.
    """

    def __init__(
        self,
        elf: Path,
        board: Board,
        emulator: str | None = None,
        *,
        start_seconds: float | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        chosen = named_emulator(emulator)
        if emulator is None and board.model(chosen.name) is None:
            raise BoardError(f"{board.name} has no emulator", hint="Pass the port that the board is connected to")
        model = require_model(board, chosen)
        if not elf.is_file():
            raise DeviceError("the firmware does not exist", where=str(elf), hint="Build it first")
        self._title, launch = chosen.title, chosen.launch(elf, board, model)
        if start_seconds is not None:
            launch = replace(launch, start_seconds=start_seconds)
        self._arguments = tuple(arguments)
        if launch.link == "socket":
            self._start_on_socket(launch)
        elif launch.link == "listener":
            self._start_on_listener(launch)
        else:
            self._start_on_port(launch)

    def _start_on_socket(self, launch: Launch) -> None:
        ours, theirs = socket.socketpair()
        try:
            command = [*launch.command(theirs.fileno()), *self._arguments]
            name = Path(command[0]).name
            self._child = Child(command, name, pass_fds=(theirs.fileno(),), on_end=ours.close)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._own_time = OwnTime(self._child.pid)
        self.transport = SocketTransport(ours, self._own_time)

    def _start_on_listener(self, launch: Launch) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            command = [*launch.command(int(server.getsockname()[1])), *self._arguments]
            self._child = Child(command, Path(command[0]).name)
            self._own_time = OwnTime(self._child.pid)
            try:
                ours = self._accept(server, launch.start_seconds or _CONNECTS_WITHIN_S)
            except BaseException:
                self._child.stop()
                raise
        self.transport = SocketTransport(ours, self._own_time)

    def _accept(self, server: socket.socket, seconds: float) -> socket.socket:
        """The UART's socket, as soon as the emulator has come for it."""
        server.settimeout(0.1)
        while self._own_time() < seconds:
            try:
                ours, _ = server.accept()
            except TimeoutError:
                self._child.check(0.0)
                continue
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return ours
        raise DeviceError(
            f"{self._title} did not connect to the UART's port within {seconds:.0f} s",
            where=self._title,
            hint="Does a firewall keep it from this computer's own ports?",
        )

    def _start_on_port(self, launch: Launch) -> None:
        folder = tempfile.TemporaryDirectory(prefix="mcugen-emulator-")
        try:
            for name, content in launch.files.items():
                if isinstance(content, Path):
                    _link(Path(folder.name) / name, content)
                else:
                    (Path(folder.name) / name).write_text(content, encoding="utf-8")
            port = _free_port()
            command = [*launch.command(port), *self._arguments]
            self._child = Child(command, Path(command[0]).name, cwd=Path(folder.name), on_end=folder.cleanup)
        except BaseException:
            folder.cleanup()
            raise
        self._own_time = OwnTime(self._child.pid)
        try:
            self.transport = SocketTransport(self._connect(port, launch.start_seconds), self._own_time)
        except BaseException:
            self._child.stop()
            raise

    def _connect(self, port: int, seconds: float) -> socket.socket:
        """The UART's socket, as soon as the emulator has opened it."""
        while self._own_time() < seconds:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:
                self._child.check(0.1)
        said = self._child.said()
        raise DeviceError(
            f"{self._title} did not open the UART's port within {seconds:.0f} s{': ' if said else ''}{said}",
            where=self._title,
            hint="Does its version have this platform, and can it download the platform's register descriptions?",
        )

    @property
    def own_time(self) -> Callable[[], float]:
        """Seconds as they pass for the emulator: a busy computer does not make it late."""
        return self._own_time

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self, seconds: float) -> None:
        """Raises DeviceError when the emulator has ended, or ends within `seconds`."""
        self._child.check(seconds)

    def stop(self) -> None:
        """Close the link, end the emulator and wait until it has ended."""
        self.transport.close()
        self._child.stop()

    def __enter__(self) -> EmulatedBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _link(path: Path, content: Path) -> None:
    try:
        path.symlink_to(content)
    except OSError:  # Windows lets not everybody make links
        shutil.copyfile(content, path)


def _free_port() -> int:
    """A TCP port that nobody listens on now. Should another program take it, its answers are no firmware's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

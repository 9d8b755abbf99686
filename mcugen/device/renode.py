"""Renode as a device: started for one firmware with the scripts that projects hold, reached by its UART's socket."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from pathlib import Path

from mcugen.boards.types import Board
from mcugen.device.child import Child
from mcugen.device.link import SocketTransport
from mcugen.errors import DeviceError, ToolError
from mcugen.project.renode import renode_files

START_S = 120.0
"""Renode takes seconds to start, and downloads register descriptions when it loads a platform for the first time."""

_RELEASES = "https://github.com/renode/renode/releases"


def find_renode() -> str:
    """Path of Renode.

    Raises:
        ToolError: it is not installed, with how to get it.
    """
    path = shutil.which("renode")
    if path is None:
        raise ToolError(
            "renode was not found, so nothing ran. The script, platform and Robot test for it passed a check of their "
            "syntax, which is no proof",
            hint=f"Install it from {_RELEASES} (a package for Debian and Fedora, an archive for the rest of Linux, an "
            "image for macOS) and put renode into PATH",
        )
    return path


class RenodeEmulator:
    """Renode running `elf` on `board`, its UART a TCP port of this computer. `stop` may be called any number of times.

    Raises:
        BoardError: mcugen does not know Renode's model of the board.
        ToolError: Renode is not installed.
        DeviceError: it ended, or did not open the port in time.
    """

    def __init__(self, elf: Path, board: Board, *, start_seconds: float = START_S) -> None:
        files = renode_files(board)
        if not elf.is_file():
            raise DeviceError("the firmware does not exist", where=str(elf), hint="Build it first")
        renode = find_renode()
        # Beside the scripts everything has a plain name, whatever the project's folder is called.
        folder = tempfile.TemporaryDirectory(prefix="mcugen-renode-")
        scripts = Path(folder.name)
        try:
            for path, text in files.items():
                (scripts / Path(path).name).write_text(text, encoding="utf-8")
            (scripts / "firmware.elf").symlink_to(elf.resolve())
            port = _free_port()
            commands = (f"$port={port}", "$elf=@firmware.elf", f"include @{board.name}.resc")
            arguments = [part for command in commands for part in ("-e", command)]
            self._child = Child(
                [renode, "--disable-gui", "--plain", *arguments], "renode", cwd=scripts, on_end=folder.cleanup
            )
        except BaseException:
            folder.cleanup()
            raise
        try:
            self.transport = SocketTransport(self._connect(port, start_seconds))
        except BaseException:
            self._child.stop()
            raise

    def _connect(self, port: int, seconds: float) -> socket.socket:
        """The UART's socket, as soon as Renode has opened it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:
                self._child.check(0.1)
        said = self._child.said()
        raise DeviceError(
            f"Renode did not open the UART's port within {seconds:.0f} s{': ' if said else ''}{said}",
            where="renode",
            hint="Does its version have this platform, and can it download the platform's register descriptions?",
        )

    def check(self, seconds: float) -> None:
        """Raises DeviceError when Renode has ended, or ends within `seconds`."""
        self._child.check(seconds)

    def stop(self) -> None:
        """Close the link, end Renode and wait until it has ended."""
        self.transport.close()
        self._child.stop()


def _free_port() -> int:
    """A TCP port that nobody listens on now. Should another program take it, its answers are no firmware's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

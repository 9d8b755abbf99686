"""QEMU as a device: started for one firmware, ended in every case."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import TracebackType

from mcugen.boards.architectures import ARM, Architecture
from mcugen.boards.types import Board
from mcugen.device.child import Child
from mcugen.device.link import SocketTransport
from mcugen.errors import BoardError, DeviceError, ToolError


def find_qemu(architecture: Architecture = ARM) -> str:
    """Path of the architecture's QEMU. Raises ToolError when it is not installed."""
    path = shutil.which(architecture.qemu)
    if path is None:
        raise ToolError(f"{architecture.qemu} was not found", hint=architecture.how_to_install_qemu())
    return path


class QemuEmulator:
    """QEMU running `elf` on `board`, connected by a socket pair: no port that another run could take.

    A context manager; `stop` may be called any number of times. On Linux QEMU also ends when the thread that started
    it does, however that ends.
    """

    def __init__(self, elf: Path, board: Board) -> None:
        if board.emulator is None:
            raise BoardError(f"{board.name} has no emulator", hint="Give the port that the board is connected to")
        if not elf.is_file():
            raise DeviceError("the firmware does not exist", where=str(elf), hint="Build it first")
        architecture = board.architecture
        qemu = find_qemu(architecture)
        ours, theirs = socket.socketpair()
        # The multiplexer reads ahead and feeds the UART whenever the program takes a byte, nearly twice as fast as the
        # socket alone; no byte is its escape character (256).
        command = [
            qemu,
            "-M",
            board.emulator.machine,
            *board.emulator.args,
            *architecture.qemu_args,
            "-icount",
            f"shift={board.emulator.icount_shift},align=off,sleep=off",
            "-nodefaults",
            "-display",
            "none",
            "-monitor",
            "none",
            "-chardev",
            f"socket,id=link,fd={theirs.fileno()},mux=on",
            "-serial",
            "chardev:link",
            "-echr",
            "256",
            "-kernel",
            str(elf.resolve()),
        ]
        try:
            self._child = Child(command, architecture.qemu, pass_fds=(theirs.fileno(),), on_end=ours.close)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.transport = SocketTransport(ours)

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self, seconds: float) -> None:
        """Raises DeviceError when QEMU has ended, or ends within `seconds`."""
        self._child.check(seconds)

    def stop(self) -> None:
        """End QEMU and wait until it has ended."""
        self._child.stop()

    def __enter__(self) -> QemuEmulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

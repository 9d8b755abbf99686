"""QEMU as a device: started for one firmware, ended in every case."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import IO

from mcugen.architectures import ARM, Architecture
from mcugen.boards import Board
from mcugen.device.link import SocketTransport
from mcugen.errors import BoardError, DeviceError, ToolError

_DIE_WITH_PARENT = """\
import ctypes, os, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == parent:
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux to kill this process when its parent dies (PR_SET_PDEATHSIG), then becomes QEMU. The second look at the
parent closes the gap in which it may have died already."""


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
        self._program = architecture.qemu
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        ours, theirs = socket.socketpair()
        # The multiplexer reads ahead and feeds the UART whenever the program takes a byte, nearly twice as fast as the
        # socket alone; no byte is its escape character (256).
        command = [
            qemu, "-M", board.emulator.machine, *board.emulator.args, *architecture.qemu_args,
            "-icount", f"shift={board.emulator.icount_shift},align=off,sleep=off",
            "-nodefaults", "-display", "none", "-monitor", "none",
            "-chardev", f"socket,id=link,fd={theirs.fileno()},mux=on", "-serial", "chardev:link", "-echr", "256",
            "-kernel", str(elf.resolve()),
        ]  # fmt: skip
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
        try:
            # A session of its own: Ctrl-C reaches us, and we end QEMU.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            self._stderr.close()
            raise
        finally:
            theirs.close()
        self.transport = SocketTransport(ours)
        self._finalizer = weakref.finalize(self, _end, self._process, ours, self._stderr)

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self, seconds: float) -> None:
        """Raises DeviceError when QEMU has ended, or ends within `seconds`."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        reason = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        raise DeviceError(f"the emulator ended {reason}{self._said()}", where=self._program)

    def _said(self) -> str:
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        text = self._stderr.read(4000).decode("utf-8", "replace").strip()
        return f": {text}" if text else ""

    def stop(self) -> None:
        """End QEMU and wait until it has ended."""
        self._finalizer()

    def __enter__(self) -> QemuEmulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end(process: subprocess.Popen[bytes], link: socket.socket, stderr: IO[bytes]) -> None:
    try:
        process.kill()
        process.wait(10)
    finally:
        link.close()
        stderr.close()

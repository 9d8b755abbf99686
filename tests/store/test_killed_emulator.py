"""The store on an emulated board whose memory is a file: the emulator is killed at every operation on flash."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mcugen.resources import resource_dir
from tests.store.flash import INCLUDES, NEVER, SOURCES

CC, QEMU = "arm-none-eabi-gcc", "qemu-system-arm"
FLASH_BASE, SLOT_BYTES, PAGE_BYTES = 0x21000000, 2048, 1024
MEMORY_BYTES = 16 << 20
OURS = 0xC0FFEE01
SIZE = 84
"""Of a head of 10 features and 2 classes in float32, less a little: no multiple of 16."""

SCRIPT = """
SECTIONS
{
  . = 0;
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
  . = 0x20000000;
  .bss : { *(.data*) *(.bss*) *(COMMON) }
  stack_top = 0x20010000;
}
"""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which(CC) is None, reason=f"{CC} is not installed"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    (folder / "x.ld").write_text(SCRIPT)
    driver = resource_dir("firmware") / "flash" / "mcg_flash_ram.c"
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-mcpu=cortex-m4", "-mthumb", *INCLUDES]
    renamed = ["-Dmcg_flash_erase=real_erase", "-Dmcg_flash_write=real_write"]
    numbers = {"FLASH_BASE": FLASH_BASE, "SLOT_BYTES": SLOT_BYTES, "PAGE_BYTES": PAGE_BYTES, "UART_BASE": 0x40004000}
    defined = [f"-D{name}={value:#x}u" for name, value in numbers.items()]
    sources = [Path(__file__).with_name("on_board.c"), *SOURCES]
    result = folder / "x.elf"
    for command in (
        [CC, *flags, *renamed, "-c", str(driver), "-o", str(folder / "driver.o")],
        [
            *(CC, *flags, *defined, "-nostartfiles", "--specs=nano.specs", f"-T{folder / 'x.ld'}"),
            *(*map(str, sources), str(folder / "driver.o"), "-o", str(result)),
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return result


@dataclass
class Board:
    """A running emulator."""

    process: subprocess.Popen[bytes]
    link: socket.socket

    def ask(self, what: bytes) -> str:
        self.link.sendall(what)
        line = b""
        while not line.endswith(b"\n"):
            got = self.link.recv(4096)
            assert got, "the emulator ended"
            line += got
        return line.decode().strip()

    def write(self, blob: bytes, cut: int = NEVER) -> str:
        numbers = (OURS, len(blob), cut)
        return self.ask(b"w" + b"".join(n.to_bytes(4, "little") for n in numbers) + blob)

    def find(self) -> bytes | None:
        answer = self.ask(b"f" + OURS.to_bytes(4, "little"))
        return None if answer == "none" else bytes.fromhex(answer.removeprefix("blob "))


@contextmanager
def running(elf: Path, memory: Path) -> Iterator[Board]:
    """An emulator whose board's memory is a file, which outlives it. It is killed in the end, whatever it does."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    process = subprocess.Popen(
        [
            *(QEMU, "-M", "mps2-an386,memory-backend=kept", "-m", "16"),
            *("-object", f"memory-backend-file,id=kept,size={MEMORY_BYTES},mem-path={memory},share=on"),
            *("-nodefaults", "-display", "none", "-monitor", "none"),
            *("-icount", "shift=7,align=off,sleep=off", "-nic", "none"),
            *("-chardev", f"socket,id=link,fd={theirs.fileno()},mux=on", "-serial", "chardev:link", "-echr", "256"),
            *("-kernel", str(elf)),
        ],
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    try:
        board = Board(process, ours)
        # A UART that does not listen yet may never hear what waits for it.
        assert board.ask(b"") == "ready"
        yield board
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        ours.close()


def blob(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(SIZE)


def new_memory(folder: Path) -> Path:
    memory = folder / "memory"
    with memory.open("wb") as file:
        file.truncate(MEMORY_BYTES)
    return memory


def test_the_emulator_is_killed_at_every_operation(elf: Path, tmp_path: Path) -> None:
    memory = new_memory(tmp_path)
    with running(elf, memory) as board:
        assert board.find() is None
        assert board.write(blob(0)).startswith("ok")
        answer = board.write(blob(1))
        operations = int(answer.removeprefix("ok "), 16)
        assert operations == SLOT_BYTES // PAGE_BYTES + SIZE // 4 + 8
    kept, news = blob(1), 0
    for cut in range(operations):
        new = blob(100 + cut)
        with running(elf, memory) as board:
            assert board.find() == kept, f"before the cut at {cut}"
            assert board.write(new, cut) == "cut"
        with running(elf, memory) as board:
            found = board.find()
        assert found in (kept, new), f"cut at {cut}"
        news += found == new
        kept = found
    # A word that is half written is not there: the new head counts with its header's last word alone.
    assert news == 0
    with running(elf, memory) as board:
        assert board.write(blob(2)).startswith("ok")
    with running(elf, memory) as board:
        assert board.find() == blob(2)


def test_the_emulator_is_killed_at_moments_that_nobody_chose(elf: Path, tmp_path: Path) -> None:
    """A kill comes while the board writes, wherever it is; what it had said to be kept is kept."""
    memory, kept = new_memory(tmp_path), None
    for number in range(12):
        new = blob(number)
        with running(elf, memory) as board:
            assert board.find() == kept
            board.link.sendall(b"w" + b"".join(n.to_bytes(4, "little") for n in (OURS, len(new), NEVER)) + new)
            time.sleep(number / 1000)
        with running(elf, memory) as board:
            found = board.find()
        assert found in (kept, new)
        kept = found

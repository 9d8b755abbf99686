"""A program that `mcugen.emulators.rp2040py` starts: runs a firmware in rp2040py, a UART at an inherited socket."""

from __future__ import annotations

import importlib
import logging
import select
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FLASH = 0x1000_0000
POLLS = 64
"""So often a UART without bytes is read in a row before the emulator waits for some."""

IDLE_S = 0.05


class HostFifo:
    """What the host sent: in the place of the UART's receive FIFO, so that no byte is ever lost."""

    def __init__(self, machine: SimpleNamespace) -> None:
        self._bytes: deque[int] = deque()
        self._machine, self._polls = machine, 0
        self.full = False

    def feed(self, data: bytes) -> None:
        self._bytes.extend(data)

    @property
    def empty(self) -> bool:
        if self._bytes:
            self._polls = 0
            return False
        self._polls += 1
        if self._polls >= POLLS:
            self._polls = 0
            self._machine.stopped = True
        return True

    def pull(self) -> int:
        return self._bytes.popleft() if self._bytes else 0

    def push(self, value: int) -> None:
        self._bytes.append(value)

    def reset(self) -> None:
        self._bytes.clear()


def load(chip: Any, path: str) -> None:
    """Programs the flash with an ELF file's segments."""
    from elftools.elf.elffile import ELFFile

    with Path(path).open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            at = segment["p_paddr"] - FLASH
            if segment["p_filesz"] and at >= 0:
                chip.flash[at : at + segment["p_filesz"]] = segment.data()


def main(elf: str, uart_number: int, link: socket.socket) -> None:
    """Runs until the host closes the link."""
    module: Callable[[str], Any] = importlib.import_module  # not a part of mcugen's own environment
    execute_batch = module("rp2040py.execute_batch").execute_batch
    logging.disable(logging.CRITICAL)  # registers that it does not model
    chip = module("rp2040py.rp2040").RP2040()
    chip.load_bootrom(module("rp2040py.device.bootrom").BOOTROM_B1)
    load(chip, elf)
    # The flash chip is no part of what is emulated: the boot ROM could not read it. Its second stage runs in place.
    chip.core.pc, chip.core.lr = FLASH, 0
    machine = SimpleNamespace(rp2040=chip, clock=chip.clock, stopped=False)
    received, sent = HostFifo(machine), bytearray()
    uart = chip.uart[uart_number]
    uart.rx_fifo, uart.on_byte = received, sent.append
    while True:
        execute_batch(machine, 1)  # alarms, SysTick's among them, come at their very cycle
        if sent:
            link.sendall(sent)
            sent.clear()
        if select.select([link], [], [], IDLE_S if machine.stopped else 0)[0]:
            data = link.recv(65_536)
            if not data:
                return
            received.feed(data)
        machine.stopped = False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))

"""A program that `mcugen.emulators.labwired` starts: runs a firmware in labwired, a UART at an inherited socket."""

from __future__ import annotations

import importlib
import select
import socket
import sys
from typing import Any

STEP = "1ms"
"""Of the firmware's own time, between looks at the link."""


def main(elf: str, chip: str, uart: str, link: socket.socket) -> None:
    """Runs until the host closes the link."""
    labwired: Any = importlib.import_module("labwired")  # not a part of mcugen's own environment
    with labwired.Sim(elf, chip=chip, uart=uart or None) as simulation:
        while True:
            simulation.run_for(STEP)
            if sent := simulation.read_uart_bytes():
                link.sendall(sent)
            if select.select([link], [], [], 0)[0]:
                data = link.recv(65_536)
                if not data:
                    return
                simulation.send_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], socket.socket(fileno=int(sys.argv[4])))

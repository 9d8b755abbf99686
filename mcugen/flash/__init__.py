"""Firmware onto boards: which port and probe, with which tool, and is it really the one that runs then?"""

from __future__ import annotations

from mcugen.flash.flash import Flashed, can_flash, connect_flashed, flash_board
from mcugen.flash.ports import Choose, SerialPort, serial_ports

__all__ = ["Choose", "Flashed", "SerialPort", "can_flash", "connect_flashed", "flash_board", "serial_ports"]

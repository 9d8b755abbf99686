"""Firmware onto boards: which port and probe, with which tool, and is it really the one that runs then?"""

from __future__ import annotations

from mcugen.flash.flash import Flashed, can_flash, check_flashing, connect_flashed, flash_board
from mcugen.flash.ports import Choose, SerialPort, asking_once, serial_ports
from mcugen.flash.usb import usb_ids

__all__ = [
    "Choose",
    "Flashed",
    "SerialPort",
    "asking_once",
    "can_flash",
    "check_flashing",
    "connect_flashed",
    "flash_board",
    "serial_ports",
    "usb_ids",
]

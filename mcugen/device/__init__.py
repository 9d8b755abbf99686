"""The device stage: a firmware and a board become a running device that answers."""

from __future__ import annotations

from mcugen.device.connecting import open_device
from mcugen.device.device import DEFAULT_TIMEOUT_S, Device
from mcugen.device.emulated import EmulatedBoard
from mcugen.device.protocol import Hello, TensorInfo
from mcugen.emulators.qemu import find_qemu

__all__ = ["DEFAULT_TIMEOUT_S", "Device", "EmulatedBoard", "Hello", "TensorInfo", "find_qemu", "open_device"]

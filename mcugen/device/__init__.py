"""The device stage: a firmware and a board become a running device that answers."""

from __future__ import annotations

from mcugen.device.device import DEFAULT_TIMEOUT_S, Device, open_device
from mcugen.device.protocol import Hello, TensorInfo
from mcugen.device.qemu import QemuEmulator, find_qemu

__all__ = ["DEFAULT_TIMEOUT_S", "Device", "Hello", "QemuEmulator", "TensorInfo", "find_qemu", "open_device"]

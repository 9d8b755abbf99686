"""Debug probes on USB, for tools that cannot list them. Linux only: elsewhere none are seen."""

from __future__ import annotations

import re
from pathlib import Path

from mcugen.flash.types import Probe

SYSFS = Path("/sys/bus/usb/devices")

_KINDS = {
    "stlink": r"0483:37(?:44|48|4[b-f]|5[2-7])",
    "jlink": r"1366:[0-9a-f]{4}",
    "cmsis-dap": r"0d28:0204",
}
_CMSIS_DAP = re.compile(r"CMSIS.DAP", re.IGNORECASE)
"""The specification demands these words in the product's name."""


def usb_probes(kind: str) -> list[Probe]:
    """Probes of a kind: "stlink", "jlink" or "cmsis-dap", as OpenOCD's interface files are called."""
    pattern = _KINDS.get(kind)
    if pattern is None:
        return []
    found = []
    for device in sorted(SYSFS.glob("*")):
        usb_id = f"{_read(device / 'idVendor')}:{_read(device / 'idProduct')}"
        product = _read(device / "product")
        if re.fullmatch(pattern, usb_id) or (kind == "cmsis-dap" and _CMSIS_DAP.search(product)):
            found.append(Probe(_read(device / "serial"), product or usb_id))
    return found


def usb_ids() -> list[str]:
    """The "VID:PID" of everything on USB, in lower case."""
    ids = (f"{_read(device / 'idVendor')}:{_read(device / 'idProduct')}" for device in sorted(SYSFS.glob("*")))
    return [usb_id for usb_id in ids if usb_id != ":"]


def sees_usb(kind: str) -> bool:
    """Whether an empty list of a kind's probes means that there are none."""
    return kind in _KINDS and SYSFS.is_dir()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

"""What `flash` and `deploy` share: a device that was just flashed."""

from __future__ import annotations

from dataclasses import replace

from mcugen.device.device import Device
from mcugen.flash import Choose, Flashed, connect_flashed, flash_board
from mcugen.flow.ready import Ready
from mcugen.progress import Progress


def flash_and_connect(
    ready: Ready,
    *,
    port: str | None,
    probe: str | None,
    tool: str | None,
    choose: Choose | None,
    progress: Progress,
) -> tuple[Device, Flashed]:
    """Flash a built project's board, and connect to it: it runs this firmware and model, or this fails.

    Gives the port as well that it answers at.

    Raises:
        McugenError: see `mcugen.flash`.
    """
    progress("flashing", -1.0)
    flashed = flash_board(ready.firmware, ready.board, port=port, probe=probe, tool=tool, choose=choose)
    progress("waiting for the board", -1.0)
    sha256 = ready.plan.graph.sha256
    device, port = connect_flashed(flashed, ready.firmware, ready.board, model_sha256=sha256, choose=choose)
    return device, replace(flashed, port=port)

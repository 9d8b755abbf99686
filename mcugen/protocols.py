"""What a firmware speaks over its UART, by its name on the command line."""

from __future__ import annotations

from typing import Literal, get_args

Protocol = Literal["mcugen", "mlperf"]
"""docs/PROTOCOL.md, which everything here that talks to a device needs, or the MLPerf Tiny benchmark's."""

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

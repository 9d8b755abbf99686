"""The names of the runtimes. A module of its own, so that the command line needs nothing heavy to know them."""

from __future__ import annotations

from typing import Literal

Runtime = Literal["aot", "tflm"]

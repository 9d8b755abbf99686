"""References that the device is compared with, each in a process of its own.

Names are loaded at their first use: the oracle's process, which starts for every model, is a module of this package and
needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcugen.oracle.inputs import make_inputs as make_inputs
    from mcugen.oracle.oracle import Oracle as Oracle

__all__ = ["Oracle", "make_inputs"]

if not TYPE_CHECKING:  # where type checkers saw this, a misspelt name would be an Any to them

    def __getattr__(name: str) -> Any:
        if name == "Oracle":
            from mcugen.oracle.oracle import Oracle as found
        elif name == "make_inputs":
            from mcugen.oracle.inputs import make_inputs as found
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return found

"""The command `mcugen`, also as `python -m mcugen`."""

from __future__ import annotations

import gc
import os

# What the module `signal` is made of, which takes 20 ms to import, in which Ctrl-C may come.
from _signal import SIGINT, signal  # type: ignore[import-not-found]

_INTERRUPTED = 130

# NumPy starts threads for large matrices when it is imported, a third of its time, in this process and its children.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


_OBJECTS_BEFORE_A_COLLECTION = 50_000
"""Of the youngest; importing makes hundreds of thousands that stay. Python's 700 cost an eighth of a short command."""


def main() -> None:
    """Entry point. Importing takes a moment, in which Ctrl-C ends it without a traceback."""
    signal(SIGINT, lambda *_: os._exit(_INTERRUPTED))
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
    from mcugen.cli import main as run

    run()


if __name__ == "__main__":
    main()

"""The command `mcugen`, also as `python -m mcugen`."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

_INTERRUPTED = 130


def main() -> NoReturn:
    """Entry point. Importing takes a moment, in which Ctrl-C ends it without a traceback."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from mcugen.cli import main as run

    run()


if __name__ == "__main__":
    main()

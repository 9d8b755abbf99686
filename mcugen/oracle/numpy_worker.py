"""The process of mcugen's own reference: answers over its standard streams."""

from __future__ import annotations

import os
import signal
import sys

from mcugen.oracle.serving import serve
from mcugen.reference import NumpyReference


def main() -> None:
    """Serve one model. What is printed on the way goes to stderr, not among the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: whoever started us decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(NumpyReference, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()

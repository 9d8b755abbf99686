"""Compares one model with the oracle while both sanitizers watch: see :func:`tests.fuzz.models.watched`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.fuzz.models import ADDRESSES, TARGETS, _compare

if __name__ == "__main__":
    found = _compare(Path(sys.argv[1]).read_bytes(), TARGETS[int(sys.argv[2])], ADDRESSES)
    os._exit(found)

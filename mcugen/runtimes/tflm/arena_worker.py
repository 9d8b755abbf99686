"""A process that finds the smallest arena with which TFLM's host interpreter takes a model; talks JSON on stdout.

A process of its own, because TFLM does not survive every arena that is too small.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from re import search

ALIGNMENT = 16


def main() -> None:
    """Read a model from stdin; print a line of JSON for the generous arena and for every smaller one that works."""
    from tflite_micro import runtime

    model = sys.stdin.buffer.read()
    generous = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=generous)
        interpreter.print_allocations()
        del interpreter
        printed.seek(0)
        found = search(rb"Arena allocation total (\d+) bytes", printed.read())
        used = int(found.group(1)) if found else 0

        def tell(works: int) -> None:
            answers.write(json.dumps({"used": used, "works": works}) + "\n")
            answers.flush()

        tell(generous)
        fails, works = used // ALIGNMENT - 1, generous // ALIGNMENT
        # Close to what is used as a rule: look there first.
        near = used // ALIGNMENT + 256
        if near < works and _takes(runtime, model, near * ALIGNMENT):
            works = near
            tell(works * ALIGNMENT)
        while works - fails > 1:
            middle = (fails + works) // 2
            if _takes(runtime, model, middle * ALIGNMENT):
                works = middle
                tell(works * ALIGNMENT)
            else:
                fails = middle


def _takes(runtime: object, model: bytes, arena_bytes: int) -> bool:
    try:
        runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)  # type: ignore[attr-defined]
    except RuntimeError:
        return False
    return True


if __name__ == "__main__":
    main()

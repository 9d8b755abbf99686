"""Confine this process, then run a module: `python -m mcugen.guard.enter FOLDER MODEL_BYTES MODULE ARGUMENTS…`."""

from __future__ import annotations

import json
import runpy
import sys
import threading
from pathlib import Path

from mcugen.guard.confine import confine

WALLS = "walls.json"
"""File in the folder that lists the walls which stand."""


def main() -> None:
    folder, model_bytes, module, *arguments = sys.argv[1:]
    if threading.active_count() != 1:
        raise RuntimeError("a thread runs already, which would not be confined")
    walls = confine(Path(folder), int(model_bytes))
    (Path(folder) / WALLS).write_text(json.dumps(walls), encoding="utf-8")
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

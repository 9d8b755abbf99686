"""Writes the table of scores of docs/PROOF.md: python -m tools.mutants.scores FILE.json …

The files are those that `python -m tools.mutants --json FILE` and `python -m tools.mutants.c --json FILE` write; where
several know a module, the last one counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = "| module or header | faults | noticed | explained | score |\n|---|---|---|---|---|"


def rows(scores: Sequence[dict[str, Any]]) -> list[str]:
    """A row per module. Faults that nobody can judge, as they do not compile, are left out."""
    found = {score["module"]: score for score in scores}
    lines = []
    for module, score in sorted(found.items()):
        faults = score["killed"] + score["explained"] + len(score["survivors"])
        lines.append(f"| `{module}` | {faults} | {score['killed']} | {score['explained']} | {score['score']} % |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    names = sys.argv[1:] if arguments is None else arguments
    scores = [score for name in names for score in json.loads(Path(name).read_text(encoding="utf-8"))]
    print("\n".join([HEAD, *rows(scores)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

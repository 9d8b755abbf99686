"""Writes docs/PLATFORMS.md from tools/platforms.toml and the board files, by tools/docs.py."""

# ruff: noqa: E501 (rows of Markdown tables cannot be broken)

from __future__ import annotations

import runpy
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mcugen.boards.shipped import load_boards

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOOLS = Path(__file__).resolve().parent
TARGET = TOOLS.parent / "docs" / "PLATFORMS.md"

INTRO = """\
# Platforms

Generated from `tools/platforms.toml` and `boards/` by `make docs`. What was seen where, and what was not:

| | |
|---|---|
| **run** | Every change runs it (`.ci/run`, on Debian 12, x86-64). |
| **run once** | Somebody ran it by hand; the remark says when and how. |
| **simulated** | The code for that system runs in tests on Linux, with stand-ins for what only that system has (`tests/desks`). |
| **only written** | No such computer has run it. `.github/workflows/test.yml` has the jobs that would; its syntax and schema are checked. |

## Computers
"""

BOARDS = """\
## Boards

| boards | how many | built | run | flashed, and run on hardware |
|---|--:|---|---|---|
"""

KINDS = {
    "emulated": (
        "own start-up, emulated by QEMU",
        "run",
        "run, bit for bit",
        "only written; device doubles stand for boards",
    ),
    "built": (
        "own start-up, no emulator",
        "run",
        "the same code on an emulated board of the same core",
        "only written",
    ),
    "linted": (
        "Arduino framework",
        "only written: PlatformIO's parser reads the configuration",
        "port, harness and model on the host, bit for bit",
        "only written",
    ),
}
"""By how far a board is proved (docs/BOARDS.md)."""


def table() -> dict[str, Any]:
    """The data, read."""
    with (TOOLS / "platforms.toml").open("rb") as file:
        return tomllib.load(file)


def document() -> str:
    """The text of docs/PLATFORMS.md."""
    data = table()
    states, systems = data["states"], data["systems"]
    lines = [INTRO, f"| | {' | '.join(system['title'] for system in systems)} | |", f"|---|{'---|' * len(systems)}---|"]
    for part in data["parts"]:
        cells = [states[part[system["name"]]] for system in systems]
        lines.append(f"| {part['what']} | {' | '.join(cells)} | {part['remark']} |")
    lines += ["", "## Pythons", "", "| Python | | |", "|---|---|---|"]
    lines += [f"| {python['version']} | {states[python['state']]} | {python['remark']} |" for python in data["pythons"]]
    lines += ["", "## Installing", "", "| way | | |", "|---|---|---|"]
    lines += [f"| {way['what']} | {states[way['state']]} | {way['remark']} |" for way in data["ways"]]
    proof = runpy.run_path(str(TOOLS / "boards_doc.py"))["proof"]
    counted = Counter(proof(board) for board in load_boards().values())
    lines += ["", BOARDS.rstrip()]
    lines += [f"| {KINDS[kind][0]} | {counted[kind]} | {' | '.join(KINDS[kind][1:])} |" for kind in KINDS]
    return "\n".join(lines)

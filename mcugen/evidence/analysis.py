"""What compilers, analyzers and MISRA C:2012's checker say about the exported C."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen.evidence.deviations import DEVIATIONS
from mcugen.evidence.tools import beside, host_gcc, require, run_tool, version_of

WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wstrict-prototypes",
    "-Wundef",
)
_C_ONLY = ("-Wstrict-prototypes",)


@dataclass(frozen=True)
class Finding:
    """One tool's run over the sources; `said` is empty where it found nothing."""

    tool: str
    version: str
    command: str
    said: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        return {"tool": self.tool, "version": self.version, "command": self.command, "findings": self.count}


def compilers_say(folder: Path, sources: Sequence[str], headers: Sequence[str], cross: Sequence[str]) -> list[Finding]:
    """Warnings of every compiler that is there: for the host, for the target, and of C++ for the headers.

    Args:
        cross: the target's compiler, and its flags.

    Raises:
        ToolError: a compiler that evidence needs is missing.
    """
    runs: list[tuple[str, list[str]]] = [
        ("warnings-host-gcc", [host_gcc(), "-std=c99", "-O2", *WARNINGS, "-fsyntax-only", *sources]),
        ("warnings-target-gcc", [*cross, "-std=c99", "-O2", *WARNINGS, "-c", *sources]),
    ]
    if clang := shutil.which("clang"):
        runs.append(("warnings-host-clang", [clang, "-std=c99", "-O2", *WARNINGS, "-fsyntax-only", *sources]))
    if plus := shutil.which(beside(cross[0], "g++")):
        flags = [flag for flag in WARNINGS if flag not in _C_ONLY]
        cpp = [plus, *cross[1:], "-std=c++11", *flags, "-fsyntax-only", "-x", "c++", *headers]
        runs.append(("warnings-target-g++-headers", cpp))
    return [_ran(tool, command, folder) for tool, command in runs]


def analyzers_say(folder: Path, sources: Sequence[str]) -> list[Finding]:
    """GCC's analyzer, and clang's where it is installed."""
    runs = [("gcc-analyzer", [host_gcc(), "-std=c99", "-fanalyzer", "-c", *sources])]
    if clang := shutil.which("clang"):
        runs.append(("clang-analyzer", [clang, "-std=c99", "--analyze", "--analyzer-output", "text", *sources]))
    return [_ran(tool, command, folder) for tool, command in runs]


_SAID = re.compile(r"^\S+:\d+:\d+: (?:warning|error):", re.MULTILINE)
_IN_HEADER = re.compile(r"^\S+: warning: #pragma once in main file.*\n(?:.*\n){0,2}?", re.MULTILINE)


def _ran(tool: str, command: list[str], folder: Path) -> Finding:
    ran = run_tool(command, folder, tool)
    for leftover in folder.glob("*.o"):
        leftover.unlink()
    said = _IN_HEADER.sub("", ran.output).strip()
    count = len(_SAID.findall(said))
    return Finding(tool, version_of(command[0]), ran.command, said, max(count, 1 if ran.code != 0 else 0))


@dataclass(frozen=True)
class Misra:
    """What cppcheck's MISRA add-on found.

    Attributes:
        counts: findings by guideline.
        undocumented: guidelines among them whose deviation nobody has justified.
        lines: every finding, `rule file:line`.
    """

    version: str
    command: str
    counts: tuple[tuple[str, int], ...]
    undocumented: tuple[str, ...]
    lines: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "tool": "cppcheck, add-on misra",
            "version": self.version,
            "command": self.command,
            "guidelines": dict(self.counts),
            "undocumented": list(self.undocumented),
        }

    def document(self) -> str:
        """The deviations, each with its justification."""
        lines = ["# Deviations from MISRA C:2012", "", f"Found by {self.version}: `{self.command}`.", ""]
        lines += ["| guideline | findings | about | why |", "|---|---:|---|---|"]
        for rule, count in self.counts:
            about, why = DEVIATIONS.get(rule, ("", "**not documented**"))
            lines.append(f"| {rule} | {count} | {about} | {why} |")
        return "\n".join([*lines, ""])


_FINDING = re.compile(r"^misra-c2012-([\d.]+)\|([^|]*)\|(\d+)$", re.MULTILINE)


_TABLE = re.compile(r"(?<=\] = \{\n)[-0-9a-z.,() \n]{200,}(?=\n *\};)")


def _without_numbers(table: re.Match[str]) -> str:
    """A table of zeros on as many lines: findings keep their places."""
    return "    0" + "\n" * table[0].count("\n")


def misra_says(folder: Path, sources: Sequence[str]) -> Misra:
    """Check the sources as plain C99, without the numbers in their tables, of which the checker reads thousands.

    Raises:
        ToolError: cppcheck is not installed.
    """
    path = require("cppcheck", "cppcheck")
    command = [path, "--addon=misra", "--enable=style", "--std=c99", "--platform=unix32", "-q", "-I."]
    copies = folder / "misra"
    for file in sorted(folder.rglob("*.[ch]")):
        copy = copies / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_TABLE.sub(_without_numbers, file.read_text(encoding="utf-8")), encoding="utf-8")
    ran = run_tool([*command, "--template={id}|{file}|{line}", *sources], copies, "cppcheck")
    shutil.rmtree(copies)
    found = sorted(set(_FINDING.findall(ran.output)), key=lambda item: (_order(item[0]), item[1], int(item[2])))
    counts = Counter(rule for rule, _, _ in found)
    rules = sorted(counts, key=_order)
    return Misra(
        version=version_of(path),
        command=ran.command,
        counts=tuple((rule, counts[rule]) for rule in rules),
        undocumented=tuple(rule for rule in rules if rule not in DEVIATIONS),
        lines=tuple(f"{rule} {file}:{line}" for rule, file, line in found),
    )


def _order(rule: str) -> tuple[int, ...]:
    return tuple(int(part) for part in rule.split("."))

"""Judges changed kernels: the sets of cases of tests/kernels, compiled with the changed header and run.

A change is tried without sanitizers first, which takes a third of the time and notices most. What lives is tried with
them: reading beyond an array often has no other effect.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcugen.resources import resource_dir
from mcugen.runtimes.aot.emit.host import host_compiler
from tests.kernels.case_sets import CASE_SETS
from tests.kernels.standalone.program import KERNELS, SANITIZED, compile_program, compile_unchanging, run_program
from tools.mutants.c_mutate import CMutant

PLAIN = ("-O0",)

_CPU_SECONDS = 2
"""An unchanged program takes less than a tenth of one."""


@dataclass
class CJudge:
    """The programs of all sets, unchanged.

    Attributes:
        folder: where they are.
        headers: names of the headers that each set's program includes.
        objects: of each set and flags, what no change of a kernel changes.
    """

    folder: Path
    headers: Mapping[str, frozenset[str]]
    objects: Mapping[tuple[str, Sequence[str]], Sequence[Path]]
    _kills: Counter[str] = field(default_factory=Counter)

    def outcome(self, header: str, mutant: CMutant) -> str:
        """What becomes of a fault: "killed", "survived", or "stillborn" where it does not compile."""
        sets = [name for name, headers in self.headers.items() if header in headers]
        sets.sort(key=lambda name: -self._kills[f"{header} {name}"])
        for flags in (PLAIN, SANITIZED):
            for name in sets:
                outcome = self._run(name, header, mutant.text, flags)
                if outcome != "survived":
                    self._kills[f"{header} {name}"] += 1
                    return outcome
        return "survived"

    def _run(self, name: str, header: str, text: str, flags: Sequence[str]) -> str:
        path = self.folder / name / KERNELS / header
        original = path.read_text()
        path.write_text(text)
        try:
            if compile_program(path.parents[1], flags, self.objects[name, flags]):
                return "stillborn"
            return "killed" if run_program(path.parents[1], _CPU_SECONDS) else "survived"
        finally:
            path.write_text(original)


def write_judge(folder: Path, headers: Iterable[str], sets: Mapping[str, Callable[[Path], None]] = CASE_SETS) -> CJudge:
    """Write the programs of the sets that include one of the headers, and see that each ends well unchanged.

    Raises:
        RuntimeError: one does not.
    """
    wanted = set(headers)
    found: dict[str, frozenset[str]] = {}
    objects: dict[tuple[str, Sequence[str]], Sequence[Path]] = {}
    for name, write in sets.items():
        place = folder / name
        place.mkdir()
        write(place)
        included = frozenset(path.name for path in (place / KERNELS).glob("*.h"))
        if not included & wanted:
            shutil.rmtree(place)
            continue
        for flags in (PLAIN, SANITIZED):
            objects[name, flags] = compile_unchanging(place, flags)
            problem = compile_program(place, flags, objects[name, flags]) or run_program(place, _CPU_SECONDS)
            if problem:
                raise RuntimeError(f"the set {name!r} fails without any change: {problem}")
        found[name] = included
    return CJudge(folder, found, objects)


def compiled_lines(path: Path) -> frozenset[int]:
    """Numbers of the lines of a header that this computer compiles."""
    folders = sorted({f"-I{header.parent}" for header in (resource_dir("firmware") / KERNELS).rglob("*.h")})
    command = [host_compiler(), "-std=c99", "-E", "-fdirectives-only", *folders, "-include", str(path)]
    result = subprocess.run([*command, "-xc", "/dev/null"], capture_output=True, text=True, check=True)
    lines: set[int] = set()
    number, inside = 0, False
    for line in result.stdout.splitlines():
        mark = re.match(r'# (\d+) "([^"]*)"', line)
        if mark:
            number, inside = int(mark[1]), mark[2] == str(path)
            continue
        if inside and line.strip():
            lines.add(number)
        number += 1
    return frozenset(lines)

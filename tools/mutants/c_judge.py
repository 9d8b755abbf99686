"""Judges changed kernels: the sets of cases of tests/kernels, compiled with the changed header and run.

A change is tried without sanitizers first, which takes a third of the time and notices most. What lives is tried with
them: reading beyond an array often has no other effect.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from mcugen.resources import resource_dir
from mcugen.runtimes.aot.emit.host import host_compiler
from tests.kernels.case_sets import CASE_SETS
from tests.kernels.standalone.program import (
    KERNELS,
    SANITIZED,
    compile_program,
    compile_unchanging,
    run_program,
    unchanging_objects,
)
from tools.mutants.c_mutate import CMutant

PLAIN = ("-O0",)

_CPU_SECONDS = 2
"""An unchanged program takes less than a tenth of one."""


@dataclass(frozen=True)
class CResult:
    """A fault and what became of it: "killed", "survived", or "stillborn" where it does not compile."""

    mutant: CMutant
    outcome: str


@dataclass(frozen=True)
class CJudge:
    """The programs of all sets, unchanged.

    Attributes:
        folders: copies of all programs, one for each process that may run at a time.
        headers: names of the headers that each set's program includes.
    """

    folders: tuple[Path, ...]
    headers: Mapping[str, frozenset[str]]
    _kills: Counter[str] = field(default_factory=Counter)

    def judge(self, header: str, mutants: Sequence[CMutant]) -> Iterator[CResult]:
        """What becomes of each fault of a header, in their order."""
        free: SimpleQueue[Path] = SimpleQueue()
        for folder in self.folders:
            free.put(folder)

        def outcome(mutant: CMutant) -> CResult:
            folder = free.get()
            try:
                return CResult(mutant, self._outcome(folder, header, mutant))
            finally:
                free.put(folder)

        with ThreadPoolExecutor(len(self.folders)) as threads:
            yield from threads.map(outcome, mutants)

    def _outcome(self, folder: Path, header: str, mutant: CMutant) -> str:
        sets = [name for name, headers in self.headers.items() if header in headers]
        sets.sort(key=lambda name: -self._kills[f"{header} {name}"])
        for flags in (PLAIN, SANITIZED):
            for name in sets:
                outcome = _run(folder / name, header, mutant.text, flags)
                if outcome != "survived":
                    self._kills[f"{header} {name}"] += 1
                    return outcome
        return "survived"


def _run(program: Path, header: str, text: str, flags: Sequence[str]) -> str:
    path = program / KERNELS / header
    original = path.read_text()
    path.write_text(text)
    try:
        if compile_program(program, flags, unchanging_objects(program, flags)):
            return "stillborn"
        return "killed" if run_program(program, _CPU_SECONDS) else "survived"
    finally:
        path.write_text(original)


def write_judge(
    folder: Path, headers: Iterable[str], sets: Mapping[str, Callable[[Path], None]] = CASE_SETS, jobs: int = 1
) -> CJudge:
    """Write the programs of the sets that include one of the headers, and see that each ends well unchanged.

    Raises:
        RuntimeError: one does not.
    """
    wanted = set(headers)
    found: dict[str, frozenset[str]] = {}
    first, *others = (folder / str(number) for number in range(jobs))
    for name, write in sets.items():
        place = first / name
        place.mkdir(parents=True)
        write(place)
        included = frozenset(path.name for path in (place / KERNELS).glob("*.h"))
        if not included & wanted:
            shutil.rmtree(place)
            continue
        for flags in (PLAIN, SANITIZED):
            compile_unchanging(place, flags)
            problem = compile_program(place, flags, unchanging_objects(place, flags)) or run_program(
                place, _CPU_SECONDS
            )
            if problem:
                raise RuntimeError(f"the set {name!r} fails without any change: {problem}")
        found[name] = included
    for other in others:
        shutil.copytree(first, other)
    return CJudge((first, *others), found)


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

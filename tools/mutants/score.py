"""What is said about a module or a header: how many of its faults were noticed, and which were not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tools.mutants.table import Explanation, Fault, Target

ENOUGH = 95.0
"""Per cent of the faults that tests must notice. Explained ones count neither way."""


class Outcome(Protocol):
    """A fault and what became of it: "killed", "died", "survived" or "stillborn"."""

    @property
    def mutant(self) -> Fault: ...

    @property
    def outcome(self) -> str: ...


@dataclass(frozen=True)
class Score:
    """What the tests of a module noticed."""

    module: str
    path: Path
    killed: int
    survivors: tuple[Fault, ...]
    explained: tuple[tuple[Fault, Explanation], ...]
    stillborn: int
    obsolete: tuple[Explanation, ...]

    @property
    def per_cent(self) -> float:
        judged = self.killed + len(self.survivors)
        return 100.0 * self.killed / judged if judged else 100.0

    @property
    def passed(self) -> bool:
        return self.per_cent >= ENOUGH and not self.obsolete

    def to_dict(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "killed": self.killed,
            "explained": len(self.explained),
            "stillborn": self.stillborn,
            "score": round(self.per_cent, 1),
            "survivors": [_as_dict(fault) for fault in self.survivors],
            "obsolete_explanations": [vars(explanation) for explanation in self.obsolete],
            "passed": self.passed,
        }


def _as_dict(fault: Fault) -> dict[str, Any]:
    return {
        "number": fault.number,
        "line": fault.line,
        "function": fault.function,
        "before": fault.before,
        "after": fault.after,
    }


def score(target: Target, path: Path, results: Sequence[Outcome], *, complete: bool) -> Score:
    """The score of a target. `complete`: all of its faults were tried, so that every explanation must fit one."""
    survived = [r.mutant for r in sorted(results, key=lambda r: r.mutant.number) if r.outcome == "survived"]
    explained = [(fault, why) for fault in survived if (why := target.explanation(fault)) is not None]
    used = [why for _, why in explained]
    return Score(
        module=target.module,
        path=path,
        killed=sum(r.outcome in ("killed", "died") for r in results),
        survivors=tuple(fault for fault in survived if target.explanation(fault) is None),
        explained=tuple(explained),
        stillborn=sum(r.outcome == "stillborn" for r in results),
        obsolete=tuple(why for why in target.equivalent if why not in used) if complete else (),
    )


def finish(scores: Sequence[Score], path: Path | None) -> int:
    """The exit code of the tool; writes the scores into a file, too, if there is one."""
    if path is not None:
        path.write_text(json.dumps([found.to_dict() for found in scores], indent=2) + "\n", encoding="utf-8")
    return 0 if all(found.passed for found in scores) else 1


def show(found: Score, stillborn: str) -> None:
    """Print a score; `stillborn` says what is wrong with faults that nobody can judge."""
    judged = found.killed + len(found.survivors)
    print(
        f"{found.module}: {found.per_cent:.1f} % ({found.killed} of {judged} faults noticed, "
        f"{len(found.explained)} explained, {found.stillborn} {stillborn})"
    )
    for fault in found.survivors:
        print(f"  survived: {found.path}:{fault.line} [{fault.number}] in {fault.function or 'the module'}")
        print(f"    before: {fault.before}")
        print(f"    after:  {fault.after}")
    for fault, why in found.explained:
        print(f"  explained: {found.path}:{fault.line} [{fault.number}] {fault.after}")
        print(f"    {why.why}")
    for why in found.obsolete:
        print(f"  explains no survivor any more: {why.function}: {why.before} -> {why.after}")

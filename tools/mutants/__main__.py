"""Puts faults into modules and counts those that their tests notice: python -m tools.mutants [--module NAME]

Every module with a table in tests/mutants/ is judged. Exit code 1 where a score is too low, or where an explanation
in a table fits no surviving fault any more.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is loaded: threads and fork do not go together
os.environ["MCUGEN_MODELS"] = os.devnull  # what is not part of the repository may not be what notices a fault

from tools.mutants.judge import Judge, JudgeError, Result  # noqa: E402
from tools.mutants.mutate import mutants_of  # noqa: E402
from tools.mutants.table import Explanation, TableError, Target, read_targets  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
ENOUGH = 95.0
"""Per cent of a module's faults that its tests must notice. Explained ones count neither way."""


@dataclass(frozen=True)
class Score:
    """What the tests of a module noticed."""

    module: str
    path: Path
    killed: int
    survivors: tuple[Result, ...]
    explained: tuple[tuple[Result, Explanation], ...]
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
            "survivors": [_as_dict(result) for result in self.survivors],
            "obsolete_explanations": [vars(explanation) for explanation in self.obsolete],
            "passed": self.passed,
        }


def _as_dict(result: Result) -> dict[str, Any]:
    mutant = result.mutant
    return {
        "number": mutant.number,
        "line": mutant.line,
        "function": mutant.function,
        "before": mutant.before,
        "after": mutant.after,
    }


def _judge(target: Target, root: Path, only: Sequence[int], jobs: int) -> Score:
    judge = Judge(target.module, target.tests, root)
    judge.prepare()
    mutants = [m for m in mutants_of(judge.source) if not only or m.number in only]
    results = []
    for result in judge.judge(mutants, jobs):
        results.append(result)
        if sys.stderr.isatty():
            print(f"\r{target.module}: {len(results)} of {len(mutants)}", end="", file=sys.stderr, flush=True)
        if only:
            print(f"{result.mutant.number}: {result.outcome} {result.killer}")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    path = judge.path.relative_to(root) if judge.path.is_relative_to(root) else judge.path
    return _score(target, path, results, complete=not only)


def _score(target: Target, path: Path, results: Sequence[Result], *, complete: bool) -> Score:
    survived = [r for r in sorted(results, key=lambda r: r.mutant.number) if r.outcome == "survived"]
    explained = [(r, why) for r in survived if (why := target.explanation(r.mutant)) is not None]
    used = [why for _, why in explained]
    return Score(
        module=target.module,
        path=path,
        killed=sum(r.outcome in ("killed", "died") for r in results),
        survivors=tuple(r for r in survived if target.explanation(r.mutant) is None),
        explained=tuple(explained),
        stillborn=sum(r.outcome == "stillborn" for r in results),
        obsolete=tuple(why for why in target.equivalent if why not in used) if complete else (),
    )


def _show(score: Score) -> None:
    judged = score.killed + len(score.survivors)
    print(
        f"{score.module}: {score.per_cent:.1f} % ({score.killed} of {judged} faults noticed, "
        f"{len(score.explained)} explained, {score.stillborn} that cannot be imported)"
    )
    for result in score.survivors:
        mutant = result.mutant
        print(f"  survived: {score.path}:{mutant.line} [{mutant.number}] in {mutant.function or 'the module'}")
        print(f"    before: {mutant.before}")
        print(f"    after:  {mutant.after}")
    for result, why in score.explained:
        print(f"  explained: {score.path}:{result.mutant.line} [{result.mutant.number}] {result.mutant.after}")
        print(f"    {why.why}")
    for why in score.obsolete:
        print(f"  explains no survivor any more: {why.function}: {why.before} -> {why.after}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--module", action="append", default=[], metavar="NAME", help="only modules whose name holds this"
    )
    parser.add_argument("--only", type=int, nargs="+", default=[], metavar="N", help="only these faults, by number")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at once (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores into a file, too")
    parser.add_argument("--tables", type=Path, default=ROOT / "tests" / "mutants", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        targets = [
            t for t in read_targets(given.tables) if not given.module or any(n in t.module for n in given.module)
        ]
        if not targets:
            parser.error("no module has such a name")
        if given.only and len(targets) > 1:
            parser.error("--only needs --module with one module")
        scores = []
        for target in targets:
            scores.append(_judge(target, given.root.resolve(), given.only, given.jobs))
            _show(scores[-1])
    except (JudgeError, TableError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        given.json.write_text(json.dumps([score.to_dict() for score in scores], indent=2) + "\n", encoding="utf-8")
    return 0 if all(score.passed for score in scores) else 1


if __name__ == "__main__":
    sys.exit(main())

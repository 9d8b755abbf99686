"""Puts faults into modules and counts those that their tests notice: python -m tools.mutants [--module NAME]

Every module with a table in tests/mutants/ is judged. Exit code 1 where a score is too low, or where an explanation
in a table fits no surviving fault any more.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is loaded: threads and fork do not go together
os.environ["MCUGEN_MODELS"] = os.devnull  # what is not part of the repository may not be what notices a fault

from tools.mutants.judge import Judge, JudgeError  # noqa: E402
from tools.mutants.mutate import mutants_of  # noqa: E402
from tools.mutants.score import Score, finish, score, show  # noqa: E402
from tools.mutants.table import TableError, Target, read_targets  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent


def _judge(target: Target, root: Path, only: Sequence[int], jobs: int) -> Score:
    judge = Judge(target.module, target.tests, root)
    judge.prepare()
    mutants = [m for m in mutants_of(judge.source) if not only or m.number in only]
    results = []
    for result in judge.judge(mutants, jobs):
        results.append(result)
        if sys.stderr.isatty():
            print(f"\r{target.module}: {len(results)} of {len(mutants)}", end="", file=sys.stderr, flush=True)
        elif len(results) % 50 == 0 or result.outcome == "survived":
            said = f"{result.outcome}: {result.mutant.number}" if result.outcome == "survived" else ""
            print(f"{target.module}: {len(results)} of {len(mutants)} {said}".rstrip(), file=sys.stderr, flush=True)
        if only:
            print(f"{result.mutant.number}: {result.outcome} {result.killer}")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    path = judge.path.relative_to(root) if judge.path.is_relative_to(root) else judge.path
    return score(target, path, results, complete=not only)


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
            show(scores[-1], "that cannot be imported")
    except (JudgeError, TableError) as error:
        print(error, file=sys.stderr)
        return 2
    return finish(scores, given.json)


if __name__ == "__main__":
    sys.exit(main())

"""Puts faults into the C of kernels and counts those that the cases of tests/kernels/case_sets.py notice.

python -m tools.mutants.c [--header NAME]. Exit code 1 where a score is too low, or where an explanation in
tests/mutants/kernels/ fits no surviving fault any more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mcugen.resources import resource_dir
from tools.mutants.c_judge import CJudge, compiled_lines, write_judge
from tools.mutants.c_mutate import CMutant, mutants
from tools.mutants.score import Score, finish, score, show
from tools.mutants.table import Target, read_explanations

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = ROOT / "tests" / "mutants" / "kernels"

HEADERS = (
    "mcg_common",
    "mcg_requantize",
    "mcg_dsp",
    "mcg_broadcast",
    "mcg_filter_s8",
    "mcg_filter_s8_dsp",
    "mcg_filter_pairs_s8_dsp",
    "mcg_filter_s8_mla",
    "mcg_filter_s16",
    "mcg_conv_2d_s8",
    "mcg_conv_2d_s8_dsp",
    "mcg_conv_2d_pairs_s8_dsp",
    "mcg_conv_2d_s8_mla",
    "mcg_conv_2d_s16",
    "mcg_conv_direct_s8",
    "mcg_conv_direct_s8_dsp",
    "mcg_conv_direct_pairs_s8_dsp",
    "mcg_conv_direct_s8_mla",
    "mcg_conv_direct_s16",
    "mcg_winograd",
    "mcg_winograd_s8_dsp",
    "mcg_winograd_s8_mla",
    "mcg_depthwise_rows",
    "mcg_depthwise_conv_2d_s8",
    "mcg_depthwise_conv_2d_s8_dsp",
    "mcg_depthwise_conv_2d_s8_mla",
    "mcg_depthwise_conv_2d_s16",
    "mcg_depthwise_single_s8",
    "mcg_depthwise_single_s8_dsp",
    "mcg_depthwise_wide_s8_dsp",
    "mcg_fully_connected_s8",
    "mcg_fully_connected_s8_dsp",
    "mcg_fully_connected_pairs_s8_dsp",
    "mcg_fully_connected_s8_mla",
    "mcg_average_pool_2d_s8",
    "mcg_average_pool_2d_s8_dsp",
    "mcg_average_pool_2d_s16",
    "mcg_max_pool_2d_s8",
    "mcg_max_pool_2d_s8_dsp",
    "mcg_max_pool_2d_s16",
    "mcg_pool_2d_s8_dsp",
    "mcg_add_s8",
    "mcg_add_s8_dsp",
    "mcg_add_s16",
    "mcg_mul_s8",
    "mcg_mul_s8_dsp",
    "mcg_mul_s16",
)
"""Requantization, and the layers whose loops have rests and borders."""


def path_of(header: str) -> Path:
    """The file of a header, in whichever folder of the kernels it lies."""
    (path,) = (resource_dir("firmware") / "kernels").rglob(f"{header}.h")
    return path


def faults(header: str) -> list[CMutant]:
    """All faults of a header that this computer compiles."""
    path = path_of(header)
    return mutants(path.read_text(encoding="utf-8"), compiled_lines(path))


def judge_header(judge: CJudge, header: str) -> Score:
    """Try all faults of a header."""
    path = path_of(header)
    all_of_them = faults(header)
    results = []
    for result in judge.judge(path.name, all_of_them):
        results.append(result)
        if sys.stderr.isatty():
            print(f"\r{header}: {len(results)} of {len(all_of_them)}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    target = Target(header, (), read_explanations(TABLES / f"{header}.toml"))
    return score(target, path, results, complete=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants.c", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--header", action="append", default=[], metavar="NAME", help="only these headers")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at once (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores into a file, too")
    given = parser.parse_args(arguments)
    if unknown := set(given.header) - set(HEADERS):
        parser.error(f"not among the headers: {', '.join(sorted(unknown))}")
    chosen = given.header or HEADERS
    scores = []
    with tempfile.TemporaryDirectory(prefix="mcugen-mutants-") as folder:
        judge = write_judge(Path(folder), [f"{header}.h" for header in chosen], jobs=given.jobs)
        for header in chosen:
            scores.append(judge_header(judge, header))
            show(scores[-1], "that do not compile")
            sys.stdout.flush()
    return finish(scores, given.json)


if __name__ == "__main__":
    sys.exit(main())

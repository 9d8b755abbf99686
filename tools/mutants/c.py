"""Mutation testing of the kernels: small faults put into their C, which the tests' cases have to notice.

    python -m tools.mutants.c [HEADER ...]

For each header it prints the score, the part of its faults that were noticed, and every survivor that
c_survivors.toml does not explain. The exit code is 1 if a score is below the least one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from mcugen.resources import resource_dir
from tools.mutants.c_judge import Judge, compiled_lines, write_judge
from tools.mutants.c_mutate import mutants

LEAST = 0.95

HEADERS = (
    "mcg_common.h",
    "mcg_requantize.h",
    "mcg_dsp.h",
    "mcg_broadcast.h",
    "mcg_filter_s8.h",
    "mcg_filter_s8_dsp.h",
    "mcg_filter_s8_mla.h",
    "mcg_filter_s16.h",
    "mcg_conv_2d_s8.h",
    "mcg_conv_2d_s8_dsp.h",
    "mcg_conv_2d_s8_mla.h",
    "mcg_conv_2d_s16.h",
    "mcg_conv_direct_s8.h",
    "mcg_conv_direct_s8_dsp.h",
    "mcg_conv_direct_s8_mla.h",
    "mcg_conv_direct_s16.h",
    "mcg_depthwise_rows.h",
    "mcg_depthwise_conv_2d_s8.h",
    "mcg_depthwise_conv_2d_s8_dsp.h",
    "mcg_depthwise_conv_2d_s8_mla.h",
    "mcg_depthwise_conv_2d_s16.h",
    "mcg_depthwise_single_s8.h",
    "mcg_depthwise_single_s8_dsp.h",
    "mcg_depthwise_wide_s8_dsp.h",
    "mcg_fully_connected_s8.h",
    "mcg_fully_connected_s8_dsp.h",
    "mcg_fully_connected_s8_mla.h",
    "mcg_average_pool_2d_s8.h",
    "mcg_average_pool_2d_s8_dsp.h",
    "mcg_average_pool_2d_s16.h",
    "mcg_max_pool_2d_s8.h",
    "mcg_max_pool_2d_s8_dsp.h",
    "mcg_max_pool_2d_s16.h",
    "mcg_pool_2d_s8_dsp.h",
    "mcg_add_s8.h",
    "mcg_add_s8_dsp.h",
    "mcg_add_s16.h",
    "mcg_mul_s8.h",
    "mcg_mul_s8_dsp.h",
    "mcg_mul_s16.h",
)
"""Requantization, and the layers whose loops have rests and borders."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headers", nargs="*", help="names of headers; all of them by default")
    chosen = parser.parse_args().headers or HEADERS
    bad = False
    with tempfile.TemporaryDirectory(prefix="mcugen-mutants-") as folder:
        judge = write_judge(Path(folder), chosen)
        for header in chosen:
            bad |= not report(judge, header)
    return int(bad)


def report(judge: Judge, header: str) -> bool:
    (path,) = resource_dir("firmware").glob(f"kernels/**/{header}")
    found = {"killed": 0, "survived": 0, "invalid": 0}
    survivors = []
    for mutant in mutants(path.read_text(), compiled_lines(path)):
        verdict = judge.verdict(header, mutant)
        found[verdict] += 1
        if verdict == "survived":
            survivors.append(mutant)
    total = found["killed"] + found["survived"]
    print(f"{header}: {found['killed']}/{total} = {found['killed'] / max(total, 1):.1%}, {found['invalid']} invalid")
    for m in survivors:
        print(f"   {m.line}: {m.key}")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    sys.exit(main())

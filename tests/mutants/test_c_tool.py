"""The tool that counts noticed faults of C, on a toy header and on one function of the kernels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernels.case_sets import CASE_SETS
from tools.mutants import c
from tools.mutants.c_judge import compiled_lines, write_judge
from tools.mutants.c_mutate import mutants

TOY = """\
/* a + b in a comment */
#ifndef MCG_TOY_H
#define MCG_TOY_H

#include <stdint.h>

#define MCG_INLINE static inline
#define MCG_SMALL 4
#define MCG_TEXT(a) "add " a " + 1"
#define MCG_TWICE(a) \\
  ((a) * 2)

typedef struct {
  int32_t fields[3];
} mcg_toy;

MCG_INLINE int32_t mcg_toy_sum(const mcg_toy *t, int32_t count) {
  int32_t sum[1];
  sum[0] = -t->fields[0];
#ifdef MCG_NEVER
  sum[0] += 9;
#endif
  for (int32_t i = 1; i < count; ++i) {
    sum[0] += t->fields[i] * (int32_t)*t->fields;
  }
  __asm__("" : : "r"(sum[0] + 1));
  return count > 0 ? sum[0] : 0;
}

#endif
"""


def test_every_fault_of_a_toy(tmp_path: Path) -> None:
    header = tmp_path / "mcg_toy.h"
    header.write_text(TOY)
    found = mutants(TOY, compiled_lines(header))
    assert [mutant.number for mutant in found] == list(range(len(found)))
    assert {mutant.function for mutant in found} == {"MCG_TWICE", "mcg_toy_sum"}
    changes = {(mutant.line, mutant.after) for mutant in found}
    loop, product = "for (int32_t i = 1; i < count; ++i) {", "sum[0] += t->fields[i] * (int32_t)*t->fields;"
    assert changes == {
        (11, "((a) + 2)"),
        (11, "((a) * 3)"),
        (11, "((a) * 1)"),
        (18, "int32_t sum[0];"),
        (19, ";"),
        (19, "sum[1] = -t->fields[0];"),
        (19, "sum[(-1)] = -t->fields[0];"),
        (19, "sum[0] = t->fields[0];"),
        (19, "sum[0] = -t->fields[1];"),
        (19, "sum[0] = -t->fields[(-1)];"),
        (23, loop.replace("= 1", "= 2")),
        (23, loop.replace("= 1", "= 0")),
        (23, loop.replace("<", "<=")),
        (23, loop.replace("<", ">=")),
        (23, loop.replace("++", "--")),
        (24, ";"),
        (24, product.replace("[0]", "[1]")),
        (24, product.replace("[0]", "[(-1)]")),
        (24, product.replace("+=", "-=")),
        (24, product.replace("] *", "] +")),
        (27, "return count >= 0 ? sum[0] : 0;"),
        (27, "return count <= 0 ? sum[0] : 0;"),
        (27, "return count > 1 ? sum[0] : 0;"),
        (27, "return count > (-1) ? sum[0] : 0;"),
        (27, "return count > 0 && 0 ? sum[0] : 0;"),
        (27, "return count > 0 || 1 ? sum[0] : 0;"),
        (27, "return count > 0 ? sum[1] : 0;"),
        (27, "return count > 0 ? sum[(-1)] : 0;"),
        (27, "return count > 0 ? sum[0] : 1;"),
        (27, "return count > 0 ? sum[0] : (-1);"),
    }
    for mutant in found:
        assert mutant.text != TOY
        assert TOY.splitlines()[mutant.line - 1].split() == mutant.before.split()


def test_what_becomes_of_a_fault(tmp_path: Path) -> None:
    """A wrong result is noticed; what changes none lives."""
    judge = write_judge(tmp_path, ["mcg_common.h"], {"arithmetic": CASE_SETS["arithmetic"]})
    path = c.path_of("mcg_common")

    def outcome(before: str, after: str) -> str:
        (mutant,) = [
            m for m in c.faults("mcg_common") if before in m.before and m.after == m.before.replace(before, after)
        ]
        (result,) = judge.judge(path.name, [mutant])
        return result.outcome

    assert outcome("a < b ? a : b", "a >= b ? a : b") == "killed"
    assert outcome("(a == INT32_MIN && b", "(a == INT32_MIN || b") == "killed"
    assert outcome("a < b ? a : b", "a <= b ? a : b") == "survived"
    no_c = replace(c.faults("mcg_common")[0], text="int;;")
    assert [result.outcome for result in judge.judge(path.name, [no_c])] == ["stillborn"]


def test_a_set_that_fails_judges_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        CASE_SETS["arithmetic"](folder)
        (folder / "cases.bin").write_bytes(b"\1" * 56)

    with pytest.raises(RuntimeError, match="the set 'broken' fails without any change: function"):
        write_judge(tmp_path, ["mcg_common.h"], {"broken": broken})


def test_tables_are_of_judged_headers() -> None:
    assert {path.stem for path in c.TABLES.glob("*.toml")} <= set(c.HEADERS)
    for header in c.HEADERS:
        assert c.path_of(header).is_file()


def test_an_unknown_header_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        c.main(["--header", "mcg_nothing"])
    assert "not among the headers: mcg_nothing" in capsys.readouterr().err

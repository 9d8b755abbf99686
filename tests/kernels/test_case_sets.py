"""Every set of cases on this computer, compiled so that the first undefined step ends the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.case_sets import CASE_SETS
from tests.kernels.standalone.program import KERNELS, SANITIZED, compile_program, run_program

CPU_SECONDS = 60


@pytest.mark.parametrize("name", CASE_SETS)
def test_set(name: str, tmp_path: Path) -> None:
    CASE_SETS[name](tmp_path)
    assert compile_program(tmp_path, SANITIZED) == ""
    assert run_program(tmp_path, CPU_SECONDS) == ""


@pytest.mark.parametrize(
    ("name", "before", "after", "noticed"),
    [
        ("arithmetic", "a < b ? a : b", "a < b ? b : a", "function 0 of "),
        ("sums, portable", "a < b ? a : b", "a < b ? b : a", "differs"),
        ("arithmetic", "(uint32_t)value << bits", "value << bits", "runtime error: left shift of negative value"),
    ],
)
def test_a_fault_is_noticed(name: str, before: str, after: str, noticed: str, tmp_path: Path) -> None:
    CASE_SETS[name](tmp_path)
    common = tmp_path / KERNELS / "mcg_common.h"
    text = common.read_text()
    assert text.count(before) == 1
    common.write_text(text.replace(before, after))
    assert compile_program(tmp_path, SANITIZED) == ""
    assert noticed in run_program(tmp_path, CPU_SECONDS)

"""The tool that counts noticed faults, on a toy: what tests notice is killed, what they do not survives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tools.mutants.mutate import mutants_of
from tools.mutants.scores import main as scores_main
from tools.mutants.table import TableError, read_targets

TOY = '''\
"""A toy."""

from __future__ import annotations


def clamped(value: int, low: int = 0) -> int:
    """At least `low`."""
    if value < low:
        raise ValueError(f"{value} < {low}")
    return value

'''
WAITS = """

def waits(steps: int) -> int:
    while steps > 0:
        steps -= 1
    return steps
"""
CHECKS = """\
import pytest
from toy import module
from toy.module import clamped


def test_values():
    assert clamped(5) == 5
    assert clamped(0) == 0
    {more}


def test_the_end():
    if hasattr(module, "waits"):
        assert module.waits(3) == 0
"""
REFUSAL = "with pytest.raises(ValueError):\n        clamped(-1)\n    assert clamped(-1, low=-2) == -1"


def toy(folder: Path, more: str = "pass", table: str = "", source: str = TOY) -> Path:
    (folder / "toy").mkdir()
    (folder / "toy" / "__init__.py").touch()
    (folder / "toy" / "module.py").write_text(source)
    (folder / "test_toy.py").write_text(CHECKS.format(more=more))
    (folder / "tables").mkdir()
    (folder / "tables" / "toy.toml").write_text(f'module = "toy.module"\ntests = ["test_toy.py"]\n{table}')
    return folder


def judge(folder: Path, code: int) -> dict[str, Any]:
    """The tool's JSON about the toy; it ends with this code."""
    command = ["-m", "tools.mutants", "--root", str(folder), "--tables", str(folder / "tables"), "--jobs", "1"]
    result = subprocess.run(
        [sys.executable, *command, "--json", str(folder / "out.json")],
        cwd=ROOT,
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    if code == 2:
        return {"error": result.stderr}
    [score] = json.loads((folder / "out.json").read_text())
    assert f"{score['score']:.1f} %" in result.stdout
    for survivor in score["survivors"]:
        assert f"after:  {survivor['after']}" in result.stdout
    return dict(score)


def test_what_no_test_notices_survives(tmp_path: Path) -> None:
    score = judge(toy(tmp_path, source=TOY + WAITS), 1)
    assert not score["passed"]
    survivors = {(s["function"], s["after"]) for s in score["survivors"]}
    assert ("clamped", "pass") in survivors, "the check may be removed"
    assert ("clamped", "if False:") in survivors
    assert ("clamped", "if True:") not in survivors
    assert ("waits", "steps += 1") not in survivors, "a loop without an end is ended, and counts as noticed"


def test_better_tests_notice_all_and_what_is_equivalent_is_explained(tmp_path: Path) -> None:
    score = judge(toy(tmp_path, REFUSAL), 0)
    assert (score["score"], score["survivors"], score["explained"]) == (100.0, [], 0)


def test_tests_see_one_copy_of_what_uses_the_module(tmp_path: Path) -> None:
    """As an attribute of its package and by its name."""
    folder = toy(tmp_path, REFUSAL + "\n    assert user.clamped is same")
    (folder / "toy" / "user.py").write_text("from toy.module import clamped\n")
    checks = (folder / "test_toy.py").read_text()
    (folder / "test_toy.py").write_text(f"from toy import user\nfrom toy.user import clamped as same\n{checks}")
    assert judge(folder, 0)["score"] == 100.0


def test_an_explanation_takes_a_survivor_away_and_may_not_outlive_it(tmp_path: Path) -> None:
    known = toy(
        tmp_path,
        "",
        '[[equivalent]]\nfunction = "clamped"\nbefore = "if value < low:"\nafter = "if False:"\nwhy = "a toy"\n',
    )
    score = judge(known, 1)
    assert score["explained"] == 1
    assert "if False:" not in [s["after"] for s in score["survivors"]]
    (tmp_path / "better").mkdir()
    better = toy(tmp_path / "better", REFUSAL, (known / "tables" / "toy.toml").read_text().split("\n", 2)[2])
    score = judge(better, 1)
    assert score["score"] == 100.0
    assert [e["after"] for e in score["obsolete_explanations"]] == ["if False:"]


def test_tests_that_fail_without_a_fault_judge_nothing(tmp_path: Path) -> None:
    assert "fail without a fault" in judge(toy(tmp_path, "assert clamped(1) == 2"), 2)["error"]


def test_texts_and_types_are_left_alone() -> None:
    source = '''\
"""Documented."""
import logging
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from a import b
__all__ = ["f"]
log = logging.getLogger()
class A:
    """1 < 2"""
    size: int
@decorated(limit=3)
def f(a: "1 | 2", b: int | None) -> int | None:
    """0 + 1"""
    assert isinstance(a, int)
    log.info("size %d", 1 + 1)
    name = "text"
    print(f"{a + 1}")
    raise ValueError("x" + str(1))
'''
    assert [(m.before, m.after) for m in mutants_of(source.encode())] == [
        ('print(f"{a + 1}")', "pass"),
        ('raise ValueError("x" + str(1))', "pass"),
    ]


@pytest.mark.parametrize(
    ("before", "afters"),
    [
        ("return a < b", {"return a <= b", "return a >= b", "return None"}),
        ("return a is not b", {"return a is b", "return None"}),
        ("return a not in b", {"return a in b", "return None"}),
        ("a += 1", {"pass", "a -= 1", "a += 2", "a += 0"}),
        ("return x[1:]", {"return x[2:]", "return x[0:]", "return x[:]", "return None"}),
        ("return x[0]", {"return x[1]", "return None"}),
        ("x[a] = b", {"pass"}),
        ("return min(a, b)", {"return max(a, b)", "return None"}),
        (
            "return x.any(axis=1)",
            {"return x.all(axis=1)", "return x.any(axis=2)", "return x.any(axis=0)", "return None"},
        ),
        ("return a and b", {"return a or b", "return True and b", "return a and True", "return None"}),
        ("return not a", {"return (a)", "return None"}),
        ("return a if b else c", {"return (a)", "return (c)", "return None"}),
        ('return a == "b"', {'return a != "b"', "return a == 'b~'", "return None"}),
        ("return [a for a in b if c]", {"return [a for a in b if True]", "return None"}),
        ("return sorted(a)", {"return a", "return None"}),
        ("return True", {"return False"}),
        ("return 1.5", {"return 3.0", "return 0.75"}),
        ("check(a)", {"pass"}),
        ("return zip(a, b, strict=True)", {"return None"}),
    ],
)
def test_faults(before: str, afters: set[str]) -> None:
    found = mutants_of(f"def f(a, b, c, x):\n    {before}\n".encode())
    assert {m.after for m in found} == afters
    assert {m.before for m in found} == {before}
    assert {(m.function, m.line, m.enclosing) for m in found} == {("f", 2, (1,))}


def test_a_table_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no tables"):
        read_targets(tmp_path)
    (tmp_path / "a.toml").write_text('module = "a"\ntests = []\n')
    with pytest.raises(TableError, match="no tests judge"):
        read_targets(tmp_path)
    (tmp_path / "a.toml").write_text('module = "a"\ntests = ["b"]\n[[equivalent]]\nfunction = ""\n')
    with pytest.raises(TableError, match="after, before, why is missing"):
        read_targets(tmp_path)
    (tmp_path / "a.toml").write_text('module = "a"\ntests = ["b"]\nlimit = 3\n')
    with pytest.raises(TableError, match="limit is unknown"):
        read_targets(tmp_path)


def test_the_table_of_scores_counts_every_fault_that_was_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"module": "b", "killed": 1, "explained": 0, "survivors": [{}], "score": 50.0}
    new = {"module": "b", "killed": 3, "explained": 2, "survivors": [{}], "score": 75.0}
    other = {"module": "a", "killed": 4, "explained": 0, "survivors": [], "score": 100.0}
    for name, scores in (("old.json", [old, other]), ("new.json", [new])):
        (tmp_path / name).write_text(json.dumps(scores))
    assert scores_main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["| `a` | 4 | 4 | 0 | 100.0 % |", "| `b` | 6 | 3 | 2 | 75.0 % |"]

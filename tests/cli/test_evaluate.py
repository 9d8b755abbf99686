"""`mcugen evaluate` as people see it: a paragraph, tables, one sentence about what is wrong, and its JSON."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli
from tests.cli.test_json import assert_documented
from tests.pipeline.test_evaluate import written


def test_what_is_shown(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path)
    what = ("evaluate", path, "--data", tmp_path / "day.npy", "--events", tmp_path / "truth.csv", "--tolerance", "0.2")
    ran = cli(*what, "--max-false-accepts-per-hour", "0")
    assert ran.code == 0, ran.err
    first = " ".join(ran.out.split("\n\n")[0].split())
    assert first == (
        "3 of 3 were detected (0 missed, 0.0 % false rejects; median latency 0.10 s). 1 false accept in 10.00 s of "
        "signal: 360.00 per hour, and 1 repeated."
    )
    assert "on at 5.10 s, score 0.7305, in day.npy" in ran.out
    chosen = ran.out.partition("for at most 0 false accepts per hour: threshold = ")[2].partition(",")[0]
    path.write_text(path.read_text().replace("threshold = 0.5", f"threshold = {chosen}"))
    facts = cli(*what, "--json").json
    assert_documented(facts)
    assert (facts["total"]["hits"], facts["total"]["false_accepts"]) == (2, 0)
    (tmp_path / "truth.csv").write_text("file,start,end,label\nday.npy,2,1,on\n")
    ran = cli(*what)
    assert ran.code == 2
    assert "truth.csv, line 2: ends at 1 s, before its start at 2 s" in " ".join(ran.err.split())

"""The page as text: figures written as people read them, and nothing from outside that could be markup."""

from __future__ import annotations

import copy
import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mcugen.errors import ProjectError
from mcugen.report import render_report
from mcugen.report.page import FORMS, Facts
from mcugen.report.write import check_report
from tests.cli.conftest import BOARD, Cli
from tests.cli.test_json import assert_documented
from tests.report.conftest import Made
from tests.report.models import HOSTILE
from tests.schemas import check


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("number", 12_501_632, "12,501,632"),
        ("number", None, "–"),
        ("bytes", 9_784, "9,784 B"),
        ("size", 9_784, "9,784 B"),
        ("size", 37_264, "36.4 KiB"),
        ("size", 1 << 20, "1 MiB"),
        ("size", 1_047_552, "1,023 KiB"),
        ("amount", 999, "999"),
        ("amount", 167_270, "167 k"),
        ("amount", 3_372_061, "3.37 M"),
        ("amount", 12_345_678_901, "12.3 G"),
        ("percent", 0.97777, "97.78 %"),
        ("points", -1.5, "−1.50"),
        ("decibels", 44.93, "44.9 dB"),
        ("decibels", None, "–"),
        ("short", -0.0036071, "−0.003607"),
        ("hertz", 25_000_000, "25 MHz"),
        ("shape", [1, 25, 5, 64], "1×25×5×64"),
        ("shape", [], "scalar"),
        ("metric", "macro_f1", "macro F1"),
        ("metric", "top_3", "top 3"),
        ("text", "a\u202eb\x00", "a\\u202eb\\x00"),
        ("tail", "x" * 60, "…" + "x" * 43),
    ],
)
def test_figures_are_written_for_people(form: str, value: Any, text: str) -> None:
    assert FORMS[form](value) == text


def test_a_fact_tells_where_it_comes_from_and_is_escaped() -> None:
    facts = Facts({"a": [{"b/c~d": 1234, "name": '<i>"&'}]})
    assert facts.html("/a/0/b~1c~0d") == '<span data-fact="/a/0/b~1c~0d" data-value="1234">1,234</span>'
    assert "<i>" not in facts.html("/a/0/name", "text")
    with pytest.raises(KeyError, match="missing"):
        facts.html("/a/0/missing")
    with pytest.raises(IndexError, match="out of range"):
        facts.html("/a/1/name")


class Reader(HTMLParser):
    """Counts tags, and collects attributes that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.suspicious: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            outside = name in ("src", "action", "srcset", "style") or name.startswith("on")
            if outside or (name.endswith("href") and not (value or "").startswith("#")):
                self.suspicious.append((name, value))


def hostile(value: Any, key: str = "") -> Any:
    """The same facts with every free text replaced."""
    if isinstance(value, dict):
        return {name: hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    fixed = {"role", "part", "where", "metric", "kind", "runtime", "schema"}
    return HOSTILE if isinstance(value, str) and value and key not in fixed else value


@pytest.mark.emulator
def test_no_text_can_become_markup(made: Made) -> None:
    tame, wild = Reader(), Reader()
    tame.feed(made.page.read_text())
    page = render_report(hostile(made.facts))
    wild.feed(page)
    assert page.count("<script") == 1
    assert wild.tags == tame.tags
    assert tame.suspicious == wild.suspicious == []
    assert "\u202e" not in page
    assert "\x00" not in page


@pytest.mark.emulator
def test_sections_without_facts_are_left_out(made: Made) -> None:
    facts = copy.deepcopy(made.facts)
    facts["proof"].update(accuracy=None, sqnr=None, against_float=None, quantization=None)
    facts["arena"] = None
    sections = re.findall(r'<section id="(\w+)"', render_report(facts))
    assert sections == ["cost", "flash", "graph", "run"]
    assert re.findall(r'<section id="(\w+)"', made.page.read_text()) == [
        "accuracy",
        "layers",
        "cost",
        "arena",
        "flash",
        "graph",
        "run",
    ]


@pytest.mark.emulator
def test_a_failed_verdict_is_shown_as_one(made: Made) -> None:
    facts = copy.deepcopy(made.facts)
    facts["summary"] = {"passed": False, "text": "not bit-exact", "useful": None}
    facts["proof"]["accuracy"]["gate"].update(passed=False, drop=51.0)
    page = render_report(facts)
    assert 'class="verdict bad"' in page
    assert "Lost too much:" in page
    facts["summary"].update(passed=True, useful=None)
    assert 'class="verdict good"' in render_report(facts)


@pytest.mark.emulator
def test_a_useless_model_is_not_shown_as_a_good_one(made: Made) -> None:
    """Its labels were drawn at random; the device is right in every bit."""
    page = made.page.read_text()
    assert made.facts["summary"]["passed"]
    assert made.facts["summary"]["useful"] is False
    assert made.facts["proof"]["accuracy"]["usefulness"]["text"] in made.facts["proof"]["warnings"]
    assert 'class="verdict doubtful"' in page
    assert 'aria-label="passed, but look at the model"' in page
    assert "the float model itself is at chance on this data" in page


@pytest.mark.emulator
def test_the_json_is_documented_and_whole(made: Made) -> None:
    facts = made.facts
    assert facts["schema"] == "mcugen.report/1"
    assert_documented({name: value for name, value in check(facts).items() if name not in ("schema", "proof")})
    assert facts["flash"]["total"] == facts["proof"]["flash"]["total"]
    for part in facts["flash"]["parts"]:
        shown = sum(s["size"] for s in part["symbols"]) + part["smaller"]["size"] + part["unnamed"]
        assert shown == part["size"] == facts["proof"]["flash"][part["part"]]
        assert part["unnamed"] >= 0
    assert facts["arena"]["bytes"] == facts["proof"]["ram"]["arena"]
    assert facts["proof"]["sqnr"]["layers"][0]["histogram"]
    assert facts["command"] == f"mcugen deploy float.tflite --board {facts['proof']['board']} --data samples.npz"


def test_what_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    assert check_report(None) is None
    assert check_report(tmp_path / "a.html") == tmp_path / "a.html"
    with pytest.raises(ProjectError, match=r"is an \.html file"):
        check_report(tmp_path / "a.pdf")
    with pytest.raises(ProjectError, match="its folder does not exist"):
        check_report(tmp_path / "no" / "a.html")
    model = tmp_path / "model.html"
    model.write_text("a model of a strange name")
    with pytest.raises(ProjectError, match="overwrite the input"):
        check_report(model, inputs=(str(model), None, object()))
    (tmp_path / "package.json").write_text('{"name": "somebody else"}')
    with pytest.raises(ProjectError, match="would be replaced"):
        check_report(tmp_path / "package.html")
    (tmp_path / "old.json").write_text('{"schema": "mcugen.report/1"}')
    assert check_report(tmp_path / "old.html")


@pytest.mark.emulator
def test_verify_writes_a_report_of_a_project(cli: Cli, project: Path, tmp_path: Path) -> None:
    ran = cli("verify", project, "--samples", "1", "--report", tmp_path / "out.html", "--json")
    assert ran.code == 0, ran.err
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["proof"] == ran.json
    typed = ["mcugen", "verify", project, "--samples", "1", "--report", tmp_path / "out.html", "--json"]
    assert facts["command"] == shlex.join(map(str, typed)), "it can be typed again"
    assert (tmp_path / "out.html").read_text() == render_report(facts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "out.json"]


def test_a_wrong_name_is_an_error_before_anything_runs(cli: Cli, model: Path) -> None:
    ran = cli("deploy", model, "--board", BOARD, "--report", "page.pdf", "-o", model.parent / "project")
    assert ran.code == 2
    assert "is an .html file" in ran.err
    assert "page.html" in ran.err
    assert not (model.parent / "project").exists()

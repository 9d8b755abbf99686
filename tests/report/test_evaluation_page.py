"""The page of an evaluation: its figures are the JSON's, its pictures the recordings', and nothing is fetched."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcugen import api
from mcugen.errors import ProjectError
from mcugen.report.evaluation import render_evaluation
from mcugen.report.page import Facts
from tests.browser import browser
from tests.pipeline.test_on_boards import STREAMING, loud_and_quiet, written


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    path = written(folder, STREAMING, "wake_word", threshold=0.3, channels=10)
    np.savez(folder / "x.npz", one=loud_and_quiet(32_000, 1), two=loud_and_quiet(24_000, 1, seed=1))
    (folder / "truth.csv").write_text("file,start,end,label\none,0.2,0.9,word\ntwo,0.1,0.101,word\ntwo,1.2,1.3,word\n")
    found = api.evaluate(path, data=folder / "x.npz", events=folder / "truth.csv", report=folder / "page.html")
    assert found.exit_code == 0
    return folder / "page.html"


def test_figures_are_those_of_the_json(page: Path) -> None:
    text = page.read_text()
    facts = json.loads(page.with_suffix(".json").read_text())
    assert facts["schema"] == "mcugen.evaluation-report/1"
    shown = re.findall(r'data-fact="([^"]+)" data-value="([^"]*)"', text)
    assert len(shown) > 30
    for pointer, value in shown:
        assert json.loads(value.replace("&#34;", '"')) == Facts(facts).value(pointer), pointer
    assert render_evaluation(facts) == text
    for one in facts["recordings"]:
        assert len(one["times"]) == len(one["scores"][0]["values"])
        assert 0 <= max(one["scores"][0]["values"]) <= 1
    outcomes = [d["outcome"].split()[0] for one in facts["recordings"] for d in one["detections"]]
    assert outcomes
    assert [text.count(f'<path class="{kind}" d="M') - 1 for kind in ("hit", "repeat", "false")] == [
        outcomes.count(kind) for kind in ("hit", "repeat", "false")
    ]
    assert text.count('class="truth missed" x=') == len(facts["evaluation"]["missed"])


def test_spectra_are_the_rows(page: Path) -> None:
    images = re.findall(r'href="data:image/png;base64,([^"]+)"', page.read_text())
    assert len(images) == 2
    first = Image.open(io.BytesIO(base64.b64decode(images[0])))
    assert (first.mode, first.size[1]) == ("P", 10)
    levels = np.asarray(first)
    assert levels.min() == 0
    assert levels.max() == 255


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_a_desk_and_a_phone(page: Path, width: int) -> None:
    with browser() as tab:
        tab.size(width, 844)
        tab.open(page.as_uri())
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.complaints() == []
        assert [address for address in tab.requests() if not address.startswith(("file:", "data:"))] == []
        assert tab.run("[...document.querySelectorAll('svg image')].every(i => i.getBBox().width > 500)")


def test_a_page_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, STREAMING, "wake_word", threshold=0.3, channels=10)
    (tmp_path / "page.json").write_text("{}")
    with pytest.raises(ProjectError, match="is not the JSON file of a report"):
        api.evaluate(path, data=loud_and_quiet(16_000, 1), events=None, report=tmp_path / "page.html")

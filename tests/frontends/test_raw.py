"""The front end that changes nothing, and what all front ends share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal
from tests.frontends.on_host import HostFrontEnds

AXES = Signal("motion", "int16", channels=3, rate=50)


def test_frames_are_rows(tmp_path: Path) -> None:
    front_end = frontends.make("raw", AXES)
    frames = np.arange(30, dtype=np.int16).reshape(10, 3)
    host = HostFrontEnds(tmp_path, [front_end])
    host.reset()
    assert front_end.rows() == frontends.Rows((3,), "int16", 1, 1)
    assert np.array_equal(host.push(frames), frames)
    assert np.array_equal(frontends.rows_of(front_end, frames), frames)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(FrontEndError, match=r"raw: field kind: is 'rAw', not one of .*raw"):
        frontends.parse(frontends.Table(Path("raw"), "", {"kind": "rAw"}, FrontEndError), AXES)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(FrontEndError, match=r"'step' is unknown|field 'step': is unknown"):
        frontends.make("raw", AXES, step=2)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((4, 2), np.int16), r"shape \[4, 2\], not \(any number, 3\)"),
        (np.zeros((4, 3), np.int32), "frames are int32, and the signal is int16"),
    ],
)
def test_wrong_frames_are_refused(frames: np.ndarray, message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.rows_of(frontends.make("raw", AXES), frames)


def test_the_page_shows_code_that_runs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "FRONTENDS.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        names: dict[str, Any] = {}
        exec(block, names)
        if "rows" in names:
            assert (names["rows"].shape, names["rows"].dtype) == ((49, 40), np.float32)


def test_the_page_tells_of_every_kind() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "FRONTENDS.md").read_text(encoding="utf-8")
    for kind, spec in frontends.registry().items():
        row = next(line for line in page.splitlines() if line.startswith("|") and f"[`{kind}`]" in line)
        signals = row.split("|")[2]
        assert signals.strip() == "all" or {part.strip() for part in signals.split(",")} == set(spec.signals)

"""The tool that compares predicted times with measured ones, on a firmware of our own with a time that we made up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools import validate_timing

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def points(traced: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("points")
    made = traced("mps2-an386")
    np.save(folder / "inputs.npy", made.sample[0])
    firmware = made.ready.firmware
    lines = ['board = "nucleo-l4r5zi"']
    for model, measured in (("slow", 20.0), ("fast", 5)):
        lines += ["[[point]]", 'name = "ours"', f'model = "{model}"', f"measured_ms = {measured}"]
        lines += [f'firmware = "{firmware.elf}"', f'map = "{firmware.map}"', 'inputs = "inputs.npy"']
    (folder / "points.toml").write_text("\n".join(lines))
    return folder / "points.toml"


def test_the_table_is_written(
    points: Path, traced: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{validate_timing.MARKS[0]}\nold\n{validate_timing.MARKS[1]}\nafter\n")
    monkeypatch.setattr(validate_timing, "PAGE", page)
    assert validate_timing.main([str(points), "--write"]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!--")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text
    rows = re.findall(r"\| ours \| (\w+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", text)
    instructions = f"{traced('mps2-an386').trace.instructions:,}"
    assert [(model, count, measured) for model, count, measured, _, _ in rows] == [
        ("slow", instructions, "20.00"),
        ("fast", instructions, "5.00"),
    ]
    assert float(rows[0][3]) == float(rows[1][3]) > 1
    slow, fast = float(rows[0][4]), float(rows[1][4])
    assert fast == pytest.approx(4 * slow, abs=0.01)
    mean = (slow * fast) ** 0.5
    found = re.search(r"Of 2 points the geometric mean is ([\d.]+), the least ([\d.]+), the largest ([\d.]+)\.", text)
    assert found is not None
    assert float(found[1]) == pytest.approx(mean, abs=0.01)
    assert (float(found[2]), float(found[3])) == (slow, fast)
    assert "ours, slow: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("measured_ms = 5", "measured_ms = 0", r"point 2.*measured_ms.*is 0, not a number of milliseconds"),
        ("measured_ms = 5", "", r"point 2.*measured_ms.*not a number of milliseconds"),
        ('model = "fast"', 'model = "fast"\nmodl = "fast"', r"point 2.*modl"),
        ("nucleo-l4r5zi", "qemu-virt-rv32", "no timing of the rv32imc is known"),
        ("nucleo-l4r5zi", "nowhere", "nowhere"),
        ("[[point]]", "[[point", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(
    points: Path, tmp_path: Path, before: str, after: str, says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(validate_timing, "predict", lambda *_: None)
    monkeypatch.setattr(validate_timing.Point, "predicted_ms", 1.0)
    wrong = points.with_name("wrong.toml")
    wrong.write_text(points.read_text().replace(before, after))
    assert validate_timing.main([str(wrong)]) == 2
    assert re.search(says, capsys.readouterr().err, re.DOTALL)

"""A board of ST's in labwired: its clocks, its UART and a whole model."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.emulators.labwired import PACKAGE
from mcugen.emulators.python_packages import find_package
from mcugen.errors import BoardError, ToolError
from tests import zoo

BOARD = "stm32f4-discovery-m0"

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_emulator = pytest.mark.skipif(importlib.util.find_spec("labwired") is None, reason="labwired is not installed")


@needs_arm
@needs_emulator
@pytest.mark.emulator
def test_a_model_in_the_emulator(tmp_path: Path) -> None:
    proof = api.deploy(zoo.path("sine"), board=BOARD, emulator="labwired", samples=4, out=tmp_path / "project")
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.verdict.samples == 4
    assert proof.cost is not None
    assert proof.cost.unit == "ticks", "nothing claims to be cycles"


def test_it_is_the_board_that_is_sold() -> None:
    plain, sold = load_board(BOARD), load_board("stm32f4-discovery")
    for fact in ("family", "mcu", "clock_hz", "flash", "ram", "uart", "flashing"):
        assert getattr(plain, fact) == getattr(sold, fact), fact


def test_what_it_does_not_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BoardError, match="labwired does not model this board"):
        api.deploy(zoo.path("sine"), board="microbit", emulator="labwired", out=tmp_path / "project")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolError, match="labwired was not found, so nothing ran"):
        find_package(PACKAGE)

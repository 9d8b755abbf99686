"""Every documented command line of the TFLM runtime does what is said, on a computer without a TFLM."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_boards
from mcugen.cli import run
from mcugen.cores.architectures import ARM
from mcugen.runtimes.tflm.library import TFLM_DIR
from tests import zoo
from tests.docs.test_docs import PAGES, commands

PLACEHOLDERS = {"MODEL": "model.tflite", "BYTES": "50000", "DIR": "p"}

LINES = tuple(
    dict.fromkeys(
        line
        for page in PAGES
        for line in commands(page.read_text(encoding="utf-8"))
        if "--runtime tflm" in line and "[OPTIONS]" not in line
    )
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(TFLM_DIR, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tflite").write_bytes(zoo.model("sine"))
    return tmp_path


def test_there_are_some() -> None:
    assert {shlex.split(line)[1] for line in LINES} >= {"inspect", "deploy", "generate"}


@pytest.mark.parametrize("line", LINES)
def test_it_works_as_far_as_it_can_without_a_tflm(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    _program, *words = shlex.split(line)
    if "--tflm" in words:  # a folder that only the reader has
        at = words.index("--tflm")
        del words[at : at + 2]
    code = run([PLACEHOLDERS.get(word, word) for word in words])
    said = capsys.readouterr().err.replace("\n", " ")
    if words[0] in ("inspect", "generate", "fit"):
        assert code == 0, said
    else:
        assert code == 2
        assert "TensorFlow Lite Micro" in said
        assert TFLM_DIR in said


def test_inspect_leaves_out_boards_that_cannot_run_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "model.tflite", "--runtime", "tflm", "--json"]) == 0
    shown = {board["board"] for board in json.loads(capsys.readouterr().out)["boards"]}
    boards = load_boards()
    assert {"mps2-an386", "microbit", "mps3-an547"} <= shown
    assert all(boards[name].architecture is ARM for name in shown)
    assert "qemu-virt-rv32" not in shown


def test_a_board_that_cannot_is_refused_where_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "model.tflite", "--runtime", "tflm", "--board", "qemu-virt-rv32"]) == 2
    assert "Arm cores only" in capsys.readouterr().err.replace("\n", " ")

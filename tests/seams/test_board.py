"""A board is one TOML file: in a folder of boards, or anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards import shipped
from mcugen.resources import resource_dir
from tests.kernels.single_op import TensorSpec, build_model, options


def test_a_new_board_is_listed_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    for path in resource_dir("boards").glob("*.toml"):
        (folder / path.name).write_text(path.read_text())
    (folder / "my-board.toml").write_text((resource_dir("boards") / "mps2-an386.toml").read_text())
    monkeypatch.setattr(shipped, "resource_dir", lambda name: folder if name == "boards" else resource_dir(name))
    shipped.board_names.cache_clear()
    try:
        assert "my-board" in [board.name for board in api.boards().boards]
        tensors = [TensorSpec((1, 8), "int8", 0.1, name=name) for name in ("a", "b", "y")]
        model = build_model("ADD", options("AddOptions"), tensors[:2], tensors[2:])
        made = api.generate(model, board="my-board", out=tmp_path / "out")
        assert made.project.manifest.board == "my-board"
        assert (tmp_path / "out/platform/boards/my-board.toml").is_file()
    finally:
        shipped.board_names.cache_clear()

"""Every file of ours that goes into a project says which licence it is under, and the project holds that licence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.resources import licence_text, resource_dir
from tests.builder.tiny import emit, tiny_plan

TAG = "SPDX-License-Identifier: Apache-2.0"
FILES = sorted(
    path
    for name in ("firmware", "templates")
    for path in resource_dir(name).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


def test_there_are_files() -> None:
    assert {path.suffix for path in FILES} >= {".c", ".h", ".py", ".j2"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_shipped_file_names_its_licence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        assert json.loads(text)["license"] == "Apache-2.0"
        return
    # Renode's scripts begin with their name and description, Robot's with the heading of the section of comments.
    assert TAG in "\n".join(text.splitlines()[:3])
    assert text.count("SPDX") == 1


@pytest.mark.parametrize("board", ["mps2-an386", "qemu-virt-rv32", "esp32-s3"])
def test_a_project_holds_the_licence_and_its_sources_name_it(board: str, tmp_path: Path) -> None:
    emit(tiny_plan(), load_board(board), tmp_path / "out")
    assert (tmp_path / "out" / "LICENSE").read_text(encoding="utf-8") == licence_text()
    assert licence_text().lstrip().startswith("Apache License")
    sources = [
        path for path in (tmp_path / "out").rglob("*") if path.suffix in (".c", ".cpp", ".h", ".ld", ".ini", ".py")
    ]
    assert len(sources) > 10
    for path in sources:
        assert TAG in path.read_text(encoding="utf-8").splitlines()[0], path.name
    for path in (tmp_path / "out" / "lib").rglob("library.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["license"] == "Apache-2.0"
    assert "{#" not in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")

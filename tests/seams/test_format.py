"""An export format is one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcugen.formats
from mcugen.boards.shipped import load_board
from mcugen.errors import ProjectError
from mcugen.formats import formats
from mcugen.formats.emit import emit_project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, build_model, options

SOURCE = """
from mcugen.formats.types import Format


def files(subject):
    listed = "".join(f"{path}\\n" for path in sorted(subject.model_files))
    return {**{f"src/{path}": text for path, text in subject.model_files.items()}, "FILES": listed}


FORMAT = Format("bundle", "the model library and a list of its files", files)
"""


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of a format, where mcugen looks for formats."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "bundle.py").write_text(SOURCE)
    monkeypatch.setattr(mcugen.formats, "__path__", [*mcugen.formats.__path__, str(folder)])
    formats.cache_clear()
    yield
    formats.cache_clear()
    sys.modules.pop("mcugen.formats.bundle", None)


@pytest.mark.usefixtures("bundle")
def test_a_model_is_written_in_a_new_format(tmp_path: Path) -> None:
    assert "bundle" in formats()
    tensors = [TensorSpec((1, 8), "int8", 0.1, name=name) for name in ("a", "b", "y")]
    board = load_board("mps2-an386")
    plan = make_plan(read_graph(build_model("ADD", options("AddOptions"), tensors[:2], tensors[2:])), board.target())
    library, out = emit_model(plan), tmp_path / "out"
    emit_project(plan, board, out, model_files=library, format="bundle")
    assert (out / "FILES").read_text().split() == sorted(library)
    assert (out / "src/mcg_model.h").read_text() == library["mcg_model.h"]
    assert not (out / "platformio.ini").exists()
    (out / "FILES").write_text("mine now")
    with pytest.raises(ProjectError, match=r"FILES \(changed\)"):
        emit_project(plan, board, out, model_files=library, format="bundle")

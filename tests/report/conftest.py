"""A report with all its sections, made once by `deploy` on the emulator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.verbs.deploy import deploy
from tests.cli.conftest import BOARD, cli, float_model, model, project

__all__ = ["cli", "model", "project"]
"""Fixtures of the command line that tests here use as well."""


@dataclass(frozen=True)
class Made:
    """A page, and the facts beside it."""

    page: Path
    facts: dict[str, Any]


def labelled(folder: Path) -> Path:
    """40 samples for `float_model`, with classes that it partly gets right."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 6)).astype(np.float32)
    path = folder / "samples.npz"
    np.savez(path, x=x, y=rng.integers(0, 4, 40))
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("report")
    (folder / "float.tflite").write_bytes(float_model())
    proof = deploy(
        folder / "float.tflite",
        board=BOARD,
        data=str(labelled(folder)),
        labels=["cat", "<b>dog</b>", "cow", "hen"],
        out=folder / "project",
        samples=2,
        samples_on_device=10,
        max_drop=50.0,
        compare_float=True,
        report=folder / "out.html",
    )
    facts = json.loads((folder / "out.json").read_text())
    assert facts["proof"]["cost"]["invoke"] == proof.cost.invoke
    return Made(folder / "out.html", facts)

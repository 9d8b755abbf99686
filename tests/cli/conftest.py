"""A small model and its project, and the command line as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.loaded import Loaded
from tests.kernels.single_op import Node, TensorSpec, build_graph, build_model, constant, options
from tests.schemas import check
from tests.warm import WarmPlatformIO

ROOT = Path(__file__).resolve().parent.parent.parent
BOARD = "mps2-an386"
TIMEOUT = 300
"""Seconds for a command."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON object that follows its schema, and nothing else."""
        return check(json.loads(self.out))


Cli = Callable[..., Ran]


@pytest.fixture(scope="session")
def cli(warm_builds: WarmPlatformIO) -> Iterator[Cli]:
    """Run `mcugen` in a process of its own, without a terminal: forked (see loaded.py), or `fresh`ly started."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Loaded(environment, warm_builds) as loaded:

        def run(
            *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None, fresh: bool = False
        ) -> Ran:
            words = [str(argument) for argument in arguments]
            variables = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
            if not fresh and loaded.can_run(variables):
                return Ran(*loaded.run(words, cwd=cwd or ROOT, environment=variables, timeout=TIMEOUT))
            done = subprocess.run(
                [sys.executable, "-m", "mcugen", *words],
                cwd=cwd or ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                timeout=TIMEOUT,
                check=False,
            )
            return Ran(done.returncode, done.stdout, done.stderr)

        yield run


def int8_model(input_name: str = "image", hidden_name: str = "hidden") -> bytes:
    """A fully connected layer and a LOGISTIC: int8[1,6] in, int8[1,4] out. Different inputs, different outputs."""
    rng = np.random.default_rng(5)
    image = TensorSpec((1, 6), scale=0.02, zero_point=3, name=input_name)
    hidden = TensorSpec((1, 4), scale=0.05, zero_point=-4, name=hidden_name)
    result = TensorSpec((1, 4), scale=1 / 256, zero_point=-128, name="scores")
    weights = constant(rng.integers(-127, 127, (4, 6), dtype=np.int64, endpoint=True).astype(np.int8), 0.01)
    bias = constant(rng.integers(-500, 500, 4).astype(np.int32), 0.0002)
    layers = [
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [image, weights, bias], [hidden]),
        Node("LOGISTIC", None, [hidden], [result]),
    ]
    return build_graph(layers, [result])


def float_model() -> bytes:
    """A float32 fully connected layer: float32[1,6] in, float32[1,4] out."""
    rng = np.random.default_rng(6)
    image = TensorSpec((1, 6), "float32", name="image")
    result = TensorSpec((1, 4), "float32", name="scores")
    weights = constant(rng.normal(size=(4, 6)).astype(np.float32))
    bias = constant(rng.normal(size=4).astype(np.float32))
    return build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [image, weights, bias], [result])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(int8_model())
    return path


@pytest.fixture
def float_tflite(tmp_path: Path) -> Path:
    path = tmp_path / "float.tflite"
    path.write_bytes(float_model())
    return path


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A generated project of `int8_model`. Tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "small.tflite").write_bytes(int8_model())
    made = cli("generate", folder / "small.tflite", "--board", BOARD, "-o", folder / "firmware")
    assert made.code == 0, made.err
    return folder / "firmware"

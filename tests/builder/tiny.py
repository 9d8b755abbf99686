"""A model of one small fully connected layer, and the projects made from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.boards.types import Board
from mcugen.formats.emit import emit_project
from mcugen.project.project import Project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels.single_op import TensorSpec, build_model, constant, options

needs_arm_gcc = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


def tiny_plan(name: str = "tiny", tensor: str = "in", units: int = 4, inputs: int = 8) -> Plan:
    rng = np.random.default_rng(1)
    weights = constant(rng.integers(-127, 128, (units, inputs)).astype(np.int8), 0.01)
    bias = constant(np.arange(units, dtype=np.int32), 0.001)
    x = TensorSpec((1, inputs), scale=0.1, zero_point=3, name=tensor)
    y = TensorSpec((1, units), scale=0.05, zero_point=-5, name="out")
    model = build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, weights, bias], [y])
    return make_plan(read_graph(model, name=name))


def emit(plan: Plan, board: Board, out: Path, **changes: Any) -> Project:
    return emit_project(plan, board, out, **{"model_files": emit_model(plan), **changes})

"""A core is one folder: its facts, and the kernels made for it. Nothing else knows its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mcugen.cores
from mcugen.boards.read import read_board
from mcugen.cores import cores
from mcugen.ops.variants import kernel_set
from mcugen.resources import kernel_headers, resource_dir
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, build_model, options

FACTS = """
from mcugen.cores.types import Core, Feature, KernelUse

CORES = (Core("cortex-m77", features=(Feature("twirl", absent="+notwirl"),), kernels=(KernelUse("twirl", "twirl"),)),)
"""

KERNELS = """
from dataclasses import replace

from mcugen.ops.variants import KernelSet


def add(portable, site):
    return replace(portable, kernel="mcg_add_s8_twirl", variant="twirl")


KERNELS = KernelSet("twirl", {"mcg_add_s8": add})
"""


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of a core, where mcugen looks for cores, and its kernel's header."""
    folder = tmp_path / "cores" / "twirl"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(FACTS)
    (folder / "kernels.py").write_text(KERNELS)
    header = tmp_path / "mcg_add_s8_twirl.h"
    portable = kernel_headers()["mcg_add_s8.h"].read_text()
    header.write_text(portable.replace("mcg_add_s8", "mcg_add_s8_twirl").replace("MCG_ADD_S8", "MCG_ADD_S8_TWIRL"))
    known = {**kernel_headers(), header.name: header}
    for module in ("mcugen.runtimes.aot.emit.model", "mcugen.runtimes.aot.emit.sharing"):
        monkeypatch.setattr(f"{module}.kernel_headers", lambda: known)
    monkeypatch.setattr(mcugen.cores, "__path__", [*mcugen.cores.__path__, str(folder.parent)])
    cores.cache_clear()
    yield
    cores.cache_clear()
    kernel_set.cache_clear()


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("has", [True, False])
def test_a_board_with_a_new_core_gets_its_kernels(tmp_path: Path, has: bool) -> None:
    text = (resource_dir("boards") / "mps2-an386.toml").read_text()
    assert 'core = "cortex-m4"' in text
    text = text.replace('core = "cortex-m4"', 'core = "cortex-m77"').replace('fpu = "fpv4-sp-d16"', 'fpu = ""')
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('features = ["dsp"]', f"features = {['twirl'] if has else []}".replace("'", '"')))
    board = read_board(path)
    assert board.cpu_flags()[0] == ("-mcpu=cortex-m77" if has else "-mcpu=cortex-m77+notwirl")
    tensors = [TensorSpec((1, 8), "int8", 0.1, name=name) for name in ("a", "b", "y")]
    plan = make_plan(read_graph(build_model("ADD", options("AddOptions"), tensors[:2], tensors[2:])), board.target())
    (call,) = plan.steps[0].calls
    assert (call.kernel, call.variant) == (("mcg_add_s8_twirl", "twirl") if has else ("mcg_add_s8", "portable"))
    assert np.prod(plan.input_tensors()[0].shape) == 8
    assert f"kernels/{call.kernel}.h" in emit_model(plan)

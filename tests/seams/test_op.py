"""An op is one Python file, one C file, and a generator of conformance cases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mcugen.ops.elementwise
from mcugen import ops
from mcugen.errors import UnsupportedOpError
from mcugen.graph import Graph
from mcugen.resources import kernel_headers
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.conformance.suite import missing
from tests.kernels.single_op import TensorSpec, build_model

SPEC = """
from mcugen.ops.base import KernelCall, Lowering, OpSpec
from mcugen.ops.checks import int8_in_and_out, one_input, same_shape


def lower(graph, op, target):
    count = graph.output_of(op).elements
    return Lowering((KernelCall("mcg_sign_s8", (("count", count),), op.inputs, op.outputs, inplace=(0,)),))


SPEC = OpSpec("SIGN", lower, (one_input, int8_in_and_out, same_shape))
"""

KERNEL = """
#ifndef MCG_SIGN_S8_H
#define MCG_SIGN_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
} mcg_sign_s8_params;

static inline void mcg_sign_s8(const mcg_sign_s8_params *p, const int8_t *input, int8_t *output) {
  for (int32_t i = 0; i < p->count; ++i) output[i] = (int8_t)((input[i] > 0) - (input[i] < 0));
}

#endif
"""


def model() -> Graph:
    tensors = [TensorSpec((1, 5), "int8", 1.0, name=name) for name in ("x", "y")]
    return read_graph(build_model("SIGN", None, tensors[:1], tensors[1:]))


@pytest.fixture
def sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two files of an op, where mcugen looks for ops and kernels."""
    folder = tmp_path / "elementwise"
    folder.mkdir()
    (folder / "sign.py").write_text(SPEC)
    header = tmp_path / "mcg_sign_s8.h"
    header.write_text(KERNEL)
    known = {**kernel_headers(), header.name: header}
    for module in ("mcugen.runtimes.aot.emit.model", "mcugen.runtimes.aot.emit.sharing"):
        monkeypatch.setattr(f"{module}.kernel_headers", lambda: known)
    monkeypatch.setattr(mcugen.ops.elementwise, "__path__", [*mcugen.ops.elementwise.__path__, str(folder)])
    ops.builtin.cache_clear()
    yield
    ops.builtin.cache_clear()
    sys.modules.pop("mcugen.ops.elementwise.sign", None)


def test_it_is_unknown_without_its_files() -> None:
    with pytest.raises(UnsupportedOpError, match="no ahead-of-time kernel for SIGN"):
        make_plan(model())


@pytest.mark.usefixtures("sign")
def test_a_new_op_runs() -> None:
    with HostModel(make_plan(model())) as host:
        (answer,) = host.run([np.array([[-128, -1, 0, 1, 127]], np.int8)])
    assert answer.ravel().tolist() == [-1, -1, 0, 1, 1]


@pytest.mark.usefixtures("sign")
def test_the_conformance_suite_asks_for_its_generator() -> None:
    assert missing() == ["SIGN"]

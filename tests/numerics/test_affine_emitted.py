"""The emitted `mcg_model_quantize_input…` against the one function of Python, at every near-tie of every type."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.numerics.affine import quantize_reals
from mcugen.runtimes.aot.emit.host import WARNINGS, host_compiler
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import Node, TensorSpec, build_graph
from tests.numerics.test_affine import CASES, near_ties


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The quantizing functions of a model with an input for each of `CASES`, over arrays."""
    nodes = [
        Node("RESHAPE", None, [TensorSpec((4,), *case)], [TensorSpec((2, 2), *case)])  # which computes nothing
        for case in CASES
    ]
    alive = TensorSpec((3,), scale=0.5)
    nodes.append(Node("RELU", None, [alive], [result := TensorSpec((3,), scale=0.5)]))
    folder = tmp_path_factory.mktemp("emitted")
    graph = read_graph(build_graph(nodes, [*(node.outputs[0] for node in nodes[:-1]), result]))
    (folder / "mcg_model.h").write_text(emit_model(make_plan(graph))["mcg_model.h"])
    loops = "".join(
        f"void quantize{n}(const float *from, int *to, int count) {{\n"
        f"  for (int i = 0; i < count; ++i) to[i] = mcg_model_quantize_input{n}(from[i]);\n}}\n"
        for n in range(len(CASES))
    )
    source, library = folder / "loops.c", folder / "loops.so"
    source.write_text(f'#include "mcg_model.h"\n{loops}')
    flags = [*WARNINGS, "-Wno-unused-function", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    subprocess.run([host_compiler(), *flags, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def in_c(library: ctypes.CDLL, number: int, values: NDArray[np.float32]) -> NDArray[np.int32]:
    results = np.empty(len(values), np.int32)
    from_, to = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_int32)
    getattr(library, f"quantize{number}")(
        values.ctypes.data_as(from_), results.ctypes.data_as(to), ctypes.c_int(len(values))
    )
    return results


@pytest.mark.parametrize("number", range(len(CASES)))
def test_c_and_python_are_equal_at_every_near_tie(emitted: ctypes.CDLL, number: int) -> None:
    """tests/numerics/test_affine.py compares Python with exact fractions at the same places."""
    dtype, scale, zero_point = CASES[number]
    values = near_ties(dtype, scale, zero_point)
    wanted = quantize_reals(values, scale, zero_point, dtype)
    np.testing.assert_array_equal(in_c(emitted, number, values), wanted)

"""Float32 kernels on emulated cores: without an FPU, with one, and with vectors; their C library is newlib."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cores import M0, M4, M55, Core, prove_samples
from tests.kernels.f32 import draw, real
from tests.kernels.single_op import Node, build_graph, options, oracle
from tests.kernels.test_f32_elementwise import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    IEEE,
    PLAIN,
    arithmetic,
    comparison,
    plain,
)
from tests.kernels.test_f32_reductions import POOLS, REDUCTIONS, arg, pool, reduction, rows
from tests.kernels.test_f32_weighted import conv, dense, depthwise, transposed

pytestmark = pytest.mark.emulator


def every_kernel() -> list[Node]:
    nodes = [Node(kind, None, [real(64)], [real(64)]) for kind in (*IEEE, *FUNCTIONS)]
    nodes.append(Node("LEAKY_RELU", options("LeakyReluOptions", alpha=0.3), [real(9)], [real(9)]))
    nodes += [arithmetic(kind, real(4, 1), real(1, 6)) for kind in ARITHMETIC]
    nodes += [plain(kind, real(4, 6), real(6)) for kind in (*PLAIN, "PRELU")]
    nodes += [comparison(kind, real(4, 6), real(6)) for kind in COMPARISONS]
    nodes += [conv((1, 5, 6, 3), (7, 3, 3)), conv((1, 5, 4, 6), (6, 3, 3), groups=3, dilation=(2, 1))]
    nodes += [depthwise((1, 5, 6, 7), (3, 3)), depthwise((1, 5, 5, 3), (3, 3), multiplier=2), dense((3, 21), 6)]
    nodes += [transposed((1, 3, 4, 3), (5, 3, 3), (2, 2), (6, 8))]
    nodes += [pool(kind, (1, 7, 5, 3), (3, 2), (2, 2), same=True) for kind in POOLS]
    nodes += [rows(kind, (3, 7)) for kind in ("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION")]
    nodes += [reduction(kind, (2, 5, 6, 3), [1, 2]) for kind in REDUCTIONS]
    return nodes + [arg(kind, (4, 7), 1) for kind in ("ARG_MAX", "ARG_MIN")]


@pytest.mark.parametrize("core", [M0, M4, M55], ids=["soft float", "FPU", "M55"])
def test_every_kernel(core: Core, tmp_path: Path) -> None:
    nodes = every_kernel()
    model = build_graph(nodes, [node.outputs[0] for node in nodes])
    samples = draw(nodes, 2)
    prove_samples(model, samples, oracle(model, samples), core, tmp_path)

"""Models without their dead channels, compiled for the host: every layer equals the oracle's."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import drop_channels, fuse_pads
from mcugen.runtimes.aot.plan import make_plan
from tests.graph.test_drop_channels import RELU6, act, conv, depthwise, weights
from tests.kernels.single_op import build_graph
from tests.models import both, model_bytes


def assert_layers_equal(model: bytes) -> None:
    graph = drop_channels(fuse_pads(read_graph(model)))
    samples = make_inputs(graph, 6)
    plan = make_plan(graph)
    ids = [step.op.outputs[0] for step in plan.steps]
    with HostModel(plan) as host, Oracle(model) as reference:
        for sample in samples:
            for (_, got), want, i in zip(host.layers(sample), reference.tensors(sample, ids), ids, strict=True):
                kept = graph.tensor(i).kept
                np.testing.assert_array_equal(got, want if kept is None else want[..., list(kept)])


@pytest.mark.parametrize("seed", range(24))
def test_random_chains_keep_their_results(seed: int) -> None:
    """Convolutions and depthwise layers in a row, with random zeros, biases, paddings and activations."""
    rng = np.random.default_rng(seed)
    x = act((1, 7, 6, int(rng.integers(1, 5))), "x", int(rng.integers(-128, 128)))
    tensors, nodes = [x], []
    for layer in range(4):
        source = tensors[-1]
        same = bool(rng.integers(2)) or min(source.shape[1:3]) < 5
        zero_point = int(rng.integers(-128, 128))
        if rng.integers(2) and layer:
            height, width = source.shape[1:3] if same else (source.shape[1] - 2, source.shape[2] - 2)
            made = act((1, height, width, source.shape[3]), f"t{layer}", zero_point)
            zeros = np.flatnonzero(rng.random(source.shape[3]) < 0.3)
            nodes.append(depthwise(source, made, same=same, zero=zeros.tolist()))
        else:
            channels, size = int(rng.integers(1, 7)), int(rng.choice([1, 3]))
            height, width = (d if same else d - size + 1 for d in source.shape[1:3])
            made = act((1, height, width, channels), f"t{layer}", zero_point)
            values = weights((channels, size, size, source.shape[3]), 0, seed=seed * 10 + layer)
            values[rng.random(channels) < 0.4] = 0
            values[..., rng.random(source.shape[3]) < 0.2] = 0
            bias = rng.choice([0, 0, 300, -2000, 10**6], channels).tolist()
            nodes.append(conv(source, made, values, bias, same=same, activation=int(rng.choice([0, 1, RELU6]))))
        tensors.append(made)
    assert_layers_equal(build_graph(nodes, [tensors[-1]]))


@pytest.mark.parametrize("name", both(["mobilenet_v1"], ["vww_96_int8"]))
def test_layers_of_whole_models_are_compared_channel_by_channel(name: str) -> None:
    assert_layers_equal(model_bytes(name))

"""Small models whose reports have something of everything to show."""

from __future__ import annotations

import numpy as np

from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options

HOSTILE = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>&amp;\u202eevil\x00'
LONG = "a_network/with_a_very_long_name/" * 5 + "and_its_end"


def branching() -> bytes:
    """Two inputs, three branches that meet again, a skip over all of them, two outputs; names of all sorts."""
    image = TensorSpec((1, 8), scale=0.02, zero_point=3, name=HOSTILE)
    extra = TensorSpec((1, 8), scale=0.03, zero_point=-5, name=LONG)
    rng = np.random.default_rng(11)

    def dense(name: str, source: TensorSpec) -> tuple[Node, TensorSpec]:
        weights = constant(rng.integers(-127, 128, (8, 8), dtype=np.int64).astype(np.int8), 0.01)
        bias = constant(rng.integers(-500, 500, 8).astype(np.int32), round(source.scale * 0.01, 8))
        result = TensorSpec((1, 8), scale=0.05, zero_point=-4, name=name)
        return Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [source, weights, bias], [result]), result

    layers = []
    first, trunk = dense("trunk", image)
    layers.append(first)
    ends = []
    for branch in range(3):
        node, end = dense(f"branch_{branch}/{LONG}", trunk)
        layers.append(node)
        for depth in range(branch):
            node, end = dense(f"branch_{branch}/{depth}", end)
            layers.append(node)
        ends.append(end)
    for number, end in enumerate([*ends[1:], trunk, extra]):
        total = TensorSpec((1, 8), scale=0.1, zero_point=number, name=f"sum_{number}")
        layers.append(Node("ADD", options("AddOptions"), [ends[0], end], [total]))
        ends[0] = total
    result = TensorSpec((1, 8), scale=1 / 256, zero_point=-128, name="scores")
    layers.append(Node("LOGISTIC", None, [ends[0]], [result]))
    return build_graph(layers, [result, ends[1]])

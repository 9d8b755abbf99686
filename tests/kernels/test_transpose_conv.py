"""TRANSPOSE_CONV against the oracle: strides, paddings, channels, scales per tensor and per channel, no bias."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.many_ops import ZERO_POINTS, int8, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, constant, options

SAME, VALID = 0, 1


def node(
    rng: np.random.Generator,
    image: tuple[int, int, int, int],
    filter_size: tuple[int, int],
    strides: tuple[int, int],
    channels: int,
    padding: int,
    activation: int = 0,
) -> Node:
    batches, height, width, depth = image
    if padding == SAME:
        size = (height * strides[0], width * strides[1])
    else:
        size = tuple((n - 1) * s + f for n, s, f in zip((height, width), strides, filter_size, strict=True))
    output_shape = (batches, *size, channels)
    per_channel = bool(rng.integers(2))
    count = channels if per_channel else 1
    scales = [float(np.float32(s)) for s in 10 ** rng.uniform(-3, -1, count)]
    weights = constant(
        rng.integers(-127, 128, (channels, *filter_size, depth)).astype(np.int8),
        scales if count > 1 else scales[0],
        [0] * count if count > 1 else 0,
    )
    x = int8(rng, image, 0.1)
    natural = 0.1 * max(scales) * 127 * 60 * (depth * np.prod(filter_size)) ** 0.5 / 127
    y = TensorSpec(output_shape, scale=float(np.float32(natural)), zero_point=int(rng.choice(ZERO_POINTS)))
    inputs = [constant(np.array(output_shape, np.int32)), weights, x]
    if rng.integers(2):
        bias = rng.integers(-2000, 2000, channels).astype(np.int32)
        inputs.append(constant(bias, [0.1 * s for s in scales] if count > 1 else 0.1 * scales[0]))
    opts = options("TransposeConvOptions", padding=padding, strideH=strides[0], strideW=strides[1])
    opts.fusedActivationFunction = activation
    return Node("TRANSPOSE_CONV", opts, inputs, [y])


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("seed", range(3))
def test_random(padding: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(12):
        image = tuple(int(d) for d in rng.integers(1, [3, 6, 6, 6]))
        size = tuple(int(d) for d in rng.integers(1, 6, 2))
        strides = tuple(int(d) for d in rng.integers(1, 4, 2))
        nodes.append(node(rng, image, size, strides, int(rng.integers(1, 6)), padding))  # type: ignore[arg-type]
    prove(nodes, seed=seed)


def test_activations() -> None:
    rng = np.random.default_rng(8)
    prove([node(rng, (1, 4, 5, 3), (3, 3), (2, 2), 4, SAME, activation) for activation in (0, 1, 2, 3)])


def test_refusals() -> None:
    rng = np.random.default_rng(1)
    good = node(rng, (1, 4, 4, 2), (3, 3), (2, 2), 3, SAME)
    shape, weights, image, *bias = good.inputs
    output = good.outputs[0]

    def changed(**operands: TensorSpec) -> Node:
        merged = {"shape": shape, "weights": weights, "image": image, **operands}
        return Node(good.op, good.options, [merged["shape"], merged["weights"], merged["image"], *bias], [output])

    assert "is expected" in refusal(changed(shape=constant(np.array([1, 8, 8, 4], np.int32))))
    assert "computed by the model" in refusal(changed(shape=TensorSpec((4,), "int32")))
    assert "computed by the model" in refusal(changed(weights=TensorSpec((3, 3, 3, 2), scale=0.1)))
    assert "the image is" in refusal(changed(image=TensorSpec((1, 4, 4, 5), scale=0.1)))

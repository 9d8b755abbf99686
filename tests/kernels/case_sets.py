"""Sets of models that together reach every line of the int8 and int16 kernels of layers that matter most.

Each set is compiled as one program. The ordinary tests run them with sanitizers, and `make mutants` runs them on
changed kernels: what survives there is what no test here notices.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import Target
from tests.conformance.suite import batches
from tests.kernels import models_16x8 as wide
from tests.kernels import (
    test_16x8_elementwise,
    test_16x8_weighted,
    test_arithmetic,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_pool_2d,
    test_winograd,
)
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.kernels.standalone.arithmetic import write_arithmetic
from tests.kernels.standalone.program import write_program
from tests.kernels.test_dsp_host import products, sum_model
from tests.kernels.test_lanes import paired_dense_models, paired_models
from tests.kernels.test_scalar import depthwise_filters
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, tie_model

PORTABLE = Target()
MLA = Target("cortex-m3", ("mla",))
DSP = Target("cortex-m4", ("dsp",))

STRIPES = {"dsp": 900, "mla": 300}
"""Bytes of scratch with which depthwise kernels make some rows at a time."""

_CONFORMANCE_CASES = 6
"""Of each op and type: as many as keep a set small."""


def _conformance(*pairs: tuple[str, str]) -> list[bytes]:
    return [batch.model for batch in batches(pairs, _CONFORMANCE_CASES)]


def convolutions() -> list[bytes]:
    models = [conv_model(image, filters, **how) for image, filters, how in test_conv_2d.SHAPES.values()]
    for filters in ((5, 3, 3), (5, 1, 1)):
        models += [conv_model((1, 5, 4, 6), filters, quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()]
    models.append(conv_model((1, 5, 5, 8), (5, 3, 3)))  # more than four words of padding at once
    models += [conv_model((1, 1, windows, depth), (5, 1, 1)) for windows in (2, 5) for depth in range(1, 10)]
    models.append(test_conv_2d.layer_of_biases([*range(-40, 40)], [0.25, 0.125, 0.375, 0.5 - 2**-20] * 20))
    models += [tie_model("CONV_2D", scale, 0.0101, per_channel=per) for scale in (0.0123, 0.7001) for per in (0, 1)]
    return [*models, *paired_models(), *_conformance(("CONV_2D", "int8"))]


def depthwise_convolutions() -> list[bytes]:
    models = [depthwise_model(image, size, **how) for image, size, how in test_depthwise_conv_2d.SHAPES.values()]
    quants = test_depthwise_conv_2d.QUANTIZATIONS.values()
    models += [depthwise_model((1, 5, 4, 7), (3, 3), quant=quant) for quant in quants]
    models += [depthwise_model((1, 3, 3, 7), (3, 3), same=False, quant=quant) for quant in quants]
    models += [
        depthwise_model((1, height, width, 5), (3, 3), stride=(stride, 1), same=same)
        for height, width, stride, same in itertools.product((3, 7, 10), (3, 6), (1, 2), (False, True))
    ]
    models += [depthwise_model((1, 3, 4, 7), (1, 1), quant=quant) for quant in quants]
    models += [depthwise_model((1, 9, 6, 3), (3, columns), dilation=(2, 1)) for columns in (1, 2)]
    models += [depthwise_model((1, 1, 1, 4), (1, 2), dilation=(1, dilation)) for dilation in (2, 3)]
    # One window of whole rows.
    models += [depthwise_model((1, 9, 2, channels), (9, 2), same=False) for channels in (1, 4, 6, 8)]
    models += [depthwise_model((1, 5, 2, 8), (5, 2), same=False, quant=quant) for quant in quants]
    fine = Quantized(input_scale=0.5, weights_scale=0.01, output_scale=0.5)  # a sum that is off by one is seen
    models.append(depthwise_model((1, 1, 1, 256), (1, 1), quant=fine))
    return [*models, *depthwise_filters(), *_conformance(("DEPTHWISE_CONV_2D", "int8"))]


def depthwise_in_stripes() -> list[bytes]:
    """Planes of some rows at a time, where the last stripe has fewer: by `STRIPES`, see `MODEL_SETS`."""
    return [
        depthwise_model((2, 12, 7, 8), (3, 3)),
        depthwise_model((1, 9, 9, 6), (3, 3), stride=(2, 2)),
        depthwise_model((1, 8, 8, 5), (3, 3), dilation=(2, 1)),
        depthwise_model((2, 12, 7, 6), (5, 5)),
        depthwise_model((1, 11, 8, 4), (5, 4), stride=(2, 1)),
        depthwise_model((1, 9, 10, 3), (3, 5), dilation=(1, 2)),
        depthwise_model((1, 10, 9, 4), (3, 3), same=False),
    ]


def dense_layers() -> list[bytes]:
    models = [dense_model(source, channels, depth, **how) for source, channels, depth, how in _dense_shapes()]
    models += [dense_model((3, 21), 6, 21, quant=quant) for quant in test_fully_connected.QUANTIZATIONS.values()]
    models += [dense_model((1, 21), 9, 21, quant=quant) for quant in test_fully_connected.QUANTIZATIONS.values()]
    models += [dense_model((rows, depth), 9, depth) for rows in (1, 2) for depth in range(1, 20)]
    nearly = [Quantized(per_channel=False, weights_zero=zero) for zero in (-1, 1)]
    nearly.append(Quantized(per_channel=False, weights_zero=9, input_scale=3.0, weights_scale=5.0, output_scale=0.4))
    models += [dense_model((2, 13), 5, 13, quant=quant) for quant in nearly]
    models += [tie_model("FULLY_CONNECTED", 0.0123, 0.0101, per_channel=per) for per in (False, True)]
    return [*models, *paired_dense_models(), *_conformance(("FULLY_CONNECTED", "int8"))]


def _dense_shapes() -> list[tuple[tuple[int, ...], int, int, dict[str, object]]]:
    return list(test_fully_connected.SHAPES.values())


def pools() -> list[bytes]:
    models = [
        test_pool_2d.pool_model(kind, image, size, **how)
        for kind in test_pool_2d.KINDS
        for image, size, how in test_pool_2d.SHAPES.values()
    ]
    models += [
        test_pool_2d.pool_model(kind, (1, 6, 6, 5), (2, 2), activation=activation, zero_point=zero)
        for kind in test_pool_2d.KINDS
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1")
        for zero in (-128, -7, 127)
    ]
    models.append(test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 40, 40, 3), (1, 2), stride=(1, 2)))  # sums of 1
    return [*models, *_conformance(("AVERAGE_POOL_2D", "int8"), ("MAX_POOL_2D", "int8"))]


def _int8(shape: tuple[int, ...], scale: float) -> TensorSpec:
    return TensorSpec(shape, scale=scale, zero_point=-7)


def sums_and_products() -> list[bytes]:
    models = [
        sum_model(first, second, output, kind=kind)
        for kind in ("ADD", "SUB")
        for first, second in ((0.1, 0.1), (0.1, 0.0999), (0.05, 0.1), (0.1, 1e-4))
        for output in (0.003, 0.2, 30.0)
    ]
    models += products()
    models += [
        build_model(kind, options(test_arithmetic.TABLES[kind]), [_int8(first, 0.3), _int8(second, 0.2)], [output])
        for kind, scale in (("ADD", 0.4), ("SUB", 0.4), ("MUL", 5.0))
        for first, second in test_arithmetic.BROADCASTS
        for output in [_int8(np.broadcast_shapes(first, second), scale)]
    ]
    return [*models, *_conformance(("ADD", "int8"), ("SUB", "int8"), ("MUL", "int8"))]


def wide_layers() -> list[bytes]:
    """Layers of int16 activations."""
    models = [wide.conv(image, filters, **how) for image, filters, how in test_16x8_weighted.CONVOLUTIONS.values()]
    models += [
        wide.conv((1, 4, 4, 3), (5, 2, 2), bias=bias, per_channel=per_channel, seed=3, activation=activation)
        for bias in ("int64", "int32", None)
        for per_channel in (True, False)
        for activation in ("NONE", "RELU6")
    ]
    models += [
        wide.depthwise((2, height, width, 3), size, stride=stride, same=same)
        for (height, width), size in (((6, 7), (3, 3)), ((5, 4), (2, 5)))
        for stride in ((1, 1), (2, 3))
        for same in (True, False)
        if same or (height >= size[0] and width >= size[1])
    ]
    pairs = [(kind, "int16") for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
    return [*models, *_conformance(*pairs)]


def wide_pools_and_sums() -> list[bytes]:
    models = [
        wide.pool(kind, (2, 7, 6, 3), same, activation)
        for kind in test_pool_2d.KINDS
        for same in (True, False)
        for activation in ("NONE", "RELU6", "RELU_N1_TO_1")
    ]
    models += [
        wide.pool(kind, image, how.get("same", False), filters=filters, stride=how.get("stride", (1, 1)))
        for kind in test_pool_2d.KINDS
        for image, filters, how in test_pool_2d.SHAPES.values()
    ]
    models.append(wide.pool("AVERAGE_POOL_2D", (1, 40, 40, 3), filters=(1, 2), stride=(1, 2)))
    models += [
        test_16x8_elementwise.model(kind, shapes, scales)
        for kind, scales in (("ADD", (0.001, 0.0007, 0.0011)), ("SUB", (0.3, 0.1, 70.0)), ("MUL", (0.002, 3e-4, 0.02)))
        for shapes in test_16x8_elementwise.SHAPES.values()
    ]
    pairs = [(kind, "int16") for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "ADD", "SUB", "MUL")]
    return [*models, *_conformance(*pairs)]


_INT8 = {
    "convolutions": convolutions,
    "depthwise": depthwise_convolutions,
    "dense": dense_layers,
    "pools": pools,
    "sums": sums_and_products,
}
_TARGETS = {"portable": PORTABLE, "dsp": DSP, "mla": MLA}

MODEL_SETS: Mapping[str, tuple[Callable[[], Sequence[bytes]], Target]] = {
    **{f"{name}, {core}": (make, target) for core, target in _TARGETS.items() for name, make in _INT8.items()},
    **{
        f"depthwise in stripes, {core}": (depthwise_in_stripes, replace(_TARGETS[core], scratch_limit=limit))
        for core, limit in STRIPES.items()
    },
    "convolutions by tiles, dsp": (test_winograd.models, DSP),
    "convolutions by tiles, mla": (test_winograd.models, MLA),
    "int16 layers": (wide_layers, PORTABLE),
    "int16 pools and sums": (wide_pools_and_sums, PORTABLE),
}
"""By name: what makes models of one op each, and the core whose kernels they are planned for."""


_GOALS: Mapping[str, Goal] = {f"convolutions by tiles, {core}": "speed" for core in ("dsp", "mla")}
"""Of sets that are not planned for the default goal."""


def _write_models(name: str, folder: Path) -> None:
    make, target = MODEL_SETS[name]
    write_program(make(), target, folder, goal=_GOALS.get(name, DEFAULT_GOAL))


CASE_SETS: Mapping[str, Callable[[Path], None]] = {
    "arithmetic": write_arithmetic,
    **{name: functools.partial(_write_models, name) for name in MODEL_SETS},
}
"""By name: what writes the set's program into a folder."""

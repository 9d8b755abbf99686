"""Cases of element-wise ops, reductions and normalisations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.conformance.draw import Case, Draw, Generate, ints, real
from tests.kernels.single_op import TensorSpec

_TYPE_CODES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}

# ---- one input


def _unary(d: Draw) -> Case:
    x = d.tensor(d.shape())
    return d.node([x], [d.near(real(x), x.shape)])


def _within(low: float, high: float) -> Generate:
    """A function that float32 knows between two limits."""

    def generate(d: Draw) -> Case:
        x = d.tensor(d.shape())
        return replace(d.node([x], [d.near(real(x), x.shape)]), limits={x: (low, high)})

    return generate


def _reciprocal_root(d: Draw) -> Case:
    """Of numbers from the zero point up, which the reference demands."""
    x = d.tensor(d.shape(), zero_point=-128 if d.dtype == "int8" else 0)
    if not d.quantized:
        return replace(d.node([x], [d.like(x)]), limits={x: (0.01, 50)})
    case = d.node([x], [d.near(1 / (real(x) * d.steps) ** 0.5, x.shape)])
    return replace(case, limits={x: (1, 32767)}) if d.dtype == "int16" else case


def _hard_swish(d: Draw) -> Case:
    x = d.tensor(d.shape())
    return d.node([x], [d.tensor(x.shape, real(x) * 10 ** d.rng.uniform(0, 2))])


def _leaky(d: Draw) -> Case:
    x = d.tensor(d.shape())
    alpha = float(np.float32(d.pick([0.0, 1.0, -1.0, 0.01, 0.3]) * d.rng.uniform(0.5, 2)))
    return d.node([x], [d.near(real(x), x.shape)], "LeakyReluOptions", alpha=alpha)


def _clamped(d: Draw) -> Case:
    """RELU6 keeps the quantization."""
    x = d.tensor(d.shape(), 10 ** d.rng.uniform(-3, 0))
    return d.node([x], [d.like(x)])


def _squashed(scale8: float, zero8: int, scale16: float) -> Generate:
    """A function whose output has one quantization that kernels demand."""

    def generate(d: Draw) -> Case:
        x = d.tensor(d.shape(), d.scale(-4, 0) / (256 if d.dtype == "int16" else 1))
        fixed = (scale16, 0) if d.dtype == "int16" else (scale8, zero8)
        return d.node([x], [d.tensor(x.shape, *fixed)])

    return generate


def _logical_not(d: Draw) -> Case:
    x = d.tensor(d.shape())
    return d.node([x], [d.like(x)])


def _quantize(d: Draw) -> Case:
    x = d.tensor(d.shape())
    targets = {
        "float32": ("int8", "int16", "uint8"),
        "int8": ("int8", "uint8", "int16", "int32"),
        "uint8": ("int8",),
        "int16": ("int8", "int16", "int32"),
        "int32": ("int8", "int16"),
    }
    to = d.pick(targets[d.dtype])
    if d.dtype == "int32":
        x = TensorSpec(x.shape, "int32", d.scale(-6, -3))
    wide = 1 / 200 if to == "int16" and d.dtype != "int16" else 200 if to != "int16" and d.dtype == "int16" else 1.0
    natural = real(x) * wide if d.dtype != "float32" else 0.03
    y = d.tensor(x.shape, natural * 10 ** d.rng.uniform(-1, 1), dtype=to)
    if to == "int32":
        y = TensorSpec(x.shape, "int32", natural)
    return d.node([x], [y])


def _dequantize(d: Draw) -> Case:
    x = d.tensor(d.shape())
    if d.dtype == "int32":
        x = TensorSpec(x.shape, "int32", d.scale(-6, -3))
    return d.node([x], [TensorSpec(x.shape, "float32")])


def _cast(d: Draw) -> Case:
    plain = TensorSpec(d.shape(), d.dtype)
    to = d.pick([name for name in ("int8", "int16", "int32", "float32", "bool") if name != d.dtype])
    y = TensorSpec(plain.shape, to)
    case = d.node([plain], [y], "CastOptions", inDataType=_TYPE_CODES[d.dtype], outDataType=_TYPE_CODES[to])
    return replace(case, limits={plain: (-100, 100)}) if d.dtype == "float32" else case


# ---- two inputs


def _shapes(d: Draw, ranks: tuple[int, int] = (1, 4)) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast, and what they make."""
    whole = d.shape(ranks)
    first = tuple(n if d.integer(0, 3) else 1 for n in whole)
    second = tuple(n if f == 1 or d.integer(0, 2) else 1 for n, f in zip(whole, first, strict=True))
    pair = (first, second[d.integer(0, len(second)) :] if d.chance() else second)
    first, second = pair if d.chance() else (pair[1], pair[0])
    return first, second, np.broadcast_shapes(first, second)


def _arithmetic(table: str, natural: Callable[[Draw, float, float], float]) -> Generate:
    """An op with two broadcasting inputs and a fused activation; `natural` gives its output's scale."""

    def generate(d: Draw) -> Case:
        first, second, output = _shapes(d)
        a, b = d.tensor(first), d.tensor(second)
        if d.integer(0, 3) == 0 and d.dtype != "int16":
            b = d.constant(b)
        activation = d.pick([0, 0, 1, 3]) if d.quantized or d.dtype == "float32" else 0
        y = d.near(natural(d, real(a), real(b)), output)
        return d.node([a, b], [y], table, fusedActivationFunction=activation)

    return generate


def _larger(_d: Draw, a: float, b: float) -> float:
    return max(a, b)


def _product(d: Draw, a: float, b: float) -> float:
    return a * b * d.steps


def _divided(d: Draw) -> Case:
    """The divisor keeps away from zero."""
    first, second, output = _shapes(d)
    a = d.tensor(first)
    b = d.tensor(second, zero_point=-128) if d.dtype == "int8" else d.tensor(second)
    y = d.near(real(a) / real(b) / 256, output, 0.5)  # so fine that the reference's shifts have bits left
    table = {"DIV": "DivOptions", "FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions"}[d.kind]
    away = {"int8": (-127, 127), "float32": (0.5, 4), "int32": (1, 1000), "int16": (1, 1000)}
    return replace(d.node([a, b], [y], table), limits={b: away[d.dtype]})


def _squared_difference(d: Draw) -> Case:
    first, second, output = _shapes(d)
    a, b = d.tensor(first, d.scale(-2, 0)), d.tensor(second, d.scale(-2, 0))
    y = d.near(max(real(a), real(b)) ** 2 * d.steps, output)
    return d.node([a, b], [y], "SquaredDifferenceOptions")


def _extremum(d: Draw) -> Case:
    first, second, output = _shapes(d)
    y = d.tensor(output)
    return d.node([d.like(y, first), d.maybe_constant(d.like(y, second))], [y], "MaximumMinimumOptions")


def _comparison(d: Draw) -> Case:
    first, second, output = _shapes(d)
    a, b = (d.tensor(shape, d.scale(-3, -0.1)) for shape in (first, second))
    if d.dtype in ("int32", "float32"):
        return replace(d.node([a, b], [TensorSpec(output, "bool")]), limits={a: (-3, 3), b: (-3, 3)})
    return d.node([a, b], [TensorSpec(output, "bool")])


def _logical(d: Draw) -> Case:
    first, second, output = _shapes(d)
    return d.node([d.tensor(first), d.tensor(second)], [d.tensor(output)])


def _prelu(d: Draw) -> Case:
    x = d.tensor(d.shape())
    shape = [n if d.chance() else 1 for n in x.shape]
    zero_point = 0 if d.dtype == "int16" else None
    slopes = d.tensor(shape, d.scale(-2, 0), zero_point, "int8" if d.quantized else d.dtype)
    return d.node([x, d.maybe_constant(slopes)], [d.near(real(x), x.shape)])


def _select(d: Draw) -> Case:
    condition, first, output = _shapes(d)
    y = d.tensor(output)
    inputs = [TensorSpec(condition, "bool"), d.like(y, first), d.like(y, output)]
    return d.node(inputs, [y], "SelectV2Options")


def _add_n(d: Draw) -> Case:
    x = d.tensor(d.shape())
    others = [d.like(x) for _ in range(d.integer(1, 3))]
    return d.node([x, *others], [d.near(2 * real(x), x.shape)], "AddNOptions")


# ---- reductions


def _axes(d: Draw, rank: int) -> list[int]:
    chosen = [n for n in range(rank) if d.chance()] or [d.integer(0, rank - 1)]
    return [n - rank if d.chance() else n for n in chosen]


def _reduction(d: Draw) -> Case:
    x = d.tensor(d.shape())
    axes, keep = _axes(d, len(x.shape)), d.chance()
    reduced = {a % len(x.shape) for a in axes}
    shape = [1 if n in reduced else size for n, size in enumerate(x.shape) if keep or n not in reduced]
    y = d.like(x, shape)
    if d.kind in ("MEAN", "SUM") and d.quantized:
        count = np.prod([x.shape[n] for n in reduced]) if d.kind == "SUM" else 1.0
        y = d.near(real(x) * float(count) ** 0.5, shape)
    return d.node([x, ints(axes)], [y], "ReducerOptions", keepDims=keep)


def _arg_extremum(d: Draw) -> Case:
    x = d.tensor(d.shape())
    axis = d.integer(-len(x.shape), len(x.shape) - 1)
    shape = [size for n, size in enumerate(x.shape) if n != axis % len(x.shape)]
    table = "ArgMaxOptions" if d.kind == "ARG_MAX" else "ArgMinOptions"
    return d.node([x, ints(axis)], [TensorSpec(tuple(shape), "int32")], table, outputType=2)


def _cumsum(d: Draw) -> Case:
    x = d.tensor(d.shape())
    axis = d.integer(-len(x.shape), len(x.shape) - 1)
    y = d.near(real(x), x.shape, 0.5)
    return d.node([x, ints(axis)], [y], "CumsumOptions", exclusive=d.chance(), reverse=d.chance())


# ---- rows


def _rows(scale8: float, zero8: int, table: str = "", scale16: float = 1 / 32768) -> Generate:
    """An op on rows whose output has one quantization that kernels demand."""

    def generate(d: Draw) -> Case:
        x = d.tensor((*d.shape((0, 3), 3), d.integer(1, 40)), d.scale(-4, 0) / (100 if d.dtype == "int16" else 1))
        fixed = (scale16, 0) if d.dtype == "int16" else (scale8, zero8)
        y = d.tensor(x.shape, *fixed)
        fields = {"beta": float(np.float32(d.pick([1.0, 0.25, 3.7])))} if d.kind == "SOFTMAX" else {}
        return d.node([x], [y], table, **fields)

    return generate


_COMPARED = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")

GENERATORS: dict[str, Generate] = {
    "ABS": _unary,
    "ADD": _arithmetic("AddOptions", _larger),
    "ADD_N": _add_n,
    "ARG_MAX": _arg_extremum,
    "ARG_MIN": _arg_extremum,
    "CAST": _cast,
    "CEIL": _unary,
    "COS": _unary,
    "CUMSUM": _cumsum,
    "DEQUANTIZE": _dequantize,
    "DIV": _divided,
    "ELU": _unary,
    "EXP": _within(-10, 10),
    "FLOOR": _unary,
    "FLOOR_DIV": _divided,
    "FLOOR_MOD": _divided,
    "HARD_SWISH": _hard_swish,
    "L2_NORMALIZATION": _rows(1 / 128, 0, "L2NormOptions"),
    "LEAKY_RELU": _leaky,
    "LOG": _within(0.01, 50),
    "LOGICAL_AND": _logical,
    "LOGICAL_NOT": _logical_not,
    "LOGICAL_OR": _logical,
    "LOGISTIC": _squashed(1 / 256, -128, 1 / 32768),
    "LOG_SOFTMAX": _rows(1 / 16, 127),
    "MAXIMUM": _extremum,
    "MEAN": _reduction,
    "MINIMUM": _extremum,
    "MUL": _arithmetic("MulOptions", _product),
    "NEG": _unary,
    "PRELU": _prelu,
    "QUANTIZE": _quantize,
    "REDUCE_ALL": _reduction,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RELU": _unary,
    "RELU6": _clamped,
    "ROUND": _unary,
    "RSQRT": _reciprocal_root,
    "SELECT_V2": _select,
    "SIN": _unary,
    "SOFTMAX": _rows(1 / 256, -128, "SoftmaxOptions"),
    "SQRT": _within(0, 50),
    "SQUARE": _unary,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _arithmetic("SubOptions", _larger),
    "SUM": _reduction,
    "TANH": _squashed(1 / 128, 0, 1 / 32768),
    **dict.fromkeys(_COMPARED, _comparison),
}

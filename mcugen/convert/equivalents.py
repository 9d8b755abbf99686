"""Puts ops that microcontrollers run in place of some that they do not: the same results, in other words.

Happens on the float model (`ModelT`), in place, before its ranges are measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft
from mcugen.tflite.schema import load_schema, type_name
from mcugen.tflite.schema_types import ModelT, OperatorT

_MOST_DIMENSIONS = 5
"""Of BROADCAST_TO in TensorFlow Lite Micro."""
_MOST_JOINED = 10
"""Inputs of CONCATENATION in TensorFlow Lite Micro."""


@dataclass(frozen=True)
class Builder(Graft):
    """A graft whose ops are to take the place of `op`."""

    op: OperatorT = field(kw_only=True)

    @property
    def inputs(self) -> tuple[int, ...]:
        return flat.ints(self.op.inputs)

    @property
    def output(self) -> int:
        return flat.ints(self.op.outputs)[0]

    def tensor(self, like: int, shape: tuple[int, ...] | None = None, dtype: str = "") -> int:
        """A new activation, of the type of another."""
        given = self.tensors[like]
        return self.activation(flat.shape_of(given) if shape is None else shape, dtype or type_name(given.type))


def builder_for(model: ModelT, op: OperatorT) -> Builder:
    main = model.subgraphs[0]
    named = next(iter(flat.ints(op.outputs)), None)
    return Builder(model, main, "" if named is None else flat.name_of(main.tensors[named], named), op=op)


def use_equivalents(model: ModelT, *, for_int8: bool = True) -> list[str]:
    """Rewrite the model's ops where that can be done; which kinds of ops were (each once).

    Args:
        for_int8: also ops that run in float32 as they are.
    """
    if for_int8:
        return _rewrite(model, REWRITES)
    return _rewrite(model, {**{k: way for k, way in REWRITES.items() if k not in FOR_INT8}, **FOR_FLOAT})


def _rewrite(model: ModelT, ways: Mapping[str, Callable[[Builder], bool]]) -> list[str]:
    main = model.subgraphs[0]
    kept: list[OperatorT] = []
    rewritten: dict[str, None] = {}
    for op in main.operators:
        kind = flat.kind_of(model, op)
        builder = builder_for(model, op)
        if kind in ways and ways[kind](builder):
            kept.extend(builder.made)
            rewritten[kind] = None
        else:
            kept.append(op)
    main.operators = kept
    return list(rewritten)


def _add_in_turn(b: Builder) -> bool:
    """The int8 kernel of ADD_N wants all inputs quantized alike."""
    total = b.inputs[0]
    for n, i in enumerate(b.inputs[1:], 2):
        output = b.output if n == len(b.inputs) else b.tensor(b.output)
        total = b.add("ADD", [total, i], output, load_schema().AddOptionsT())
    return len(b.inputs) > 1


def _negate(b: Builder) -> bool:
    if type_name(b.tensors[b.output].type) != "float32":
        return False
    b.add("MUL", [b.inputs[0], b.constant(np.array(-1.0, np.float32))], b.output, load_schema().MulOptionsT())
    return True


def _square(b: Builder) -> bool:
    b.add("MUL", [b.inputs[0], b.inputs[0]], b.output, load_schema().MulOptionsT())
    return True


def _tile(b: Builder) -> bool:
    """Repetitions are dimensions of 1 that stretch, which a reshape puts before those that are repeated."""
    schema = load_schema()
    source, output = (flat.shape_of(b.tensors[i]) for i in (b.inputs[0], b.output))
    times = flat.constant(b.model, b.tensors[b.inputs[1]])
    if times is None or len(times) != len(source) or tuple(np.multiply(source, times)) != output:
        return False
    before: list[int] = []
    after: list[int] = []
    for size, count in zip(source, times.tolist(), strict=True):
        if count > 1 and size > 1:
            before, after = [*before, 1, size], [*after, count, size]
        elif count == 1 and after and before[-1] == after[-1]:
            before[-1] *= size  # neighbours that are both left alone are one dimension
            after[-1] *= size
        else:
            before, after = [*before, size], [*after, size * count]
    if len(after) > _MOST_DIMENSIONS:
        return False
    narrow, wide = b.tensor(b.inputs[0], tuple(before)), b.tensor(b.inputs[0], tuple(after))
    b.add("RESHAPE", [b.inputs[0], b.constant(np.array(before, np.int32))], narrow, schema.ReshapeOptionsT(before))
    b.add("BROADCAST_TO", [narrow, b.constant(np.array(after, np.int32))], wide, schema.BroadcastToOptionsT())
    b.add("RESHAPE", [wide, b.constant(np.array(output, np.int32))], b.output, schema.ReshapeOptionsT(list(output)))
    return True


def _select(b: Builder) -> bool:
    """SELECT is SELECT_V2 where nothing is broadcast. Neither takes int32, for which sums and products do."""
    schema = load_schema()
    condition, x, y = b.inputs
    shapes = [flat.shape_of(b.tensors[i]) for i in (condition, x, y)]
    dtype = type_name(b.tensors[b.output].type)
    if dtype == "int32":
        return _select_by_sums(b, condition, x, y)
    if len(set(shapes)) != 1 or flat.kind_of(b.model, b.op) == "SELECT_V2":
        return False
    b.add("SELECT_V2", [condition, x, y], b.output, schema.SelectV2OptionsT())
    return True


def _select_by_sums(b: Builder, condition: int, x: int, y: int) -> bool:
    """y + condition · (x − y), all modulo 2^32, which is how int32 kernels compute."""
    schema = load_schema()
    shape = flat.shape_of(b.tensors[b.output])
    if any(flat.shape_of(b.tensors[i]) not in (shape, ()) for i in (condition, x, y)):
        return False
    codes = schema.TensorType
    chosen = b.add(
        "CAST",
        [condition],
        b.tensor(condition, dtype="int32"),
        schema.CastOptionsT(inDataType=codes.BOOL, outDataType=codes.INT32),
    )
    apart = b.add("SUB", [x, y], b.tensor(b.output), schema.SubOptionsT())
    step = b.add("MUL", [chosen, apart], b.tensor(b.output), schema.MulOptionsT())
    b.add("ADD", [y, step], b.output, schema.AddOptionsT())
    return True


def _join_in_groups(b: Builder) -> bool:
    """TensorFlow Lite Micro joins ten tensors at most."""
    schema = load_schema()
    parts, axis = list(b.inputs), int(b.op.builtinOptions.axis)
    if len(parts) <= _MOST_JOINED or b.op.builtinOptions.fusedActivationFunction:
        return False
    axis %= len(flat.shape_of(b.tensors[b.output]))

    def join(group: list[int], output: int) -> int:
        return b.add("CONCATENATION", group, output, schema.ConcatenationOptionsT(axis=axis))

    while len(parts) > _MOST_JOINED:
        joined = []
        for start in range(0, len(parts), _MOST_JOINED):
            group = parts[start : start + _MOST_JOINED]
            shape = list(flat.shape_of(b.tensors[group[0]]))
            shape[axis] = sum(flat.shape_of(b.tensors[i])[axis] for i in group)
            joined.append(join(group, b.tensor(b.output, tuple(shape))) if len(group) > 1 else group[0])
        parts = joined
    join(parts, b.output)
    return True


def _clip_to_one(b: Builder) -> bool:
    """RELU_0_TO_1 as a sixth of RELU6, whose scale is its own: hard_sigmoid of ONNX and PyTorch."""
    schema = load_schema()
    relu6 = schema.MulOptionsT(fusedActivationFunction=schema.ActivationFunctionType.RELU6)
    clipped = b.add("MUL", [b.inputs[0], b.constant(np.array(6.0, np.float32))], b.tensor(b.output), relu6)
    b.add("MUL", [clipped, b.constant(np.array(1 / 6, np.float32))], b.output, schema.MulOptionsT())
    return True


def _clip_exactly(b: Builder) -> bool:
    """The same without rounding."""
    above = b.add("RELU", [b.inputs[0]], b.tensor(b.output))
    b.add("MINIMUM", [above, b.constant(np.array(1.0, np.float32))], b.output, load_schema().MaximumMinimumOptionsT())
    return True


_GELU_SLOPE, _GELU_CUBE, _GELU_REACH = 2 * math.sqrt(2 / math.pi), 0.044715, 3.4
"""Of the sigmoid that GELU multiplies with: its slope, the share of x³, and where it is 0 or 1 to within 0.0003."""


def _gelu(b: Builder) -> bool:
    """x · sigmoid(1.596 · (x + 0.0447 · x³)), the form by tanh, from which that by erf differs by 0.0005 at most.

    The sigmoid sees what it can tell apart: the cube of a large input would leave it few steps.
    """
    schema = load_schema()
    x = b.inputs[0]
    near = x
    for kind, end in (("MAXIMUM", -_GELU_REACH), ("MINIMUM", _GELU_REACH)):
        limit = b.constant(np.array(end, np.float32))
        near = b.add(kind, [near, limit], b.tensor(x), schema.MaximumMinimumOptionsT())
    _times_sigmoid(b, near)
    return True


def _gelu_exactly(b: Builder) -> bool:
    """The same in float32, for the form by tanh."""
    if not b.op.builtinOptions.approximate:
        return False
    _times_sigmoid(b, b.inputs[0])
    return True


def _times_sigmoid(b: Builder, near: int) -> None:
    schema = load_schema()
    x = b.inputs[0]
    slope, cube = (b.constant(np.array(v, np.float32)) for v in (_GELU_SLOPE, _GELU_SLOPE * _GELU_CUBE))
    square = b.add("MUL", [near, near], b.tensor(x), schema.MulOptionsT())
    rise = b.add("MUL", [square, cube], b.tensor(x), schema.MulOptionsT())
    factor = b.add("ADD", [rise, slope], b.tensor(x), schema.AddOptionsT())
    sigmoid = b.add("LOGISTIC", [b.add("MUL", [factor, near], b.tensor(x), schema.MulOptionsT())], b.tensor(x))
    b.add("MUL", [x, sigmoid], b.output, schema.MulOptionsT())


FOR_INT8 = ("ADD_N", "NEG", "SQUARE")
"""Rewritten only for a model that is quantized."""
FOR_FLOAT: dict[str, Callable[[Builder], bool]] = {"GELU": _gelu_exactly, "RELU_0_TO_1": _clip_exactly}
"""Rewritten otherwise for one that is not."""

REWRITES: dict[str, Callable[[Builder], bool]] = {
    "ADD_N": _add_in_turn,
    "CONCATENATION": _join_in_groups,
    "GELU": _gelu,
    "NEG": _negate,
    "RELU_0_TO_1": _clip_to_one,
    "SELECT": _select,
    "SELECT_V2": _select,
    "SQUARE": _square,
    "TILE": _tile,
}


def use_int16_equivalents(model: ModelT) -> list[str]:
    """Rewrite ops that have an int8 form here, but an int16 form neither in TensorFlow's quantizer nor in TFLM."""
    return _rewrite(model, INT16_REWRITES)


def _prelu(b: Builder) -> bool:
    """max(x, 0) − slope · max(−x, 0)."""
    schema = load_schema()
    relu = schema.ActivationFunctionType.RELU
    x, slope = b.inputs
    values = flat.constant(b.model, b.tensors[slope])
    if values is None:
        return False
    if not values.any():  # as before training: a scale of zeros would be none
        b.add("RELU", [x], b.output)
        return True
    negative = b.constant(np.array(-1.0, np.float32))
    above = b.add("RELU", [x], b.tensor(x))
    below = b.add("MUL", [x, negative], b.tensor(x), schema.MulOptionsT(fusedActivationFunction=relu))
    taken = b.add("MUL", [below, b.constant(-values.astype(np.float32))], b.tensor(x), schema.MulOptionsT())
    b.add("ADD", [above, taken], b.output, schema.AddOptionsT())
    return True


def _largest(b: Builder) -> bool:
    """Over dimensions that lie side by side, the largest is that of a window as large as they are."""
    schema = load_schema()
    shape = flat.shape_of(b.tensors[b.inputs[0]])
    axes = flat.constant(b.model, b.tensors[b.inputs[1]])
    if axes is None:
        return False
    over = sorted({int(axis) % len(shape) for axis in axes.reshape(-1)})
    if over != list(range(over[0], over[-1] + 1)):
        return False
    outer, window, inner = (
        int(np.prod(shape[a:z])) for a, z in ((0, over[0]), (over[0], over[-1] + 1), (over[-1] + 1, None))
    )
    image = b.tensor(b.inputs[0], (outer, window, 1, inner))
    largest = b.tensor(b.inputs[0], (outer, 1, 1, inner))
    wanted = flat.shape_of(b.tensors[b.output])
    b.add(
        "RESHAPE",
        [b.inputs[0], b.constant(np.array(flat.shape_of(b.tensors[image]), np.int32))],
        image,
        schema.ReshapeOptionsT(),
    )
    b.add(
        "MAX_POOL_2D",
        [image],
        largest,
        schema.Pool2DOptionsT(padding=1, strideW=1, strideH=1, filterWidth=1, filterHeight=window),
    )
    b.add("RESHAPE", [largest, b.constant(np.array(wanted, np.int32))], b.output, schema.ReshapeOptionsT())
    return True


def _stretch(b: Builder) -> bool:
    """A dimension of 1 stretches by joining the tensor with itself."""
    schema = load_schema()
    source, wanted = (flat.shape_of(b.tensors[i]) for i in (b.inputs[0], b.output))
    stretched = [axis for axis, (old, new) in enumerate(zip(source, wanted, strict=False)) if old != new]
    if len(source) != len(wanted) or any(source[axis] != 1 or wanted[axis] > _MOST_JOINED for axis in stretched):
        return False
    at, shape = b.inputs[0], list(source)
    for axis in stretched:
        shape[axis] = wanted[axis]
        output = b.output if axis == stretched[-1] else b.tensor(b.output, tuple(shape))
        at = b.add("CONCATENATION", [at] * wanted[axis], output, schema.ConcatenationOptionsT(axis=axis))
    return bool(stretched)


INT16_REWRITES: dict[str, Callable[[Builder], bool]] = {
    "BROADCAST_TO": _stretch,
    "PRELU": _prelu,
    "REDUCE_MAX": _largest,
}

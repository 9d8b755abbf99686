"""Brings models of frameworks that have channels first (N, C, H, W) into TensorFlow Lite's order, channels last.

Their converters put a TRANSPOSE between the two wherever the order shows. Here those after an input become the input's
own shape, and those before means and fully connected layers go into axes and weights. Outputs keep their order.
Happens on the float model (`ModelT`), in place; sums of floats may change their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.equivalents import Builder, builder_for
from mcugen.tflite import fields as flat
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT
from mcugen.tflite.types import CHANNELS_LAST

_ELEMENTWISE = frozenset(
    {
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RELU_0_TO_1",
        "LEAKY_RELU",
        "ELU",
        "LOGISTIC",
        "TANH",
        "HARD_SWISH",
        "GELU",
        "ABS",
        "EXP",
        "LOG",
        "SQRT",
        "RSQRT",
        "SQUARE",
        "NEG",
        "SIN",
        "COS",
        "CEIL",
        "FLOOR",
        "ROUND",
    }
)
_FUSED = ("RELU", "RELU6", "RELU_N1_TO_1")
_FUSING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "ADD", "SUB", "MUL")
_REDUCING = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


@dataclass(frozen=True)
class ChangedInput:
    """A model input (its position) that took its channels first, and takes them last now; shapes with the batch."""

    position: int
    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]


def fold_transposes(model: ModelT) -> None:
    """Move transpositions towards the outputs, and into the ops that can take them in."""
    while any(_moved(model, op) for op in _transposes(model)):
        pass
    _fuse_activations(model)


def inputs_channels_last(model: ModelT) -> tuple[ChangedInput, ...]:
    """Change inputs that are only read with their channels last, so that they are given so.

    The name of one whose elements come in another order then ends in `CHANNELS_LAST`. An input whose two orders have
    the same shape stays as it is: its samples would not tell which order they have.
    """
    return tuple(
        changed
        for position in range(len(flat.ints(model.subgraphs[0].inputs)))
        if (changed := _changed_input(model, position)) is not None
    )


def outputs_as_given(model: ModelT, shapes: list[tuple[int, ...]]) -> None:
    """Transpose outputs that have their channels last to the shapes that they have in the original model."""
    main = model.subgraphs[0]
    outputs = list(flat.ints(main.outputs))
    for position, (i, wanted) in enumerate(zip(outputs, shapes, strict=True)):
        shape = flat.shape_of(main.tensors[i])
        if shape == wanted or len(shape) < 3 or (shape[0], shape[-1], *shape[1:-1]) != wanted:
            continue
        writer = next(op for op in main.operators if i in flat.ints(op.outputs))
        builder = builder_for(model, writer)
        outputs[position] = made = builder.tensor(i, wanted)
        order = np.array([0, len(shape) - 1, *range(1, len(shape) - 1)], np.int32)
        builder.add("TRANSPOSE", [i, builder.constant(order)], made, load_schema().TransposeOptionsT())
        main.operators.extend(builder.made)
        main.tensors[made].name, main.tensors[i].name = main.tensors[i].name, main.tensors[made].name
    main.outputs = np.array(outputs, np.int32)


def _fuse_activations(model: ModelT) -> None:
    """What converters leave apart because of a transposition between a layer and its activation."""
    codes = load_schema().ActivationFunctionType
    main = model.subgraphs[0]
    for op in list(main.operators):
        kind = flat.kind_of(model, op)
        if kind not in _FUSED:
            continue
        source = flat.ints(op.inputs)[0]
        writers = [w for w in main.operators if source in flat.ints(w.outputs)]
        if not writers or flat.kind_of(model, writers[0]) not in _FUSING:
            continue
        writer = writers[0]
        options = writer.builtinOptions
        alone = _only_reader(model, writer) is op
        if alone and options is not None and options.fusedActivationFunction == codes.NONE:
            options.fusedActivationFunction = getattr(codes, kind)
            writer.outputs = op.outputs
            main.operators.remove(op)


def _transposes(model: ModelT) -> list[OperatorT]:
    return [op for op in model.subgraphs[0].operators if _order(model, op) is not None]


def _order(model: ModelT, op: OperatorT) -> tuple[int, ...] | None:
    """The constant permutation of a TRANSPOSE, or None."""
    if flat.kind_of(model, op) != "TRANSPOSE":
        return None
    order = flat.constant(model, model.subgraphs[0].tensors[flat.ints(op.inputs)[1]])
    rank = len(flat.shape_of(model.subgraphs[0].tensors[flat.ints(op.inputs)[0]]))
    if order is None or sorted(order.reshape(-1).tolist()) != list(range(rank)):
        return None
    return flat.ints(order.reshape(-1))


def _readers(model: ModelT, tensor: int) -> list[OperatorT]:
    return [op for op in model.subgraphs[0].operators if tensor in flat.ints(op.inputs)]


def _only_reader(model: ModelT, op: OperatorT) -> OperatorT | None:
    """The op that alone reads what `op` computes; None if there are several, or the model gives it out."""
    output = flat.ints(op.outputs)[0]
    readers = _readers(model, output)
    given_out = output in flat.ints(model.subgraphs[0].outputs)
    return readers[0] if len(readers) == 1 and not given_out else None


def _moved(model: ModelT, op: OperatorT) -> bool:
    """Move one TRANSPOSE past the op that reads it, or into it; whether that was done."""
    reader = _only_reader(model, op)
    if reader is None:
        return False
    kind = flat.kind_of(model, reader)
    way = _WAYS.get("ELEMENTWISE" if kind in _ELEMENTWISE else "REDUCING" if kind in _REDUCING else kind)
    return way is not None and way(model, op, reader)


def _past_elementwise(model: ModelT, op: OperatorT, reader: OperatorT) -> bool:
    main = model.subgraphs[0]
    source, order = flat.ints(op.inputs)
    result = flat.ints(reader.outputs)[0]
    between = builder_for(model, reader).tensor(source)
    reader.inputs, reader.outputs = np.array([source], np.int32), np.array([between], np.int32)
    op.inputs, op.outputs = np.array([between, order], np.int32), np.array([result], np.int32)
    main.operators.remove(op)
    main.operators.insert(main.operators.index(reader) + 1, op)
    return True


def _into_transpose(model: ModelT, op: OperatorT, reader: OperatorT) -> bool:
    first, second = _order(model, op), _order(model, reader)
    if first is None or second is None:
        return False
    main = model.subgraphs[0]
    source, result = flat.ints(op.inputs)[0], flat.ints(reader.outputs)[0]
    both = [first[axis] for axis in second]
    main.operators.remove(op)
    if both == sorted(both) and result not in flat.ints(main.outputs):
        _read_instead(model, result, source)
        main.operators.remove(reader)
    else:
        order = builder_for(model, reader).constant(np.array(both, np.int32))
        reader.inputs = np.array([source, order], np.int32)
    return True


def _into_reduction(model: ModelT, op: OperatorT, reader: OperatorT) -> bool:
    """The mean over other axes, if what is left then comes in the same order."""
    order = _order(model, op)
    main = model.subgraphs[0]
    axes = flat.constant(model, main.tensors[flat.ints(reader.inputs)[1]])
    if order is None or axes is None:
        return False
    source, result = flat.ints(op.inputs)[0], flat.ints(reader.outputs)[0]
    shape = flat.shape_of(main.tensors[source])
    reduced = {order[int(axis)] for axis in axes.reshape(-1)}
    left = [axis for axis in order if axis not in reduced]
    if [a for a in left if shape[a] > 1] != sorted(a for a in left if shape[a] > 1):
        return False
    builder = builder_for(model, reader)
    reader.inputs = np.array([source, builder.constant(np.array(sorted(reduced), np.int32))], np.int32)
    computed = tuple(shape[a] for a in range(len(shape)) if a not in reduced)
    reader.builtinOptions.keepDims = False
    wanted = flat.shape_of(main.tensors[result])
    if computed != wanted:
        between = builder.tensor(source, computed)
        reader.outputs = np.array([between], np.int32)
        _add_reshape(builder, between, result)
        position = main.operators.index(reader) + 1
        main.operators[position:position] = builder.made
    main.operators.remove(op)
    return True


def _into_weights(model: ModelT, op: OperatorT, reader: OperatorT) -> bool:
    """Flattening, then fully connected layers: their weights change places instead."""
    order = _order(model, op)
    main = model.subgraphs[0]
    source, given = flat.ints(op.inputs)[0], flat.ints(op.outputs)[0]
    shape = flat.shape_of(main.tensors[source])
    flattened = flat.ints(reader.outputs)[0]
    layers = _readers(model, flattened)
    if order is None or order[0] != 0 or shape[0] != 1 or flattened in flat.ints(main.outputs) or not layers:
        return False
    weights = [_weights(model, layer, flattened, math.prod(shape)) for layer in layers]
    if any(w is None for w in weights):
        return False
    before = flat.shape_of(main.tensors[given])[1:]
    back = np.argsort(order)
    for layer, values in zip(layers, weights, strict=True):
        assert values is not None
        moved = values.reshape(-1, *before).transpose(0, *back[1:]).reshape(values.shape)
        made = builder_for(model, layer).constant(np.ascontiguousarray(moved))
        layer.inputs = np.array([flattened, made, *flat.ints(layer.inputs)[2:]], np.int32)
    reader.inputs = np.array([source, *flat.ints(reader.inputs)[1:]], np.int32)
    main.operators.remove(op)
    return True


def _weights(model: ModelT, layer: Any, activations: int, columns: int) -> NDArray[Any] | None:
    """The constant float32 weights of a fully connected layer with so many columns, or None."""
    if flat.kind_of(model, layer) != "FULLY_CONNECTED" or flat.ints(layer.inputs)[0] != activations:
        return None
    values = flat.constant(model, model.subgraphs[0].tensors[flat.ints(layer.inputs)[1]])
    if values is None or values.dtype != np.float32 or values.ndim != 2 or values.shape[1] != columns:
        return None
    return values


_WAYS: dict[str, Callable[[ModelT, OperatorT, OperatorT], bool]] = {
    "ELEMENTWISE": _past_elementwise,
    "REDUCING": _into_reduction,
    "RESHAPE": _into_weights,
    "TRANSPOSE": _into_transpose,
}


def _changed_input(model: ModelT, position: int) -> ChangedInput | None:
    main = model.subgraphs[0]
    given = flat.ints(main.inputs)[position]
    before = flat.shape_of(main.tensors[given])
    if not 3 <= len(before) <= 5 or before[0] != 1 or given in flat.ints(main.outputs):
        return None
    axes = [0, *range(2, len(before)), 1]
    after = tuple(before[a] for a in axes)
    old = [d for d in before if d > 1]
    new = [a for a in axes if before[a] > 1]
    reordered = new != sorted(new)
    if reordered and old == [before[a] for a in new]:
        return None
    chains = [_chain(model, op, len(before), new) for op in _readers(model, given)]
    if not chains or any(chain is None for chain in chains):
        return None
    tensor = main.tensors[given]
    name = flat.name_of(tensor, given)
    tensor.shape, tensor.shapeSignature = np.array(after, np.int32), None
    for chain in chains:
        assert chain is not None
        last = flat.ints(chain[-1].outputs)[0]
        builder = builder_for(model, chain[-1])
        if flat.shape_of(main.tensors[last]) != after or last in flat.ints(main.outputs):
            _add_reshape(builder, given, last)
        else:
            _read_instead(model, last, given)
        place = main.operators.index(chain[-1])
        main.operators[place : place + 1] = builder.made
        for op in chain[:-1]:
            main.operators.remove(op)
    if reordered:
        tensor.name = f"{name}{CHANNELS_LAST}"
    return ChangedInput(position, name, before, after)


def _chain(model: ModelT, first: OperatorT, rank: int, wanted: list[int]) -> list[OperatorT] | None:
    """Transpositions and reshapes from `first` on, which end with the input's axes (those above 1) as wanted."""
    axes: list[int | None] = list(range(rank))  # of the input, along each dimension; None for added ones
    chain = []
    op: OperatorT | None = first
    while op is not None:
        moved = _axes_after(model, op, axes)
        if moved is None:
            return None
        axes = moved
        chain.append(op)
        shape = flat.shape_of(model.subgraphs[0].tensors[flat.ints(op.outputs)[0]])
        if [a for a, d in zip(axes, shape, strict=True) if d > 1] == wanted:
            return chain
        op = _only_reader(model, op)
    return None


def _axes_after(model: ModelT, op: OperatorT, axes: list[int | None]) -> list[int | None] | None:
    """Where the axes are after an op that only moves them; None after any other."""
    order = _order(model, op)
    if order is not None:
        return [axes[a] for a in order]
    if flat.kind_of(model, op) != "RESHAPE":
        return None
    tensors = model.subgraphs[0].tensors
    before, after = (flat.shape_of(tensors[i]) for i in (flat.ints(op.inputs)[0], flat.ints(op.outputs)[0]))
    if [d for d in before if d > 1] != [d for d in after if d > 1]:
        return None
    real = iter([a for a, d in zip(axes, before, strict=True) if d > 1])
    return [next(real) if d > 1 else None for d in after]


def _add_reshape(builder: Builder, source: int, result: int) -> None:
    shape = flat.shape_of(builder.tensors[result])
    options = load_schema().ReshapeOptionsT(list(shape))
    builder.add("RESHAPE", [source, builder.constant(np.array(shape, np.int32))], result, options)


def _read_instead(model: ModelT, old: int, new: int) -> None:
    for op in _readers(model, old):
        op.inputs = np.array([new if i == old else i for i in flat.ints(op.inputs)], np.int32)

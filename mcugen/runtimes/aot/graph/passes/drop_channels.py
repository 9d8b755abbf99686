"""Channels that never change, or that nobody looks at, are left out.

A channel of an activation tensor is a constant when its weights are all zero, or when its clamp always saturates
(see `ranges`). A convolution or fully connected layer that reads a constant channel needs only its
product with the weights, which goes into the bias. So the channel is never computed, stored or multiplied.

Where scales were made up, a clamp that saturates says nothing; then only weights of zero count.

At the border of an image the padding stands for the input's zero point, whatever the channel holds. There the product
is the same only if the constant is the zero point; a convolution that reaches into the padding keeps other constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor
from mcugen.runtimes.aot.graph.ranges import (
    POOLS,
    RESHAPES,
    Limits,
    centred_weights,
    channel_limits,
    has_channels,
    is_sound,
    keeps_channels,
    takes_padding,
)

_FOLDING = frozenset({"CONV_2D", "FULLY_CONNECTED"})
_ELEMENTWISE = frozenset(
    {
        "ABS",
        "ADD",
        "ELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MUL",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RSQRT",
        "SUB",
        "TANH",
    }
)
"""Ops that make every element of the output from the elements at the same place."""

Mask = NDArray[np.bool_]
Groups = list[tuple[int, NDArray[np.int64]]]
"""Tensors whose channels stay or go together: per tensor id, a number for each of its channels."""


def drop_channels(graph: Graph, *, made_up: bool = False) -> Graph:
    """Leave out every channel that no model output depends on, or only by a constant that a bias can hold.

    `made_up`: only by weights that are zero, not by clamps, since the scales that these come from are made up.

    Model inputs and outputs keep all their channels. A tensor that lost some says in `Tensor.kept` which it has.
    """
    limits = channel_limits(graph, made_up=made_up)
    needed = _needed_channels(graph, limits, made_up=made_up)
    if all(mask.all() for mask in needed.values()):
        return graph
    rewriter = _Rewriter(graph, limits, needed)
    new_ops = tuple(rewriter.rewrite(op) for op in graph.ops)
    dropped = sum(int((~mask).sum()) for mask in needed.values())
    total = sum(len(mask) for mask in needed.values())
    note = f"{dropped:,} of {total:,} channels between layers are constant or unused: left out, exactly"
    return graph.with_(tensors=rewriter.tensors, ops=new_ops, notes=(*graph.notes, note))


def _needed_channels(graph: Graph, limits: dict[int, Limits], *, made_up: bool) -> dict[int, Mask]:
    """Which channels must stay, by tensor id: the least fixed point of what each op asks for."""
    moving = {i for op in graph.ops for i in (*op.inputs, *op.outputs)}
    needed = {
        i: np.zeros(len(known.low), np.bool_)
        for i, known in limits.items()
        if i in moving and not graph.tensor(i).is_const
    }
    for i in (*graph.inputs, *graph.outputs):
        if i in needed:
            needed[i][:] = True
    demands = [_Demand(graph, op, limits, made_up=made_up) for op in graph.ops]
    while True:
        changed = True
        while changed:
            changed = True in [demand.spread(needed) for demand in reversed(demands)]
        empty = next((i for i, mask in needed.items() if not mask.any()), None)
        if empty is None:
            return needed
        needed[empty][0] = True  # a tensor without channels cannot be written down


class _Demand:
    """What one op asks of its tensors' channels."""

    def __init__(self, graph: Graph, op: Op, limits: dict[int, Limits], *, made_up: bool) -> None:
        # Of a constant, nothing is left out: whoever made the model could have computed what depends on it.
        sound = is_sound(graph, op) and not graph.tensor(op.inputs[0]).is_const
        self._op, self._tensors = op, (*op.inputs, *op.outputs)
        self._uses = _uses(graph, op, limits, made_up=made_up) if sound and op.kind in _FOLDING else None
        self._groups = _groups(graph, op) if sound else None

    def spread(self, needed: dict[int, Mask]) -> bool:
        """Mark what the marked channels need in turn; whether that was anything new."""
        before = sum(int(needed[i].sum()) for i in self._tensors if i in needed)
        if self._uses is not None:
            needed[self._op.inputs[0]] |= self._uses[needed[self._op.outputs[0]]].any(axis=0)
        elif self._groups is not None:
            members = [(needed[i], groups) for i, groups in self._groups]
            wanted = np.zeros(1 + max(int(groups.max()) for _, groups in members), np.bool_)
            for mask, groups in members:
                np.logical_or.at(wanted, groups, mask)
            for mask, groups in members:
                mask |= wanted[groups]
        else:
            for i in self._tensors:
                if i in needed:
                    needed[i][:] = True
        return sum(int(needed[i].sum()) for i in self._tensors if i in needed) > before


def _foldable(graph: Graph, op: Op, source: Limits, *, made_up: bool) -> Mask:
    """Input channels whose products are the same everywhere, so that the bias can hold them."""
    foldable = source.constant
    if takes_padding(graph, op):
        if made_up:
            return np.zeros(len(source.low), np.bool_)
        foldable = foldable & (source.low == graph.tensor(op.inputs[0]).zero_point)
    return foldable


def _uses(graph: Graph, op: Op, limits: dict[int, Limits], *, made_up: bool) -> NDArray[np.bool_] | None:
    """[output channels, input channels]: which inputs each output has to read. None if channels do not match up."""
    weights = centred_weights(graph, op)
    source = limits[op.inputs[0]]
    channels, _, depth = weights.shape
    if depth % len(source.low):
        return None
    pixels = weights[0].size // len(source.low)
    uses: NDArray[np.bool_] = (weights != 0).reshape(channels, pixels, len(source.low)).any(axis=1)
    return uses & ~_foldable(graph, op, source, made_up=made_up)


def _groups(graph: Graph, op: Op) -> Groups | None:
    """Channels that stay or go together; None for an op that needs them all."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    moving = [i for i in op.inputs if i >= 0 and has_channels(graph.tensor(i)) and not graph.tensor(i).is_const]
    if not moving or not has_channels(output):
        return None
    channels = output.shape[-1]
    if op.kind == "DEPTHWISE_CONV_2D":
        each = np.arange(channels) // op.options.depth_multiplier
        return [(source.id, np.arange(source.shape[-1])), (output.id, each)]
    if op.kind == "MEAN":
        whole = np.arange(channels)
        return [(source.id, whole), (output.id, whole)] if keeps_channels(graph, op) else None
    if op.kind in RESHAPES:
        small, large = sorted((source.shape[-1], channels))
        if large % small:
            return None
        return [(source.id, np.arange(source.shape[-1]) % small), (output.id, np.arange(channels) % small)]
    if op.kind == "CONCATENATION" and op.options.axis in (-1, len(output.shape) - 1):
        starts = np.cumsum([0] + [graph.tensor(i).shape[-1] for i in op.inputs])
        parts = zip(op.inputs, starts, strict=False)
        joined = [(i, int(start) + np.arange(graph.tensor(i).shape[-1])) for i, start in parts if i in moving]
        constants = len(moving) < len(op.inputs)
        return None if constants else [*joined, (output.id, np.arange(channels))]
    if op.kind in POOLS or op.kind in _ELEMENTWISE or op.kind == "CONCATENATION":
        operands = [graph.tensor(i) for i in op.inputs]
        if all(t.shape and t.shape[-1] == channels and has_channels(t) for t in operands):
            return [(i, np.arange(channels)) for i in (*moving, output.id)]
    return None


class _Rewriter:
    """Makes the tensors and ops without the channels that are not needed."""

    def __init__(self, graph: Graph, limits: dict[int, Limits], needed: dict[int, Mask]) -> None:
        self._graph, self._limits, self._needed = graph, limits, needed
        self.tensors: dict[int, Tensor] = {
            i: _with_channels(tensor, needed[i]) if i in needed else tensor for i, tensor in graph.tensors.items()
        }

    def rewrite(self, op: Op) -> Op:
        touched = [i for i in (*op.inputs, *op.outputs) if i in self._needed and not self._needed[i].all()]
        if not touched:
            return op
        if op.kind in _FOLDING:
            return self._without_products(op)
        if op.kind == "DEPTHWISE_CONV_2D":
            return self._without_filters(op)
        outputs = self._needed[op.outputs[0]]
        inputs = tuple(
            self._add(_with_channels(self._graph.tensor(i), outputs))
            if i >= 0 and self._graph.tensor(i).is_const and has_channels(self._graph.tensor(i))
            else i
            for i in op.inputs
        )
        return replace(op, inputs=inputs)

    def _without_products(self, op: Op) -> Op:
        """A convolution or fully connected layer over fewer channels, the missing products in its bias."""
        graph = self._graph
        weights = graph.tensor(op.inputs[1])
        assert weights.data is not None
        depth = weights.shape[-1]
        reads, writes = self._needed[op.inputs[0]], self._needed[op.outputs[0]]
        times = depth // len(reads)
        source = self._limits[op.inputs[0]]
        zero = graph.tensor(op.inputs[0]).zero_point
        # What is left out varies only where nothing needed uses it: there the weights are zero anyway.
        value = np.tile(np.where(reads, 0, source.low - zero), times)
        products = centred_weights(graph, op).sum(axis=1) @ value
        return self._with_weights(op, weights.data[writes][..., np.tile(reads, times)], weights.quant, products, writes)

    def _without_filters(self, op: Op) -> Op:
        writes = self._needed[op.outputs[0]]
        weights = self._graph.tensor(op.inputs[1])
        assert weights.data is not None
        none = np.zeros(len(writes), np.int64)
        return self._with_weights(op, weights.data[..., writes], weights.quant, none, writes)

    def _with_weights(
        self,
        op: Op,
        values: NDArray[np.int8],
        quant: Quantization | None,
        products: NDArray[np.int64],
        writes: Mask,
    ) -> Op:
        """The op with other weights, and with `products` (of all its channels) in the bias."""
        graph = self._graph
        weights, bias = graph.tensor(op.inputs[1]), graph.input_of(op, 2)
        new_weights = replace(weights, shape=values.shape, data=_frozen(values), quant=_of_channels(quant, writes))
        inputs = (op.inputs[0], self._add(new_weights))
        if bias is None and not products[writes].any():
            return replace(op, inputs=inputs)
        old = np.zeros(len(writes), np.int64) if bias is None or bias.data is None else bias.data.reshape(-1)
        sums = (old.astype(np.int64) + products)[writes].astype(np.int32)
        new_bias = Tensor(0, bias.name if bias else f"{op.name}_bias", sums.shape, DType.INT32, None, _frozen(sums))
        return replace(op, inputs=(*inputs, self._add(new_bias)))

    def _add(self, tensor: Tensor) -> int:
        """A new tensor, under an id that the model file does not use."""
        made = max(self.tensors) + 1
        self.tensors[made] = replace(tensor, id=made)
        return made


def _with_channels(tensor: Tensor, mask: Mask) -> Tensor:
    """The tensor with the marked channels only."""
    if mask.all():
        return tensor
    shape = (*tensor.shape[:-1], int(mask.sum()))
    had: Sequence[int] = tensor.kept if tensor.kept is not None else range(len(mask))
    data = None if tensor.data is None else _frozen(tensor.data[..., mask])
    kept = tuple(channel for channel, stays in zip(had, mask, strict=True) if stays)
    return replace(tensor, shape=shape, data=data, kept=kept)


def _of_channels(quant: Quantization | None, mask: Mask) -> Quantization | None:
    if quant is None or not quant.per_channel:
        return quant
    stays = np.flatnonzero(mask)
    return replace(
        quant,
        scale=tuple(quant.scale[n] for n in stays),
        zero_point=tuple(quant.zero_point[n] for n in stays),
    )


def _frozen(values: NDArray[np.generic]) -> NDArray[np.generic]:
    made = np.ascontiguousarray(values)
    made.flags.writeable = False
    return made

"""Signal to quantization noise per layer: where a quantized model leaves the float one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.evaluate import pick
from mcugen.assess.match import is_edge, match_ops
from mcugen.assess.suspects import find_suspects
from mcugen.assess.types import Histogram, LayerNoise, Layers
from mcugen.convert.affine import Affine, dequantize_array, quantize_array
from mcugen.convert.compare import encode_input, sqnr_db
from mcugen.convert.data_specs import short_name
from mcugen.errors import DataError
from mcugen.graph import Graph, Op, Tensor
from mcugen.graph.types import DType
from mcugen.numerics.affine import normalize
from mcugen.oracle.oracle import Oracle
from mcugen.progress import Share
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.fields import layer_of
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.types import TensorSpec
from mcugen.verify.parted_oracle import open_oracle

LAYER_SAMPLES = 32
BINS = 64


@dataclass(eq=False)
class _Sums:
    """What is summed up over the samples for one tensor of both models."""

    tensor: Tensor
    signal: float = 0.0
    noise: float = 0.0
    limit: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    clipped: int = 0
    outside: list[int] = field(default_factory=lambda: [0, 0])
    values: int = 0
    channels: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, BINS), np.int64))

    def add(self, real: NDArray[Any], stored: NDArray[Any]) -> None:
        """One sample: the float tensor, and the quantized one as it is stored."""
        real = normalize(real, self.tensor.units)
        params = _affine(self.tensor)
        if params is None:
            got = best = stored.astype(np.float64)
        else:
            got = dequantize_array(stored, params).astype(np.float64)
            best = dequantize_array(quantize_array(real, params, stored.dtype), params).astype(np.float64)
        wide = real.astype(np.float64)
        self.signal += float(np.sum(wide**2))
        self.noise += float(np.sum((wide - got) ** 2))
        self.limit += float(np.sum((wide - best) ** 2))
        self.low, self.high = min(self.low, float(real.min())), max(self.high, float(real.max()))
        self.values += real.size
        rows = np.abs(wide).reshape(-1, wide.shape[-1] if wide.ndim else 1).max(axis=0)
        self.channels = np.maximum(self.channels, rows) if self.channels.size else rows
        if params is not None:
            low, high = _span(self.tensor, params)
            beyond = params.scale / 2  # as much again: 1.0 is 255/256 to a softmax, which is rounding
            self.clipped += int(np.count_nonzero((wide < low - beyond) | (wide > high + beyond)))
            self.outside[0] += int(np.count_nonzero(wide < low))
            self.outside[1] += int(np.count_nonzero(wide > high))
            for n, row in enumerate((wide, got)):
                self.counts[n] += np.histogram(row, BINS, (low, high))[0]

    def histogram(self) -> Histogram | None:
        params = _affine(self.tensor)
        if params is None:
            return None
        floats, ints = (tuple(int(n) for n in row) for row in self.counts)
        return Histogram(*_span(self.tensor, params), floats, ints, *self.outside)


def layer_noise(
    float_model: bytes | OpenedModel,
    quantized: bytes | OpenedModel,
    feeds: Sequence[NDArray[Any]],
    *,
    samples: int = LAYER_SAMPLES,
    progress: Share | None = None,
) -> Layers:
    """Run both forms of a model on the same samples and compare the output of every layer.

    Args:
        float_model: a float32 `.tflite`.
        quantized: a quantized form of it, mcugen's or somebody else's.
        feeds: one (N, *input shape) array per input, real values where an input is quantized.
        samples: take no more than that, drawn over all with a fixed seed.

    Raises:
        DataError: the models do not have the same inputs, or the float one computes NaN or infinity.
        ModelError, ToolError: the oracle does not run one of them.
    """
    first, second = open_model(float_model), open_model(quantized)
    left, right = read_graph(first), read_graph(second)
    shapes = [[tuple(g.tensor(i).shape) for i in g.inputs] for g in (left, right)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"the float model's inputs are {shapes[0]}, the quantized one's {shapes[1]}",
            hint="Pass two forms of the same model",
        )
    partners = match_ops(left, right)
    pairs = [(op, partners[op.index]) for op in right.ops if op.index in partners]
    pairs = [(op, partner) for op, partner in pairs if _comparable(left, partner, right, op)]
    specs = [_spec(right.tensor(i)) for i in right.inputs]
    sums = [_Sums(right.output_of(op)) for op, _ in pairs]
    given = {i: _Sums(right.tensor(i)) for i in right.inputs if right.tensor(i).quant is not None}
    float_ids = [partner.outputs[0] for _, partner in pairs]
    our_ids = [op.outputs[0] for op, _ in pairs]
    numbers = pick(len(feeds[0]), samples, sequence=right.streams)
    with Oracle(first.data, afresh=left.sequences) as floats, open_oracle(second) as ints:
        for done, n in enumerate(numbers, 1):
            real = [a[n] for a in feeds]
            stored = [encode_input(values, spec) for values, spec in zip(real, specs, strict=True)]
            for i, values, code in zip(right.inputs, real, stored, strict=True):
                if i in given:
                    given[i].add(values, code)
            values_of = zip(sums, floats.tensors(real, float_ids), ints.tensors(stored, our_ids), strict=True)
            for total, wanted, got in values_of:
                if not np.isfinite(wanted).all():
                    raise DataError(
                        f"the float model computes NaN or infinity from sample {n}",
                        where=f'layer "{short_name(layer_of(total.tensor.name))}"',
                        hint="Check the model's weights and the range of the data",
                    )
                total.add(wanted, got)
            if progress is not None:
                progress(done / len(numbers))
    known = {i: _db(total) for i, total in given.items()}
    layers = _judge(left, right, pairs, sums, known)
    missing = tuple(op.where for op in right.ops if op.index not in partners and not is_edge(op))
    return Layers(len(numbers), layers, missing)


def _judge(
    left: Graph, right: Graph, pairs: Sequence[tuple[Op, Op]], sums: Sequence[_Sums], known: dict[int, float | None]
) -> tuple[LayerNoise, ...]:
    """Noise per layer; `known` holds that of the inputs, and gets that of every tensor."""
    by_index = {op.index: (partner, total) for (op, partner), total in zip(pairs, sums, strict=True)}
    layers = []
    for op in right.ops:
        before = [db for i in op.inputs if (db := known.get(i)) is not None]
        if op.index not in by_index:
            known.update((i, min(before, default=None)) for i in op.outputs)
            continue
        partner, total = by_index[op.index]
        own = _db(total)
        known.update((i, own) for i in op.outputs)
        clipped = total.clipped / total.values
        histogram = total.histogram()
        found = LayerNoise(
            index=op.index,
            kind=op.kind,
            name=short_name(layer_of(op.name)),
            matched=left.output_of(partner).name,
            sqnr_db=own,
            limit_db=sqnr_db(total.signal, total.limit),
            lost_db=min(before) - own if before and own is not None else None,
            low=total.low,
            high=total.high,
            clipped=clipped,
            suspects=find_suspects(right, op, total.channels, clipped, histogram),
            histogram=histogram,
        )
        layers.append(found)
    return tuple(layers)


def _comparable(left: Graph, partner: Op, right: Graph, op: Op) -> bool:
    """Whether both outputs are numbers of the same shape: what a layer computes, and no index or truth value."""
    real, stored = left.output_of(partner), right.output_of(op)
    numeric = stored.dtype is DType.FLOAT32 or _affine(stored) is not None
    return real.dtype is DType.FLOAT32 and numeric and real.shape == stored.shape


def _db(total: _Sums) -> float | None:
    return sqnr_db(total.signal, total.noise)


def _affine(tensor: Tensor) -> Affine | None:
    quantized = tensor.quant is not None and not tensor.quant.per_channel and tensor.scale > 0
    return Affine(tensor.scale, tensor.zero_point) if quantized and tensor.dtype is not DType.FLOAT32 else None


def _span(tensor: Tensor, params: Affine) -> tuple[float, float]:
    """What a quantized tensor can hold, with half a step on both sides: what rounds to its ends is not clipped."""
    limits = np.iinfo(tensor.dtype.numpy)
    low, high = (params.scale * (end - params.zero_point) for end in (limits.min, limits.max))
    return low - params.scale / 2, high + params.scale / 2


def _spec(tensor: Tensor) -> TensorSpec:
    params = _affine(tensor)
    scale, zero = (params.scale, params.zero_point) if params is not None else (0.0, 0)
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype.value, scale, zero, tensor.units)

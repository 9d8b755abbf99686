"""Inputs that a user gives to `run` and `verify`, as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data import TABLES, DataSource, read_source
from mcugen.convert.data_objects import as_array, is_pair
from mcugen.convert.data_shapes import rows_of
from mcugen.convert.inspect_source import takes_pixels
from mcugen.convert.types import OwnScaling
from mcugen.errors import DataError
from mcugen.graph.types import Graph, Tensor
from mcugen.numerics.affine import normalize, quantize
from mcugen.ops.common import describe
from mcugen.tflite.types import TensorSpec

InputSource = DataSource
"""What data may be, see :func:`mcugen.convert.load_samples`; but of a sequence, each item belongs to a model input."""

_OFTEN_OUTSIDE = 0.05
_FEW_LEVELS = 4
_EXACT = (1 << 24) - 1

Sample = list[NDArray[Any]]
"""One array per model input, of its shape and dtype."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples as the device takes them.

    Attributes:
        origin: where they came from.
        notes: what was done to them.
        warnings: what makes them doubtful: a scale that is not the model's, samples that are all the same.
    """

    samples: list[Sample]
    origin: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_inputs(source: InputSource, graph: Graph, scaling: OwnScaling | None = None) -> Inputs:
    """Samples for all inputs of a model.

    An array holds one sample per row: (N, …) for an input of shape (1, …), or one sample in the input's own shape.
    Arrays of the input's dtype are taken as they are; floats are quantized with the input's scale. Images are given as
    0…255 to a model that was quantized for such values, or scales them itself.

    Args:
        scaling: what the model does first with its input, where that is known.

    Raises:
        DataError: an unreadable file, another shape or dtype, values that are not finite, or no sample.
    """
    tensors = [graph.tensor(i) for i in graph.inputs]
    notes: list[str] = []
    warnings: list[str] = []
    if isinstance(source, np.ndarray):
        origin, arrays = "array", [source]
    elif isinstance(source, list | tuple) and not is_pair(source, _specs(tensors)):
        origin, arrays = "arrays", [as_array(array) for array in source]
    else:
        origin, arrays = _read(source, tensors, notes, scaling)
    if len(arrays) != len(tensors):
        raise DataError(
            f"{len(arrays)} array{'s' * (len(arrays) != 1)} for {len(tensors)} model inputs",
            where=origin,
            hint=f"Pass one array per input, as .npz: {', '.join(_expected(t) for t in tensors)}",
        )
    columns = [_samples(array, tensor, origin, notes, warnings) for array, tensor in zip(arrays, tensors, strict=True)]
    counts = {len(column) for column in columns}
    if len(counts) != 1:
        found = ", ".join(f'"{t.name}" has {len(column)}' for t, column in zip(tensors, columns, strict=True))
        raise DataError(
            f"the inputs have different numbers of samples: {found}", where=origin, hint="Pass the same number of each"
        )
    if counts == {0}:
        raise DataError("holds no samples", where=origin, hint="Give at least one")
    count = counts.pop()
    if count > 1 and all((sample == column[0]).all() for column in columns for sample in column):
        warnings.append(f"the model sees {count} identical samples, which prove no more than one")
    return Inputs([list(sample) for sample in zip(*columns, strict=True)], origin, tuple(notes), tuple(warnings))


def one_path(source: InputSource | None) -> str | Path | None:
    """The file or folder that inputs come from; None for anything else."""
    return source if isinstance(source, str | Path) else None


def _specs(tensors: Sequence[Tensor]) -> list[TensorSpec]:
    scales = [t.scale if t.quant is not None else 0.0 for t in tensors]
    return [
        TensorSpec(t.name, t.shape, t.dtype.value, scale, units=t.units)
        for t, scale in zip(tensors, scales, strict=True)
    ]


def _read(
    source: Any, tensors: Sequence[Tensor], notes: list[str], scaling: OwnScaling | None
) -> tuple[str, list[NDArray[Any]]]:
    """Where samples come from, and the arrays, read and chosen as those of calibration data are."""
    specs = _specs(tensors)
    pixels = scaling.takes_pixels if scaling is not None else takes_pixels(specs[0])
    raw, origin = read_source(
        source,
        specs,
        "evaluation",
        notes,
        scale_images=not pixels,
        hint="Pass a .npy, .npz or .csv file, or a folder of images or .wav files, with "
        + ", ".join(_expected(tensor) for tensor in tensors),
    )
    if not isinstance(source, str | Path) or Path(source).suffix.lower() not in TABLES:
        return origin, raw.arrays
    return origin, [_typed(array, tensor) for array, tensor in zip(raw.arrays, tensors, strict=True)]


def _typed(rows: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Numbers of a text, which has no types: integers where the input takes such without a scale, else real ones."""
    dtype = tensor.dtype.numpy
    if dtype.kind not in "iu" or (tensor.quant is not None and tensor.scale > 0):
        return rows
    info = np.iinfo(dtype)
    # float32, which rows of a text are, tells every integer below 2^24 from its neighbours, and none beyond.
    low, high = max(int(info.min), -_EXACT), min(int(info.max), _EXACT)
    whole = np.array_equal(rows, np.floor(rows)) and low <= rows.min() and rows.max() <= high
    return rows.astype(dtype) if whole else rows


def _samples(
    array: NDArray[Any], tensor: Tensor, where: str, notes: list[str], warnings: list[str]
) -> list[NDArray[Any]]:
    """The samples of one input, each in the tensor's shape and dtype."""
    shape = tensor.shape
    array = _reshaped(array, tensor, where, notes)
    if array.shape == shape:
        array = array[np.newaxis]
    elif shape and shape[0] == 1 and array.shape[1:] == shape[1:]:
        array = array[:, np.newaxis]
    elif array.shape == shape[1:] and shape[0] == 1:
        array = array[np.newaxis, np.newaxis]
    elif array.shape[1:] != shape:
        raise DataError(
            f'the array is {array.dtype}{list(array.shape)}, but the input "{tensor.name}" is {describe(tensor)}',
            where=where,
            hint=f"Pass {_expected(tensor)}",
        )
    if array.dtype == tensor.dtype.numpy:
        return list(np.ascontiguousarray(array))
    if array.dtype.kind in "iu" and tensor.units is not None:
        array = array.astype(np.float32)  # such as raw readings of a converter
    if array.dtype.kind == "f" and tensor.quant is not None and tensor.scale > 0:
        if not np.isfinite(array).all():
            first = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(
                f"holds values that are NaN or infinite, the first in sample {first}",
                where=where,
                hint="Remove or replace them",
            )
        how = f"scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
        if tensor.units is not None:
            how = f"each feature from its own unit, {how}"
        notes.append(f'floats quantized for "{tensor.name}": {how}')
        quantized = np.ascontiguousarray(quantize(array, tensor))
        warnings.extend(_scale_warnings(array, quantized, tensor))
        return list(quantized)
    raise DataError(
        f'values are {array.dtype}, but the input "{tensor.name}" is {tensor.dtype.value}',
        where=where,
        hint=f"Pass {tensor.dtype.value} values as they are, or real values as float32 to be quantized",
    )


def _reshaped(array: NDArray[Any], tensor: Tensor, where: str, notes: list[str]) -> NDArray[Any]:
    """Samples of another shape as one row each, as calibration data is read; as they are if that cannot be told."""
    shape = tensor.shape
    if array.shape in (shape, shape[1:]) or array.shape[1:] in (shape, shape[1:]) or shape[:1] != (1,):
        return array
    try:
        return rows_of(array, _specs([tensor])[0], where, notes)
    except DataError:
        return array  # refused below, in the words of the device's input


def _scale_warnings(real: NDArray[Any], quantized: NDArray[Any], tensor: Tensor) -> list[str]:
    """Signs that the reals are not scaled as the ones that the model was quantized for."""
    if not real.size:
        return []
    if tensor.units is not None:
        return _unit_warnings(real, quantized, tensor)
    info = np.iinfo(tensor.dtype.numpy)
    low = (info.min - tensor.zero_point) * tensor.scale
    high = (info.max - tensor.zero_point) * tensor.scale
    lie = f'values for "{tensor.name}" lie in [{float(real.min()):.3g}, {float(real.max()):.3g}]'
    was = f"the model was quantized for [{low:.3g}, {high:.3g}]: scale them as in training"
    # One step of room: the range of the calibration samples is rounded to the scale.
    outside = float(np.mean((real < low - tensor.scale) | (real > high + tensor.scale)))
    if outside > _OFTEN_OUTSIDE:
        return [f"{lie} and {outside:.0%} of them were clipped; {was}"]
    levels = int(quantized.max()) - int(quantized.min()) + 1
    if real.min() < real.max() and levels <= _FEW_LEVELS:
        return [f"{lie}, {levels} of {info.max - info.min + 1} levels; {was}"]
    return []


def _unit_warnings(real: NDArray[Any], quantized: NDArray[Any], tensor: Tensor) -> list[str]:
    """The same of features in their own units: values scaled already lie far from where these do."""
    assert tensor.units is not None
    info, step = np.iinfo(tensor.dtype.numpy), tensor.scale
    scaled = normalize(real, tensor.units)
    low, high = ((end - tensor.zero_point) * step for end in (info.min, info.max))
    outside = float(np.mean((scaled < low - step) | (scaled > high + step)))
    if outside <= _OFTEN_OUTSIDE:
        return []
    lie = f'values for "{tensor.name}" lie in [{float(real.min()):.3g}, {float(real.max()):.3g}]'
    return [
        f"{lie} and {outside:.0%} of them were clipped: the model takes its features as they are measured, not scaled"
    ]


def _expected(tensor: Tensor) -> str:
    rest = ", ".join(str(d) for d in (tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape))
    return f'"{tensor.name}": {tensor.dtype.value} or float32 of shape (N{", " if rest else ""}{rest})'

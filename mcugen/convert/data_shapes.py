"""Arrays in the shape and type that a model's input takes, or a refusal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import describe_inputs, sample_shape, short_name
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec


def rows_of(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    """An array as (N, *sample shape), if there is only one way to read it so."""
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"holds {array.dtype} values, not numbers", where=where, hint="Pass an array of floats or integers"
        )
    shape = sample_shape(spec)
    if array.shape[1:] == shape:
        return array
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == (1, *shape):
        return array.reshape(-1, *shape)
    if spec.was_channels_first:
        return _channels_moved(array, spec, where, notes)
    without_ones = tuple(d for d in shape if d != 1)
    if array.ndim >= 1 and tuple(d for d in array.shape[1:] if d != 1) == without_ones:
        notes.append(f"samples of shape {array.shape[1:]} were reshaped to {shape}")
        return array.reshape(-1, *shape)
    if array.ndim == 2 and array.shape[1] == int(np.prod(shape)):
        notes.append(f"rows of {array.shape[1]} values were reshaped to {shape}")
        return array.reshape(-1, *shape)
    if array.ndim and tuple(d for d in array.shape if d != 1) == without_ones:  # one sample, such as a grey image
        notes.append(f"samples of shape {array.shape} were reshaped to {shape}")
        return array.reshape(1, *shape)
    hint = f"The model takes {describe_inputs([spec])}"
    if len(shape) == 3 and array.ndim == 4 and array.shape[1:] == (shape[2], shape[0], shape[1]):
        hint += "; the data has its channels first: transpose it with x.transpose(0, 2, 3, 1)"
    raise DataError(f"has the shape {array.shape}", where=where, hint=hint)


def _channels_moved(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    """Samples in the order of the model that was converted; nothing else can be told apart."""
    shape = sample_shape(spec)
    first = (shape[-1], *shape[:-1])
    if array.shape != first and array.shape[1:] != first:
        raise either_order(spec, where, array.shape)
    notes.append(f"samples of shape {first} have their channels first and were transposed to {shape}")
    return np.moveaxis(array.reshape(-1, *first), 1, -1)


def either_order(spec: TensorSpec, where: str, shape: tuple[int, ...] | None = None) -> DataError:
    last = sample_shape(spec)
    what = "rows of numbers do not show" if shape is None else f"the shape {shape} does not show"
    return DataError(
        f"{what} whether channels come first or last",
        where=where,
        hint=f"Pass an array (N, {', '.join(map(str, (last[-1], *last[:-1])))}), as the original model takes it, "
        f"or (N, {', '.join(map(str, last))})",
    )


def fit(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    rows = rows_of(array, spec, where, notes)
    if rows.dtype.kind == "f":
        finite = np.isfinite(rows)
        if not finite.all():
            first = int(np.argwhere(~finite)[0][0])
            raise DataError(
                f"holds values that are NaN or infinite ({int((~finite).sum())} of {rows.size}), "
                f"the first in sample {first}",
                where=where,
                hint="Remove or replace them",
            )
    if spec.dtype == "float32":
        if rows.dtype.kind in "iu":
            notes.append(f"{rows.dtype} values are taken as real numbers, without scaling")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # overflow is an error of our own, below
            converted = rows.astype(np.float32)
        if not np.isfinite(converted).all():
            raise DataError(
                "holds values beyond the range of float32",
                where=where,
                hint="Scale them as in training",
            )
        return converted
    target = np.dtype(spec.dtype)
    if spec.scale > 0 and rows.dtype.kind == "f":
        return rows.astype(np.float32)
    converted = rows.astype(target)
    if not np.array_equal(converted, rows):
        raise DataError(
            f'holds values that {spec.dtype} cannot hold, but input "{short_name(spec.name)}" is {spec.dtype}',
            where=where,
        )
    return converted

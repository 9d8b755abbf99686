"""Inputs that a user gives to `run` and `verify`, as the model takes them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import DataError
from mcugen.graph.types import Graph, Tensor
from mcugen.numerics.affine import quantize
from mcugen.ops.common import describe

InputSource = str | Path | NDArray[Any] | Sequence[NDArray[Any]]
"""A .npy or .npz file, an array with one sample per row, or one such array per model input."""

_OFTEN_OUTSIDE = 0.05
_FEW_LEVELS = 4

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


def read_inputs(source: InputSource, graph: Graph) -> Inputs:
    """Samples for all inputs of a model.

    An array holds one sample per row: (N, …) for an input of shape (1, …), or one sample in the input's own shape.
    Arrays of the input's dtype are taken as they are; floats are quantized with the input's scale.

    Raises:
        DataError: an unreadable file, another shape or dtype, values that are not finite, or no sample.
    """
    tensors = [graph.tensor(i) for i in graph.inputs]
    if isinstance(source, str | Path):
        origin, arrays = str(source), _read(Path(source), tensors)
    elif isinstance(source, np.ndarray):
        origin, arrays = "array", [source]
    else:
        origin, arrays = "arrays", [np.asarray(array) for array in source]
    if len(arrays) != len(tensors):
        raise DataError(
            f"{len(arrays)} array{'s' * (len(arrays) != 1)} for {len(tensors)} model inputs",
            where=origin,
            hint=f"Pass one array per input, as .npz: {', '.join(_expected(t) for t in tensors)}",
        )
    notes: list[str] = []
    warnings: list[str] = []
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


def _read(path: Path, tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    hint = "Write it with numpy.save (one input) or numpy.savez (several)"
    if path.suffix not in (".npy", ".npz"):
        raise DataError("inputs must be .npy or .npz", where=str(path), hint=hint)
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return [loaded]
            return _by_name(loaded, tensors, str(path))
    except OSError as error:
        reason = error.strerror or "not a NumPy file"
        raise DataError(f"cannot be read: {reason}", where=str(path), hint=hint) from error
    except (ValueError, EOFError, KeyError, MemoryError, SyntaxError, zipfile.BadZipFile) as error:
        # numpy raises whatever a damaged header leads to; pickled objects end here as well.
        raise DataError("is not a NumPy file that can be read safely", where=str(path), hint=hint) from error


def _by_name(arrays: Mapping[str, NDArray[Any]], tensors: Sequence[Tensor], where: str) -> list[NDArray[Any]]:
    """The arrays of an .npz in the model's order: by input name, or the only one."""
    names = list(arrays)
    if all(tensor.name in names for tensor in tensors):
        return [arrays[tensor.name] for tensor in tensors]
    if len(tensors) == 1:
        wanted = [name for name in names if name in ("x", "X", "x_test", "inputs", "data")] or names
        if len(wanted) == 1:
            return [arrays[wanted[0]]]
    raise DataError(
        f"holds the arrays {', '.join(names) or '(none)'}, and none is named after the model's input",
        where=where,
        hint=f"Name them {', '.join(repr(tensor.name) for tensor in tensors)}",
    )


def _samples(
    array: NDArray[Any], tensor: Tensor, where: str, notes: list[str], warnings: list[str]
) -> list[NDArray[Any]]:
    """The samples of one input, each in the tensor's shape and dtype."""
    shape = tensor.shape
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
    if array.dtype.kind == "f" and tensor.quant is not None and tensor.scale > 0:
        if not np.isfinite(array).all():
            first = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(
                f"holds values that are NaN or infinite, the first in sample {first}",
                where=where,
                hint="Remove or replace them",
            )
        notes.append(f'floats quantized for "{tensor.name}": scale {tensor.scale:.6g}, zero point {tensor.zero_point}')
        quantized = np.ascontiguousarray(quantize(array, tensor))
        warnings.extend(_scale_warnings(array, quantized, tensor))
        return list(quantized)
    raise DataError(
        f'values are {array.dtype}, but the input "{tensor.name}" is {tensor.dtype.value}',
        where=where,
        hint=f"Pass {tensor.dtype.value} values as they are, or real values as float32 to be quantized",
    )


def _scale_warnings(real: NDArray[Any], quantized: NDArray[Any], tensor: Tensor) -> list[str]:
    """Signs that the reals are not scaled as the ones that the model was quantized for."""
    if not real.size:
        return []
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


def _expected(tensor: Tensor) -> str:
    rest = ", ".join(str(d) for d in (tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape))
    return f'"{tensor.name}": {tensor.dtype.value} or float32 of shape (N{", " if rest else ""}{rest})'

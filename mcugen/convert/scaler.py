"""A scaler that was fitted beside the model: put in front of it, so that data and device keep the features' units.

Scalers of scikit-learn are Python objects in pickles, which are never loaded. Their numbers are enough.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_files import read_npz
from mcugen.convert.types import OwnScaling
from mcugen.errors import DataError, ModelError
from mcugen.reading import parsing
from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import load_schema, type_name

_MOST_BYTES = 1 << 24
_CENTRES = ("mean", "center")
_SAVE = 'np.savez("scaler.npz", mean=scaler.mean_, scale=scaler.scale_)'


@dataclass(frozen=True, eq=False)
class Scaler:
    """What a model was trained on: (value − offset) / size, feature by feature, float32."""

    offset: NDArray[np.float32]
    size: NDArray[np.float32]


_given: ContextVar[Scaler | None] = ContextVar("scaler", default=None)


def given_scaler() -> Scaler | None:
    """The user's scaler; None without one."""
    return _given.get()


@contextmanager
def using_scaler(source: object) -> Iterator[None]:
    """Put a scaler in front of float models, within. `None` for none.

    Raises:
        DataError: see :func:`read_scaler`.
    """
    token = _given.set(None if source is None else read_scaler(source))
    try:
        yield
    finally:
        _given.reset(token)


def read_scaler(source: object) -> Scaler:
    """A scaler out of a `.npz` or `.json` file, a mapping, or an object with scikit-learn's attributes.

    It holds `mean` (or `center`) and `scale`, for (v − mean) / scale, or `min` and `scale`, for v · scale + min,
    as scikit-learn's scalers do (with or without a trailing underscore); one number per feature.

    Raises:
        DataError: a pickle, anything else, or numbers that cannot be.
    """
    where = str(source) if isinstance(source, str | Path) else type(source).__name__
    values = {key.rstrip("_"): value for key, value in _entries(source, where).items() if value is not None}
    kept = {key: values[key] for key in ("mean", "center", "min", "scale") if key in values}
    try:
        numbers = {key: np.asarray(value, np.float64).reshape(-1) for key, value in kept.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"holds what is not a number: {error}", where=where, hint=_hint()) from None
    centre = next((numbers[key] for key in _CENTRES if key in numbers), None)
    scale, least = numbers.get("scale"), numbers.get("min")
    if least is not None and (scale is None or centre is not None):
        raise DataError("holds min, which goes with scale alone: v · scale + min", where=where, hint=_hint())
    if scale is None and centre is None:
        raise DataError(
            f"holds {', '.join(sorted(values)[:8]) or 'nothing'}, and neither mean nor scale", where=where, hint=_hint()
        )
    counts = {len(array) for array in numbers.values()}
    if len(counts) > 1 or 0 in counts:
        told = ", ".join(f"{key} {len(array)}" for key, array in numbers.items())
        raise DataError(f"has different numbers of features: {told}", where=where, hint=_hint())
    count = counts.pop()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if least is not None and scale is not None:
            offset, size = -least / scale, 1 / scale
        else:
            offset = centre if centre is not None else np.zeros(count)
            size = scale if scale is not None else np.ones(count)
        made = Scaler(offset.astype(np.float32), size.astype(np.float32))
    bad = ~(np.isfinite(made.offset) & np.isfinite(made.size) & (np.abs(made.size) >= np.finfo(np.float32).tiny))
    if bad.any():
        raise DataError(f"feature {int(bad.argmax())} has a scale that is 0 or not finite", where=where, hint=_hint())
    return made


def with_scaler(model: OpenedModel, scaler: Scaler) -> tuple[OpenedModel, OwnScaling]:
    """A float model that scales its input itself; and what it does first with it now.

    Raises:
        ModelError: the model is quantized, or has several inputs, or another number of features.
    """
    changed = model.copy()
    main = changed.subgraphs[0]
    inputs = flat.ints(main.inputs)
    if len(inputs) != 1:
        raise ModelError(f"a scaler is for models with one input; this one has {len(inputs)}", where="`scaler`")
    (tensor,) = inputs
    spec = flat.input_specs(changed)[0]
    if type_name(main.tensors[tensor].type) != "float32":
        raise ModelError(
            f"the input is {spec.dtype} already: a scaler belongs in front of the float model",
            where="`scaler`",
            hint="Pass the float model, or omit `scaler`",
        )
    sample, count = spec.shape[1:], len(scaler.offset)
    if count == math.prod(sample):
        shape = (1, *sample)
    elif sample and count == sample[-1]:
        shape = (count,)
    else:
        raise ModelError(
            f"the scaler has {count} features, and a sample has the shape {list(sample)}",
            where="`scaler`",
            hint="Pass the scaler that the model's training data went through",
        )
    graft, schema = Graft(changed, main, "scaler"), load_schema()
    moved = graft.add(
        "SUB",
        [tensor, graft.constant(scaler.offset.reshape(shape))],
        graft.activation(spec.shape),
        schema.SubOptionsT(),
    )
    scaled = graft.add(
        "DIV", [moved, graft.constant(scaler.size.reshape(shape))], graft.activation(spec.shape), schema.DivOptionsT()
    )
    for op in main.operators:
        op.inputs = np.array([scaled if i == tensor else i for i in flat.ints(op.inputs)], np.int32)
    main.operators = [*graft.made, *main.operators]
    factor = float(np.max(1 / np.abs(scaler.size)))
    return packed(changed), OwnScaling(factor, "scaler", float(np.max(np.abs(scaler.offset))))


def _entries(source: object, where: str) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, str | Path):
        if getattr(source, "clip", False):
            raise DataError("clips, which is no scaling", where=where, hint="Fit it with clip=False")
        # StandardScaler(with_mean=False) computes mean_ all the same, and does not subtract it.
        unused = {"mean_"} if not getattr(source, "with_mean", True) else set()
        return {key: getattr(source, key, None) for key in ("mean_", "center_", "scale_", "min_") if key not in unused}
    path = Path(source)
    if path.suffix not in (".npz", ".json"):
        raise DataError(
            "is neither .npz nor .json: pickles are not loaded, they could run code", where=where, hint=_hint()
        )
    if not path.is_file():
        raise DataError("there is no such file", where=where, hint=_hint())
    if path.suffix == ".npz":
        return read_npz(path)
    with parsing(lambda _: DataError("is damaged, or not JSON", where=where, hint=_hint())):
        if path.stat().st_size > _MOST_BYTES:
            raise DataError("is larger than any scaler", where=where, hint=_hint())
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): value for key, value in entries.items()}


def _hint() -> str:
    return f"In Python: {_SAVE}"

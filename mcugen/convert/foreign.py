"""From models of other frameworks (PyTorch, ONNX) to float32 `.tflite` bytes that compute the same."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_files import read_npy, read_npz
from mcugen.convert.data_objects import as_array
from mcugen.convert.data_specs import short_name
from mcugen.convert.given_shapes import given_shapes
from mcugen.convert.inspect_source import inspect_model
from mcugen.convert.layout import ChangedInput, fold_transposes, inputs_channels_last, outputs_as_given
from mcugen.convert.output_names import names_of_signature
from mcugen.convert.reference import check_conversion, output_shapes
from mcugen.convert.sources import Source
from mcugen.convert.types import Attempt
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError, ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, open_model, packed
from mcugen.tflite.schema_types import ModelT, SubGraphT

_FRAMEWORKS = {
    "pytorch": ("convert torch", "PyTorch", "litert-torch"),
    "onnx": ("convert onnx", "ONNX Runtime", "onnx2tf"),
}
"""By kind of source: the worker's job, and the packages that run and that convert the model."""

_SAMPLE_KEYS = (
    "x", "X", "data", "images", "samples", "inputs", "features",
    "x_train", "X_train", "train_images", "x_test", "X_test", "test_images",
)  # fmt: skip


def load_foreign(source: Source, folder: Path, data: object = None) -> tuple[OpenedModel, tuple[Attempt, ...]]:
    """Convert a PyTorch program, module or an ONNX model; what was done on the way.

    The result was run against the original. Its inputs take their channels last where that can be told from their
    shapes; its outputs are as in the original.

    Args:
        folder: an empty one to work in.
        data: calibration data, which tells the input shape of a module.

    Raises:
        ModelError: a damaged file, or a module without data.
        ConversionError: the model could not be converted, or not rightly.
        ToolError: PyTorch, ONNX or their converter is not installed.
    """
    path = source.path
    if source.kind == "pytorch object":
        path = folder / "model.pt2"
        _save_program(source.model, data, path)
    elif source.kind == "onnx object":
        path = folder / "model.onnx"
        path.write_bytes(source.model.SerializeToString())
    assert path is not None
    job, framework, converter = _FRAMEWORKS[source.kind.split()[0]]
    answer = run_worker(folder, {"job": job, "path": str(path.resolve()), "shapes": given_shapes()})
    where = "" if source.path is None else str(source.path)
    if answer.error:
        raise ConversionError(
            f"{converter} cannot convert the model: {answer.error}",
            where=where,
            hint="Rewrite the layer with other ops, or convert the model to .tflite by other means",
        )
    model = open_model((folder / "float.tflite").read_bytes()).copy()
    _name(model, answer.result["inputs"], answer.result["outputs"])
    if framework == "PyTorch":
        _name_layers(model)
    outputs_as_given(model, output_shapes(folder, len(answer.result["outputs"])))
    changed = inputs_channels_last(model)
    fold_transposes(model)
    opened = packed(model)
    attempts = [Attempt(f"convert with {converter}", "ok"), *(Attempt(_said(change), "ok") for change in changed)]
    try:
        inspect_model(opened)
    except ModelError:
        return opened, tuple(attempts)  # whoever loads the model inspects it, and says what is wrong
    outcome = check_conversion(opened, changed, folder, framework)
    return opened, (*attempts, Attempt(f"compare with {framework} on random inputs", outcome))


def _said(change: ChangedInput) -> str:
    return f'take the channels of input "{change.name}" last: {list(change.before)} became {list(change.after)}'


def _name(model: ModelT, inputs: Sequence[Sequence[str]], outputs: Sequence[Sequence[str]]) -> None:
    """Give inputs and outputs the names and the order of the original (pairs of the name here and there)."""
    main, said = model.subgraphs[0], names_of_signature(model)
    main.inputs = _renamed(main, flat.ints(main.inputs), inputs, said)
    main.outputs = _renamed(main, flat.ints(main.outputs), outputs, said)


def _name_layers(model: ModelT) -> None:
    """litert-torch names what it computes after Python classes, which a program has no more."""
    main = model.subgraphs[0]
    for number, op in enumerate(main.operators):
        for i in flat.ints(op.outputs):
            if i not in flat.ints(main.outputs):
                main.tensors[i].name = f"{flat.kind_of(model, op).lower()}_{number}"


def _renamed(
    main: SubGraphT, tensors: tuple[int, ...], names: Sequence[Sequence[str]], said: Mapping[int, str]
) -> NDArray[np.int32]:
    """The tensors in the order of `names`.

    Args:
        said: what the file's signature calls them: of several outputs, converters name all tensors alike.
    """
    here = {short_name(flat.name_of(main.tensors[i], i)): i for i in tensors}
    by_signature = {short_name(said[i]): i for i in tensors if i in said}
    if set(by_signature) == {short_name(old) for old, _ in names}:
        here = by_signature
    known = [here.get(short_name(old)) for old, _ in names]
    found = [i for i in known if i is not None]
    if len(tensors) == len(names) == 1:
        found = list(tensors)  # whatever the converter calls it
    if len(found) != len(tensors) or len(found) != len(names):
        raise ConversionError(
            f"the converted model has the inputs or outputs {', '.join(here)}, "
            f"but the original has {', '.join(new for _, new in names)}",
            hint="Remove unused inputs and duplicate outputs",
        )
    for i, (_, new) in zip(found, names, strict=True):
        main.tensors[i].name = new
    return np.array(found, np.int32)


def _save_program(model: Any, data: object, path: Path) -> None:
    """A PyTorch module or exported program as a file. PyTorch is there, as the object is."""
    import torch

    if isinstance(model, torch.nn.Module):
        example = _example(data)
        if example is None:
            raise ModelError(
                "a PyTorch module does not say which shape its input has",
                where=type(model).__name__,
                hint="Pass an array of samples as data, or the program torch.export.export(model.eval(), (x,))",
            )
        # The user's own object keeps its mode and its device.
        module = copy.deepcopy(model).cpu().eval()
        try:
            model = torch.export.export(module, (torch.from_numpy(example),))
        except Exception as error:  # whatever the user's layers raise
            lines = str(error).strip().splitlines() or [""]
            raise ConversionError(
                f"PyTorch cannot export the module for an input {list(example.shape)}: {lines[0][:300]}",
                where=type(module).__name__,
                hint="Check that the data has the shape that the module takes; see torch.export.export",
            ) from error
    torch.export.save(model, path)


def _example(data: object) -> NDArray[Any] | None:
    """The first sample of data with one array of samples, with a batch of 1; None for other data."""
    values: Any = data
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        reader = {".npy": read_npy, ".npz": read_npz}.get(path.suffix.lower())
        values = None if reader is None or not path.is_file() else reader(path)
    if isinstance(values, Mapping):
        values = next((values[k] for k in _SAMPLE_KEYS if k in values), None)
    elif isinstance(values, tuple) and len(values) == 2:  # (x, y)
        values = values[0]
    elif getattr(values, "batch_size", None) and isinstance(values, Iterable):  # a PyTorch DataLoader gives batches
        first = next(iter(values), None)
        values = first[0] if isinstance(first, list | tuple) and first else first
    if not hasattr(values, "__array__"):
        return None
    array = as_array(values)
    if array.ndim < 2 or not len(array):
        return None
    real = array.dtype.kind == "f" or array.dtype == np.uint8  # pixels are given as bytes, but no layer takes them so
    return np.array(array[:1], np.float32 if real else array.dtype)

"""The generated TFLite schema classes, and the one place where a flatbuffer is unpacked and packed.

`tflite-micro` is the usual source of the classes (it is a dependency where it has a wheel); LiteRT and
TensorFlow carry the same generated module.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import re
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flatbuffers

from mcugen.errors import ModelError, ToolError
from mcugen.tflite.schema_types import ModelT, OperatorCodeT, Text

IDENTIFIER = b"TFL3"

_CANDIDATES = (
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    "ai_edge_litert.schema_py_generated",
    "tensorflow.lite.python.schema_py_generated",
)

# What the generated reader raises when an offset or a length of a damaged file leads it astray.
_READ_ERRORS = (
    struct.error,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)


@functools.cache
def load_schema() -> ModuleType:
    """The module with `Model`, `ModelT`, `BuiltinOperator`, `TensorType` and the rest.

    Raises:
        ToolError: no installed package carries the schema.
    """
    for name in _CANDIDATES:
        with contextlib.suppress(ImportError, OSError):
            return sys.modules.get(name) or _load_alone(name) or importlib.import_module(name)
    raise ToolError(
        "no installed package contains the TFLite schema",
        hint="Install one: pip install tflite-micro (Linux x86-64) or pip install ai-edge-litert",
    )


def _load_alone(name: str) -> ModuleType | None:
    """A module of a package, without what the package imports when it is imported: an interpreter, or TensorFlow.

    None where it is no file, as in an archive.
    """
    package, *inner = name.split(".")
    found = importlib.util.find_spec(package)
    for folder in (found and found.submodule_search_locations) or ():
        spec = importlib.util.spec_from_file_location(name, Path(folder, *inner).with_suffix(".py"))
        if spec is not None and spec.loader is not None and Path(str(spec.origin)).is_file():
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[name] = module
            return module
    return None


def unpack_model(data: bytes) -> ModelT:
    """The schema's `ModelT` object of a `.tflite` flatbuffer.

    Only the encoding is checked here; indices and sizes inside the model are not.

    Raises:
        ModelError: not a `.tflite` file, truncated, or corrupted.
    """
    if len(data) < 16 or data[4:8] != IDENTIFIER:
        raise ModelError(
            "this is not a .tflite model (the TFL3 identifier is missing)",
            hint="Pass a .tflite, .keras or .h5 file or a SavedModel folder",
        )
    schema = load_schema()
    try:
        model = schema.Model.GetRootAs(data, 0)
        _check_lengths(model, len(data))
        unpacked: ModelT = schema.ModelT.InitFromObj(model)
    except _READ_ERRORS:
        raise ModelError("the model file is truncated or corrupted", hint="Copy or export it again") from None
    if unpacked.version != 3:
        raise ModelError(f"the model file has schema version {unpacked.version}; only version 3 exists")
    return unpacked


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Aligns byte vectors to 16, as the schema demands of buffers: kernels read them as words."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)


def pack_model(model: ModelT) -> bytes:
    """A `ModelT` object as a `.tflite` flatbuffer."""
    builder = _AlignedBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def op_kind(code: OperatorCodeT) -> str:
    """TFLite name of an `OperatorCodeT` ("CONV_2D"), or `CUSTOM:<name>`."""
    # Old files have only the deprecated 8-bit field; in new ones it saturates at 127.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    kind = _names("BuiltinOperator").get(number, f"BUILTIN_{number}")
    return f"CUSTOM:{printable(code.customCode) or '?'}" if kind == "CUSTOM" else kind


def type_name(code: int) -> str:
    """Name of a `TensorType` value in lower case ("int8"), or `code <number>`."""
    return _names("TensorType").get(code, f"code {code}").lower()


def printable(raw: Text) -> str:
    """A name out of a model file, on one line and without control characters, at most 400 characters."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else (raw or "")
    return re.sub(r"[^\x20-\x7e\u00a0-\uffff]", "?", text[:400])


@functools.cache
def _names(enum: str) -> dict[int, str]:
    return {v: k for k, v in vars(getattr(load_schema(), enum)).items() if isinstance(v, int)}


class _Budget:
    """Counts the bytes that unpacking would copy.

    A flatbuffer may point many times at the same bytes, so a small hostile file could unpack to
    gigabytes. An honest file holds nearly every byte once.
    """

    def __init__(self, size: int) -> None:
        self.left = 16 * size + 65536

    def charge(self, count: int, width: int = 4) -> int:
        self.left -= count * width
        if count < 0 or self.left < 0:
            raise ValueError("impossible length")
        return count


def _check_lengths(model: Any, size: int) -> None:
    budget = _Budget(size)
    charge = budget.charge
    for length in (
        model.MetadataLength(),
        model.MetadataBufferLength(),
        model.BuffersLength(),
        model.ExternalBuffersLength(),
        model.ExternalBufferGroupsLength(),
    ):
        charge(length)
    for i in range(charge(model.OperatorCodesLength())):
        charge(len(model.OperatorCodes(i).CustomCode() or b""), 1)
    for i in range(charge(model.SignatureDefsLength())):
        signature = model.SignatureDefs(i)
        charge(signature.InputsLength() + signature.OutputsLength(), 16)
    for i in range(charge(model.SubgraphsLength())):
        subgraph = model.Subgraphs(i)
        charge(subgraph.InputsLength() + subgraph.OutputsLength())
        for j in range(charge(subgraph.TensorsLength())):
            _check_tensor(subgraph.Tensors(j), budget)
        for j in range(charge(subgraph.OperatorsLength())):
            op = subgraph.Operators(j)
            charge(op.InputsLength() + op.OutputsLength() + op.IntermediatesLength())
            charge(op.MutatingVariableInputsLength() + op.CustomOptionsLength(), 1)


def _check_tensor(tensor: Any, budget: _Budget) -> None:
    budget.charge(len(tensor.Name() or b""), 1)
    budget.charge(tensor.ShapeLength() + tensor.ShapeSignatureLength() + tensor.VariantTensorsLength())
    quantization = tensor.Quantization()
    if quantization is not None:
        budget.charge(quantization.ScaleLength() + 2 * quantization.ZeroPointLength())
        budget.charge(quantization.MinLength() + quantization.MaxLength())
    sparsity = tensor.Sparsity()
    if sparsity is not None:
        budget.charge(sparsity.TraversalOrderLength() + sparsity.BlockMapLength())
        for k in range(budget.charge(sparsity.DimMetadataLength(), 16)):
            level = sparsity.DimMetadata(k)
            _charge_indices(level.ArraySegmentsType(), level.ArraySegments(), budget)
            _charge_indices(level.ArrayIndicesType(), level.ArrayIndices(), budget)


def _charge_indices(kind: int, table: Any, budget: _Budget) -> None:
    """A vector of indices in one of three widths."""
    names = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}
    if table is not None and kind in names:
        vector = getattr(load_schema(), names[kind])()
        vector.Init(table.Bytes, table.Pos)
        budget.charge(vector.ValuesLength())

"""The types of the schema's object form. The classes themselves are generated, without types, and found at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = Sequence[int] | NDArray[np.integer[Any]] | None
"""A vector of integers; None where the file has none."""

Reals = Sequence[float] | NDArray[np.floating[Any]] | None

Text = bytes | str | None
"""Bytes where it was read from a file."""


class BufferT(Protocol):
    """Bytes of a constant. `data` is None, or empty, for what an inference computes."""

    data: NDArray[np.uint8] | None
    offset: int


class QuantizationT(Protocol):
    """Real = scale · (stored − zero point); several scales lie along the axis `quantizedDimension`."""

    scale: Reals
    zeroPoint: Vector
    min: Reals
    max: Reals
    quantizedDimension: int


class TensorT(Protocol):
    """`buffer` is a position in the model's buffers, `type` a `TensorType`."""

    name: Text
    shape: Vector
    shapeSignature: Vector
    hasRank: bool
    type: int
    buffer: int
    quantization: QuantizationT | None
    sparsity: Any
    isVariable: bool
    variantTensors: Sequence[object] | None


class OperatorT(Protocol):
    """`opcodeIndex` is a position in the model's operator codes. Every op has a class of its own for its options."""

    opcodeIndex: int
    inputs: Vector
    outputs: Vector
    intermediates: Vector
    builtinOptions: Any
    builtinOptionsType: int
    customOptions: Any
    mutatingVariableInputs: Sequence[bool] | None


class OperatorCodeT(Protocol):
    builtinCode: int
    deprecatedBuiltinCode: int
    customCode: Text
    version: int


class SubGraphT(Protocol):
    name: Text
    tensors: list[TensorT]
    operators: list[OperatorT]
    inputs: Vector
    outputs: Vector


class MetadataT(Protocol):
    name: Text
    buffer: int


class TensorMapT(Protocol):
    name: Text
    tensorIndex: int


class SignatureDefT(Protocol):
    signatureKey: Text
    subgraphIndex: int
    inputs: Sequence[TensorMapT] | None
    outputs: Sequence[TensorMapT] | None


class ModelT(Protocol):
    version: int
    description: Text
    operatorCodes: list[OperatorCodeT]
    subgraphs: list[SubGraphT]
    buffers: list[BufferT]
    metadata: Sequence[MetadataT] | None
    metadataBuffer: Vector
    signatureDefs: Sequence[SignatureDefT] | None

    def Pack(self, builder: Any) -> int: ...

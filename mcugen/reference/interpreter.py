"""Runs a `.tflite` op by op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.graph.types import Tensor
from mcugen.reference import activations, detections, elementwise, moving, pooling, recurrent, rows, weighted
from mcugen.reference.node import REGISTRY, Array, Node
from mcugen.tflite.fields import ints, kind_of, where
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.tensors import read_tensors

_ROOMS = (activations, detections, elementwise, moving, pooling, recurrent, rows, weighted)
"""Modules that register ops."""


def supported() -> tuple[str, ...]:
    """Every op that can be computed."""
    return tuple(sorted(REGISTRY))


class NumpyReference:
    """A model, computed in plain numpy: TFLM's results, op by op, by the formulas of docs/NUMERICS.md.

    It is slow, and made to be read. What is refused by mcugen's ops because the reference has no defined result there
    has no defined result here either.

    Args:
        model: content of a `.tflite` file.

    Raises:
        ModelError: no `.tflite`, or an op that is not known; `supported` are.
    """

    def __init__(self, model: bytes | OpenedModel) -> None:
        self._model = open_model(model).schema
        self._tensors = [read_tensors(self._model, subgraph) for subgraph in self._model.subgraphs]
        self._states: dict[tuple[int, int], Array] = {}
        self._variables: dict[Any, Array] = {}
        self._has_begun = False
        self._check_ops()

    def _check_ops(self) -> None:
        unknown = [
            where(self._model, subgraph, n)
            for subgraph in self._model.subgraphs
            for n, raw in enumerate(subgraph.operators)
            if kind_of(self._model, raw) not in REGISTRY
        ]
        if unknown:
            raise ModelError(
                f"numpy has no formula for {'; '.join(unknown)}",
                hint="Compare with TensorFlow Lite Micro: pip install tflite-micro (it has wheels for Linux x86-64)",
            )

    def forget(self) -> None:
        """Start the model afresh, without what it kept between inferences."""
        self._states.clear()
        self._variables.clear()
        self._has_begun = False

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference: outputs in the model's order, shapes and dtypes."""
        return self.tensors(inputs, ints(self._model.subgraphs[0].outputs))

    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        """One inference: the values of tensors, by tensor id of the model file."""
        with np.errstate(all="ignore"):
            values = self._values(0, inputs)
        self._has_begun = True
        return [values[i] for i in ids]

    def _values(self, number: int, inputs: Sequence[NDArray[Any]]) -> dict[int, Array]:
        """All tensors of a subgraph after it was run."""
        subgraph, tensors = self._model.subgraphs[number], self._tensors[number]
        values = {i: tensor.data for i, tensor in tensors.items() if tensor.data is not None}
        for i, given in zip(ints(subgraph.inputs), inputs, strict=True):
            values[i] = given if given.dtype == object else given.reshape(tensors[i].shape)
        for i, tensor in tensors.items():
            if tensor.initial is not None:
                values[i] = self._states.setdefault((number, i), tensor.initial.copy())
        for n, raw in enumerate(subgraph.operators):
            kind = kind_of(self._model, raw)
            if kind == "CALL_ONCE":
                if not self._has_begun:
                    self._values(int(raw.builtinOptions.initSubgraphIndex), [])
                continue
            operands = ints(raw.inputs)
            outputs = [tensors[i] for i in ints(raw.outputs)]
            node = Node(
                kind,
                raw.customOptions if kind.startswith("CUSTOM:") else raw.builtinOptions,
                [tensors[i] if i >= 0 else None for i in operands],
                [values[i] if i >= 0 else None for i in operands],
                outputs,
                {place: values[i] for place, i in enumerate(operands) if i >= 0 and tensors[i].initial is not None},
                self._variables,
                self._call,
            )
            try:
                made = REGISTRY[kind](node)
                results = made if isinstance(made, list) else [made]
                for output, result in zip(outputs, results, strict=True):
                    values[output.id] = _fitting(result, output)
            except (ValueError, IndexError, TypeError, ArithmeticError, AttributeError) as error:
                said = f"numpy cannot compute {where(self._model, subgraph, n)}: {error}"
                raise ModelError(said) from None
        return values

    def _call(self, number: int, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        values = self._values(number, inputs)
        return [values[i] for i in ints(self._model.subgraphs[number].outputs)]


def _fitting(result: Array, output: Tensor) -> Array:
    """The result in the output's shape; a result of another type is an error, not converted."""
    if result.dtype == object:
        return result
    if result.dtype != output.dtype.numpy:
        raise TypeError(f"the result is {result.dtype}, the tensor {output.dtype.value}")
    return result.reshape(output.shape)

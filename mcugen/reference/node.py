"""What the reference knows of an op, and the registry of the functions that compute ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.graph.types import Tensor
from mcugen.reference.arithmetic import Ints, half_away_f32, limits

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Node:
    """One op, its operands' values at hand.

    Attributes:
        kind: TFLite name.
        options: the schema's options object, or None; of a custom op its bytes.
        tensors: the inputs; None where an optional one is absent.
        values: their arrays.
        outputs: what is to be computed.
        states: values of variable tensors by the place among the inputs, changed in place.
        variables: values of resource variables, by their names.
        call: runs a subgraph of the model on inputs.
    """

    kind: str
    options: Any
    tensors: Sequence[Tensor | None]
    values: Sequence[Array | None]
    outputs: Sequence[Tensor]
    states: dict[int, Array]
    variables: dict[Any, Array]
    call: Callable[[int, Sequence[Array]], list[Array]]

    def value(self, position: int) -> Array:
        """An operand that must be there."""
        found = self.values[position] if position < len(self.values) else None
        if found is None:
            raise ModelError(f"{self.kind}: its input {position} is absent")
        return found

    def optional(self, position: int) -> Array | None:
        return self.values[position] if position < len(self.values) else None

    def tensor(self, position: int) -> Tensor:
        found = self.tensors[position]
        if found is None:
            raise ModelError(f"{self.kind}: its input {position} is absent")
        return found

    @property
    def output(self) -> Tensor:
        return self.outputs[0]

    def ints(self, position: int) -> list[int]:
        """An operand of indices or sizes."""
        return [int(n) for n in self.value(position).reshape(-1)]

    def centred(self, position: int) -> Ints:
        """An operand less its zero point."""
        return self.value(position).astype(np.int64) - self.tensor(position).zero_point

    def option(self, name: str, default: Any = 0) -> Any:
        return getattr(self.options, name, default) if self.options is not None else default

    @property
    def is_float(self) -> bool:
        return self.output.dtype.numpy == np.float32


Compute = Callable[[Node], "Array | list[Array]"]

REGISTRY: dict[str, Compute] = {}


def op(*kinds: str) -> Callable[[Compute], Compute]:
    """Registers a function that computes these ops."""

    def register(compute: Compute) -> Compute:
        for kind in kinds:
            REGISTRY[kind] = compute
        return compute

    return register


_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = range(4)
_REAL_LIMITS = {_RELU: (0.0, None), _RELU_N1_TO_1: (-1.0, 1.0), _RELU6: (0.0, 6.0)}


def activation_limits(node: Node) -> tuple[int, int]:
    """The fused activation as quantized limits of the output (`CalculateActivationRangeQuantized`)."""
    output = node.output
    low, high = limits(output.dtype.numpy)
    floor, ceiling = _REAL_LIMITS.get(int(node.option("fusedActivationFunction")), (None, None))

    def quantized(real: float) -> int:
        return output.zero_point + int(half_away_f32(np.float32(real) / np.float32(output.scale)))

    return (
        low if floor is None else max(low, quantized(floor)),
        high if ceiling is None else min(high, quantized(ceiling)),
    )


def activated(node: Node, values: Ints) -> Array:
    """Sums at the output's scale: zero point added, clamped by the fused activation, in the output's type."""
    low, high = activation_limits(node)
    return np.clip(values + node.output.zero_point, low, high).astype(node.output.dtype.numpy)


_FLOAT_LIMITS = np.finfo(np.float32)


def activated_f32(node: Node, values: Array) -> Array:
    """Clamps float32 by the fused activation; without one, between the finite numbers."""
    low, high = _REAL_LIMITS.get(int(node.option("fusedActivationFunction")), (None, None))
    at_least = np.float32(_FLOAT_LIMITS.min if low is None else low)
    at_most = np.float32(_FLOAT_LIMITS.max if high is None else high)
    return np.minimum(np.maximum(values, at_least), at_most).astype(np.float32)

"""What generators of cases draw from: shapes, tensors and quantizations, some of them at the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.kernels.single_op import Node, TensorSpec, constant, options

_ZERO_POINTS = {"int8": (-128, 127, 0, -1, 5, -77), "uint8": (0, 255, 128, 3)}
_QUANTIZED = ("int8", "uint8", "int16")
_STEPS = {"int8": 100.0, "uint8": 100.0, "int16": 20000.0}
_SUMS = {"int16": 0.02}  # products of int16 steps are scaled so that natural outputs stay in range

Limits = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """A use of an op: one node, or several that run one after the other, the last ones' outputs compared.

    `limits` bounds the values of some inputs, where the op is not defined on all (indices, logarithms).
    `twin` are nodes that the oracle runs in place of `nodes`, for types that its kernel refuses.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[TensorSpec, ...]
    limits: Mapping[TensorSpec, Limits] = field(default_factory=lambda: MappingProxyType({}))
    twin: tuple[Node, ...] = ()


Generate = Callable[["Draw"], Case]


@dataclass(frozen=True)
class Draw:
    """A seeded source of random choices for one op and one type of element."""

    rng: np.random.Generator
    kind: str
    dtype: str

    # ---- numbers

    def integer(self, low: int, high: int) -> int:
        """Uniform in low … high."""
        return int(self.rng.integers(low, high, endpoint=True))

    def chance(self) -> bool:
        return bool(self.rng.integers(2))

    def pick(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def shape(self, ranks: tuple[int, int] = (1, 4), most: int = 5) -> tuple[int, ...]:
        return tuple(self.integer(1, most) for _ in range(self.integer(*ranks)))

    def scale(self, low: float = -3, high: float = 1) -> float:
        """A float32 scale, its exponent to base 10 uniform between the limits."""
        return float(np.float32(10.0 ** self.rng.uniform(low, high)))

    # ---- tensors

    @property
    def quantized(self) -> bool:
        return self.dtype in _QUANTIZED

    @property
    def steps(self) -> float:
        """About the largest quantized value of the type."""
        return _STEPS.get(self.dtype, 1.0)

    def tensor(
        self, shape: Sequence[int], scale: float | None = None, zero_point: int | None = None, dtype: str = ""
    ) -> TensorSpec:
        """An input, or an output. Where its type is quantized, its scale and zero point are random unless given."""
        dtype = dtype or self.dtype
        if dtype not in _QUANTIZED:
            return TensorSpec(tuple(shape), dtype)
        zeros = _ZERO_POINTS.get(dtype, (0,))
        return TensorSpec(
            tuple(shape),
            dtype,
            self.scale() if scale is None else float(np.float32(scale)),
            int(self.pick(zeros)) if zero_point is None else zero_point,
        )

    def like(self, tensor: TensorSpec, shape: Sequence[int] | None = None) -> TensorSpec:
        """A tensor of the same type and quantization."""
        taken = tensor.shape if shape is None else tuple(shape)
        return TensorSpec(taken, tensor.dtype, tensor.scale, tensor.zero_point)

    def near(self, natural: float, shape: Sequence[int], spread: float = 1.0) -> TensorSpec:
        """An output of about the scale `natural`, which neither drowns nor always saturates the results."""
        return self.tensor(shape, natural * 10 ** self.rng.uniform(-spread, spread))

    def constant(self, tensor: TensorSpec) -> TensorSpec:
        """The same tensor as a constant."""
        return TensorSpec(
            tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.axis, self.values(tensor, None)
        )

    def maybe_constant(self, tensor: TensorSpec) -> TensorSpec:
        return self.constant(tensor) if self.chance() else tensor

    def values(self, tensor: TensorSpec, limits: Limits | None, extreme: str = "") -> NDArray[Any]:
        """An array for the tensor: random, or all "low", all "high", or a mixture of both ("both")."""
        dtype = np.dtype(tensor.dtype)
        low, high = limits or _limits(dtype)
        if extreme == "both":
            return self.rng.choice(np.array([low, high], dtype), tensor.shape).astype(dtype)
        if extreme:
            return np.full(tensor.shape, low if extreme == "low" else high, dtype)
        if dtype.kind == "f":
            return self.rng.uniform(low, high, tensor.shape).astype(dtype)
        return self.rng.integers(int(low), int(high), tensor.shape, dtype=np.int64, endpoint=True).astype(dtype)

    # ---- cases

    def node(
        self,
        inputs: Sequence[TensorSpec | None],
        outputs: Sequence[TensorSpec],
        table: str = "",
        **fields: Any,
    ) -> Case:
        """A case of one node of this kind; `table` names its options in the schema."""
        made = options(table, **fields) if table else None
        return Case((Node(self.kind, made, inputs, outputs),), tuple(outputs))


def real(tensor: TensorSpec) -> float:
    """The scale of a tensor; 1 where it is not quantized."""
    return 1.0 if tensor.scale is None else float(tensor.scale)  # type: ignore[arg-type]


def ints(values: object) -> TensorSpec:
    """A constant int32 tensor."""
    return constant(np.array(values, np.int32))


def _limits(dtype: np.dtype[Any]) -> Limits:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return -4.0, 4.0
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)

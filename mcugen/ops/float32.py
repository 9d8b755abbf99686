"""What float32 operators share: constraints, fused activations, and the calls of kernels with one or two operands."""

from __future__ import annotations

import numpy as np

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops import broadcasting, with_weights
from mcugen.ops.base import Constant, Constraint, KernelCall, Lowering, ParamValue
from mcugen.ops.common import describe

TYPES = ("float32",)

FLT_MAX = float(np.finfo(np.float32).max)

_LIMITS = {
    "NONE": (-FLT_MAX, FLT_MAX),
    "RELU": (0.0, FLT_MAX),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
"""Clamps of fused activations (`CalculateActivationRange`); without one, the reference makes infinities finite."""


def activation_limits(activation: str) -> tuple[float, float]:
    """Lowest and highest output of a fused activation that `known_activation` lets pass."""
    return _LIMITS[activation]


def known_activation(_graph: Graph, op: Op) -> str | None:
    """The fused activation is none, RELU, RELU6 or RELU_N1_TO_1."""
    activation: str = op.options.activation
    return None if activation in _LIMITS else f"the fused activation is {activation}"


def _type_problem(tensor: Tensor) -> str | None:
    return None if tensor.dtype is DType.FLOAT32 else f'tensor "{tensor.name}" is {tensor.dtype.value}, not float32'


def in_and_out(graph: Graph, op: Op) -> str | None:
    """The first input and the output are float32."""
    return _type_problem(graph.tensor(op.inputs[0])) or _type_problem(graph.output_of(op))


def all_float(graph: Graph, op: Op) -> str | None:
    """Inputs and output are float32."""
    problems = (_type_problem(graph.tensor(i)) for i in (*op.inputs, *op.outputs) if i >= 0)
    return next((p for p in problems if p), None)


def weights_and_bias(graph: Graph, op: Op) -> str | None:
    """Input, filter, output and the bias, if any, are float32."""
    if len(op.inputs) not in (2, 3) or len(op.outputs) != 1 or min(op.inputs[:2]) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    return all_float(graph, op)


def most_dimensions(limit: int) -> Constraint:
    """The constraint that no tensor has more dimensions than the reference's kernel counts."""

    def dimensions(graph: Graph, op: Op) -> str | None:
        rank = max(len(graph.tensor(i).shape) for i in (*op.inputs, *op.outputs))
        return None if rank <= limit else f"a tensor has {rank} dimensions"

    dimensions.__doc__ = f"No tensor has more than {limit} dimensions."
    return dimensions


def bias_constant(graph: Graph, op: Op, channels: int) -> Constant:
    """The bias as kernels take it; zeros if there is none."""
    bias = graph.input_of(op, 2)
    if bias is None:
        return Constant("bias", np.zeros(channels, np.float32), f"[{channels}], the op has none")
    assert bias.data is not None, op.where
    return Constant("bias", bias.data.reshape(-1), f"[{channels}]")


def weights_constant(graph: Graph, op: Op) -> Constant:
    """The weights in the model's own layout."""
    weights = graph.tensor(op.inputs[1])
    return Constant("weights", with_weights.weights_of(graph, op), describe(weights))


def clamp_params(activation: str, prefix: str = "output_") -> tuple[tuple[str, ParamValue], ...]:
    """A fused activation as the last fields of a kernel's parameter struct."""
    low, high = activation_limits(activation)
    return (f"{prefix}min", low), (f"{prefix}max", high)


def lower_unary(graph: Graph, op: Op, kernel: str, params: tuple[tuple[str, ParamValue], ...] = ()) -> Lowering:
    """One call of a kernel that makes each output element of the input element at its place."""
    call = KernelCall(
        kernel=kernel,
        params=(("count", graph.output_of(op).elements), *params),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


def lower_binary(graph: Graph, op: Op, kernel: str, params: tuple[tuple[str, ParamValue], ...] = ()) -> Lowering:
    """One call of a broadcasting kernel."""
    call = KernelCall(
        kernel=kernel,
        params=(*broadcasting.loop_params(graph, op), *params),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op) if graph.output_of(op).dtype is DType.FLOAT32 else (),
    )
    return Lowering((call,))

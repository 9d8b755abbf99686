"""SVDF: float32."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.keeping import svdf
from mcugen.ops.keeping.recurrent import rows_in_fours

_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""As mcg_svdf_f32.h numbers them."""


def _activation(_graph: Graph, op: Op) -> str | None:
    """The fused activation is none, RELU, RELU_N1_TO_1, RELU6, TANH or SIGN_BIT."""
    activation: str = op.options.activation
    return None if activation in _ACTIVATIONS else f"the fused activation is {activation}"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    batches, inputs = graph.tensor(op.inputs[svdf.INPUT]).shape
    features = rows_in_fours(svdf.constant(graph, op, svdf.FEATURE_WEIGHTS))
    times, bias = svdf.constant(graph, op, svdf.TIME_WEIGHTS), svdf.constant(graph, op, svdf.BIAS)
    filters, memory = times.shape
    call = KernelCall(
        kernel="mcg_svdf_f32",
        params=(
            ("batches", batches),
            ("inputs", inputs),
            ("filters", filters),
            ("rank", op.options.rank),
            ("memory", memory),
            ("activation", _ACTIVATIONS.index(op.options.activation)),
        ),
        inputs=(op.inputs[svdf.INPUT],),
        constants=(
            Constant("feature_weights", features, f"[{filters},{inputs}], and zeros up to whole fours"),
            Constant("time_weights", times, f"[{filters},{memory}]"),
            Constant("bias", bias, f"[{len(bias)}]"),
        ),
        outputs=(op.outputs[0], op.inputs[svdf.STATE]),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="SVDF",
    lower=_lower,
    constraints=(svdf.operands, not_empty, float32.all_float, svdf.weights_and_state, svdf.shapes, _activation),
    parse=svdf.parse,
    macs=svdf.macs,
    types=float32.TYPES,
)

"""DYNAMIC_UPDATE_SLICE: a copy of a tensor with a block of it replaced, at indices that may be computed."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, same_shape
from mcugen.ops.movement import LOOPS, Loop, block_params, copy_call, counts, moved_types, strides, type_names

_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32)


def _fits_inside(graph: Graph, op: Op) -> str | None:
    """The update has the input's dimensions, at most 5, and is nowhere larger."""
    source, update = graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1]).shape
    if not 1 <= len(source) <= LOOPS or len(source) != len(update):
        return f"the input has {len(source)} dimensions, the update {len(update)}"
    if any(part > whole for part, whole in zip(update, source, strict=True)):
        return f"an update of {list(update)} is larger than {list(source)}"
    return None


def _indices(graph: Graph, op: Op) -> str | None:
    """The indices are int32, one per dimension. Those that lead outside are moved inside, as in the reference."""
    indices = graph.tensor(op.inputs[2])
    if indices.dtype is not DType.INT32 or indices.elements != len(graph.tensor(op.inputs[0]).shape):
        return f"the indices are {indices.elements} of {indices.dtype.value}"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, update, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.output_of(op)
    whole = copy_call(source, output, (Loop(output.elements, 1, 1),))
    steps = strides(source.shape)
    loops = [Loop(*each) for each in zip(update.shape, strides(update.shape), steps, strict=True)]
    rest = (0,) * (LOOPS - len(steps))
    pairs = zip(source.shape, update.shape, strict=True)
    block = KernelCall(
        kernel="mcg_update_slice",
        params=(
            *block_params(output, loops),
            ("rank", len(steps)),
            ("last", tuple(size - part for size, part in pairs) + rest),
            ("step", tuple(step * source.dtype.itemsize for step in steps) + rest),
        ),
        inputs=op.inputs[1:],
        outputs=op.outputs,
    )
    return Lowering((whole, block))


SPEC = OpSpec(
    kind="DYNAMIC_UPDATE_SLICE",
    lower=_lower,
    constraints=(counts(3), not_empty, moved_types(_TYPES, 0, 2), same_shape, _fits_inside, _indices),
    types=type_names(_TYPES),
)

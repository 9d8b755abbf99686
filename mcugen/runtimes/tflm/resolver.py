"""The op resolver of a model: a registration for exactly the ops that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.custom import find
from mcugen.runtimes.tflm.view import View
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS


@dataclass(frozen=True)
class TypedKernel:
    """A registration of an op that only handles one type, and so leaves the code for others out of the firmware.

    Attributes:
        header: where it is declared, below tensorflow/lite/micro/kernels/.
        inputs: those that must be of the type, as the output must.
        dtype: the type: int8, or int16 (activations, with int8 weights).
        weights: the input that must be int8 in any case; -1 for none.
        since_2023: False where only newer versions of TFLM have it.
        needs_ndebug: TFLM's debug builds stop with a wrong assertion in it.
    """

    header: str
    inputs: tuple[int, ...]
    dtype: DType = DType.INT8
    weights: int = -1
    since_2023: bool = True
    needs_ndebug: bool = False

    @property
    def suffix(self) -> str:
        """What the name of its function ends with."""
        return f"_{self.dtype.name}"


def _int16(header: str, inputs: tuple[int, ...] = (0,), **more: bool | int) -> TypedKernel:
    return TypedKernel(header, inputs, DType.INT16, **more)  # type: ignore[arg-type]


INT8_KERNELS: Mapping[str, TypedKernel] = {
    "ADD": TypedKernel("add.h", (0, 1)),
    "AVERAGE_POOL_2D": TypedKernel("pooling.h", (0,)),
    "BATCH_MATMUL": TypedKernel("batch_matmul.h", (0, 1), since_2023=False),
    "CONV_2D": TypedKernel("conv.h", (0, 1)),
    "DEPTHWISE_CONV_2D": TypedKernel("depthwise_conv.h", (0, 1)),
    "FULLY_CONNECTED": TypedKernel("fully_connected.h", (0, 1)),
    "MAXIMUM": TypedKernel("maximum_minimum.h", (0, 1), since_2023=False),
    "MAX_POOL_2D": TypedKernel("pooling.h", (0,)),
    "MINIMUM": TypedKernel("maximum_minimum.h", (0, 1), since_2023=False),
    "MUL": TypedKernel("mul.h", (0, 1)),
    "PAD": TypedKernel("pad.h", (0,), since_2023=False),
    "SOFTMAX": TypedKernel("softmax.h", (0,)),
    "SVDF": TypedKernel("svdf.h", (0, 1)),
    "TRANSPOSE": TypedKernel("transpose.h", (0,), since_2023=False),
    "TRANSPOSE_CONV": TypedKernel("transpose_conv.h", (1, 2), since_2023=False),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": TypedKernel(
        "unidirectional_sequence_lstm.h", (0, 1, 2, 3, 4, 5, 6, 7, 8), needs_ndebug=True
    ),
}
"""Their functions are `tflite::Register_<OP>_INT8()`; TFLM's headers map them to the general ones where no optimised
kernels are built in."""

INT16_KERNELS: Mapping[str, TypedKernel] = {
    "ADD": _int16("add.h", (0, 1)),
    "AVERAGE_POOL_2D": _int16("pooling.h"),
    "BATCH_MATMUL": _int16("batch_matmul.h", (0, 1), since_2023=False),
    "CONV_2D": _int16("conv.h", weights=1),
    "DEPTHWISE_CONV_2D": _int16("depthwise_conv.h", weights=1),
    "FULLY_CONNECTED": _int16("fully_connected.h", weights=1),
    "MAX_POOL_2D": _int16("pooling.h"),
    "SOFTMAX": _int16("softmax.h"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _int16(
        "unidirectional_sequence_lstm.h", weights=1, since_2023=False, needs_ndebug=True
    ),
}
"""The same for int16, `tflite::Register_<OP>_INT16()`."""


@dataclass(frozen=True)
class Registration:
    """One op of the resolver.

    Attributes:
        kind: TFLite's name, or `CUSTOM:<name>`.
        method: of `MicroMutableOpResolver`; "" for a custom op of the user's own.
        only: the kernel of one type alone, if every use in the model allows it.
    """

    kind: str
    method: str
    only: TypedKernel | None = None

    @property
    def int8(self) -> TypedKernel | None:
        """The int8-only kernel, if it is that."""
        return self.only if self.only is not None and self.only.dtype is DType.INT8 else None

    @property
    def custom_name(self) -> str:
        """The custom op's name; "" for a builtin op."""
        return self.kind.removeprefix(_CUSTOM) if self.kind.startswith(_CUSTOM) else ""

    @property
    def is_users(self) -> bool:
        """A custom op whose code the user brings."""
        return not self.method


_CUSTOM = "CUSTOM:"


def registrations(view: View, *, newest: bool = True) -> tuple[Registration, ...]:
    """The registrations that a model needs, over all its subgraphs, in order of first use.

    Args:
        newest: False leaves out the kernels of one type that versions of TFLM from 2023 do not have.

    Raises:
        UnsupportedOpError: an op that TFLM does not have; names op and layer.
    """
    check_supported(view)
    found = []
    for kind in view.op_kinds():
        if kind.startswith(_CUSTOM):
            # A kernel that the user brings goes before TFLM's own.
            found.append(Registration(kind, "" if find(kind) else CUSTOMS.get(kind.removeprefix(_CUSTOM), "")))
            continue
        typed = (kernels.get(kind) for kernels in (INT8_KERNELS, INT16_KERNELS))
        only = next((k for k in typed if k and (newest or k.since_2023) and _all_of_type(view, kind, k)), None)
        found.append(Registration(kind, BUILTINS[kind], only))
    return tuple(found)


def check_supported(view: View) -> None:
    """Refuse a model with an op that TFLM does not have.

    Raises:
        UnsupportedOpError: names every such op with its layer.
    """
    unknown = [op for _, op in view.ops() if op.kind not in BUILTINS and not op.kind.startswith(_CUSTOM)]
    unknown += [op for _, op in view.ops() if op.kind.startswith(f"{_CUSTOM}Flex")]
    if unknown:
        listed = "; ".join(op.where for op in unknown[:8]) + ("; …" if len(unknown) > 8 else "")
        flex = any(op.kind.startswith(_CUSTOM) for op in unknown)
        raise UnsupportedOpError(
            f"TensorFlow Lite Micro has no {', '.join(sorted({op.kind for op in unknown}))} ({listed})",
            hint="Convert without SELECT_TF_OPS" if flex else "Rewrite these layers with other ops",
        )


def _all_of_type(view: View, kind: str, kernel: TypedKernel) -> bool:
    return all(is_typed_use(graph, op, kernel) for graph, op in view.ops() if op.kind == kind)


def is_typed_use(graph: Graph, op: Op, kernel: TypedKernel) -> bool:
    """Whether the kernel of one type computes this use of the op."""
    inputs = [graph.input_of(op, position) for position in kernel.inputs]
    tensors = [t for t in inputs if t is not None] + [graph.tensor(i) for i in op.outputs]
    weights = graph.input_of(op, kernel.weights) if kernel.weights >= 0 else None
    if weights is not None and weights.dtype is not DType.INT8:
        return False
    return bool(inputs) and inputs[0] is not None and all(t.dtype is kernel.dtype for t in tensors)

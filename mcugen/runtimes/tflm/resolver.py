"""The op resolver of a model: a registration for exactly the ops that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import DType, Graph, Op
from mcugen.runtimes.tflm.view import View
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS


@dataclass(frozen=True)
class Int8Kernel:
    """A registration of an op that only handles int8, and so leaves the code for other types out of the firmware.

    Attributes:
        header: where it is declared, below tensorflow/lite/micro/kernels/.
        int8_inputs: the inputs that must be int8 for it, as the output must.
        since_2023: False where only newer versions of TFLM have it.
        needs_ndebug: TFLM's debug builds stop with a wrong assertion in it.
    """

    header: str
    int8_inputs: tuple[int, ...]
    since_2023: bool = True
    needs_ndebug: bool = False


INT8_KERNELS: Mapping[str, Int8Kernel] = {
    "ADD": Int8Kernel("add.h", (0, 1)),
    "AVERAGE_POOL_2D": Int8Kernel("pooling.h", (0,)),
    "BATCH_MATMUL": Int8Kernel("batch_matmul.h", (0, 1), since_2023=False),
    "CONV_2D": Int8Kernel("conv.h", (0, 1)),
    "DEPTHWISE_CONV_2D": Int8Kernel("depthwise_conv.h", (0, 1)),
    "FULLY_CONNECTED": Int8Kernel("fully_connected.h", (0, 1)),
    "MAXIMUM": Int8Kernel("maximum_minimum.h", (0, 1), since_2023=False),
    "MAX_POOL_2D": Int8Kernel("pooling.h", (0,)),
    "MINIMUM": Int8Kernel("maximum_minimum.h", (0, 1), since_2023=False),
    "MUL": Int8Kernel("mul.h", (0, 1)),
    "PAD": Int8Kernel("pad.h", (0,), since_2023=False),
    "SOFTMAX": Int8Kernel("softmax.h", (0,)),
    "SVDF": Int8Kernel("svdf.h", (0, 1)),
    "TRANSPOSE": Int8Kernel("transpose.h", (0,), since_2023=False),
    "TRANSPOSE_CONV": Int8Kernel("transpose_conv.h", (1, 2), since_2023=False),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Int8Kernel(
        "unidirectional_sequence_lstm.h", (0, 1, 2, 3, 4, 5, 6, 7, 8), needs_ndebug=True
    ),
}
"""Their functions are `tflite::Register_<OP>_INT8()`; TFLM's headers map them to the general ones where no optimised
kernels are built in."""


@dataclass(frozen=True)
class Registration:
    """One op of the resolver.

    Attributes:
        kind: TFLite's name, or `CUSTOM:<name>`.
        method: of `MicroMutableOpResolver`; "" for a custom op of the user's own.
        int8: the int8-only kernel, if every use in the model allows it.
    """

    kind: str
    method: str
    int8: Int8Kernel | None = None

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
        newest: False leaves out the int8-only kernels that versions of TFLM from 2023 do not have.

    Raises:
        UnsupportedOpError: an op that TFLM does not have; names op and layer.
    """
    check_supported(view)
    found = []
    for kind in view.op_kinds():
        if kind.startswith(_CUSTOM):
            found.append(Registration(kind, CUSTOMS.get(kind.removeprefix(_CUSTOM), "")))
            continue
        int8 = INT8_KERNELS.get(kind)
        if int8 is not None and not ((newest or int8.since_2023) and _all_int8(view, kind, int8)):
            int8 = None
        found.append(Registration(kind, BUILTINS[kind], int8))
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


def _all_int8(view: View, kind: str, kernel: Int8Kernel) -> bool:
    return all(is_int8_use(graph, op, kernel) for graph, op in view.ops() if op.kind == kind)


def is_int8_use(graph: Graph, op: Op, kernel: Int8Kernel) -> bool:
    """Whether the int8-only kernel computes this use of the op."""
    inputs = [graph.input_of(op, position) for position in kernel.int8_inputs]
    tensors = [t for t in inputs if t is not None] + [graph.tensor(i) for i in op.outputs]
    return bool(inputs) and inputs[0] is not None and all(t.dtype is DType.INT8 for t in tensors)

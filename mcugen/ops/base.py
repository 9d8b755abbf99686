"""What an operator is to the ahead-of-time runtime.

Adding an op is one module in this package that defines `SPEC = OpSpec(...)`, and one kernel header
`firmware/kernels/<kernel>.h`. The registry finds the module by itself.

A kernel is a `static inline` C function

    void <kernel>(const <kernel>_params *p, <inputs…>, <constants…>, <outputs…> [, scratch])

whose parameter struct has the int32_t fields of `KernelCall.params` (tuples become arrays). Emitted code
passes constant structs, so the compiler specialises it; nothing is checked on the device, because everything
that can be wrong was refused by the op's constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor

PORTABLE = "portable"
"""The variant that every core runs."""


@dataclass(frozen=True)
class Target:
    """The core that kernels are chosen for.

    Attributes:
        kernels: the kernel sets that it runs, the fastest first (see `mcugen.ops.variants`).
        scratch_limit: how many bytes of scratch kernels should keep to where they can be made to; None lets each take
            what does not make the arena much larger.
    """

    cpu: str = "generic"
    kernels: tuple[str, ...] = ()
    scratch_limit: int | None = None


@dataclass(frozen=True, eq=False)
class Constant:
    """An array that a kernel reads: emitted as `static const`, flat, in C order.

    `role` becomes part of the C name ("weights", "bias", "multiplier", "shift", "table"); `note` becomes
    its comment (layout and shape).
    """

    role: str
    values: NDArray[Any]
    note: str = ""

    def __post_init__(self) -> None:
        if self.values.dtype not in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32):
            raise TypeError(f"constant {self.role} has dtype {self.values.dtype}")


ParamValue = int | float | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One call of a kernel.

    Attributes:
        kernel: C function, and name of its header in firmware/kernels without ".h".
        params: fields of the kernel's parameter struct, in the struct's order. int → int32_t,
            float → float, tuple → array of them.
        inputs: tensor ids passed as pointers, in the kernel's order. May name constant tensors.
        constants: arrays passed after the inputs. A constant that holds the model's weights or biases goes
            here, not into `inputs`.
        outputs: tensor ids passed as pointers.
        scratch_bytes: size of a scratch buffer in the arena, passed last when not 0.
        inplace: positions in `inputs` whose memory the output may take over (the kernel reads every
            element before it writes over it).
        variant: "portable", or the name of the kernel set that it is from ("mla", "dsp", "mve").
        why_not_faster: empty when this is the fastest variant for the target.
        output_offset: bytes from the start of the output tensor to the address passed.
        input_offset: bytes from the start of the first input tensor to the address passed.
        source: the kernel's header, where it is the user's own and not in firmware/kernels.
        roomier: the same work in less time by kernels that take more scratch, the fastest first. The planner takes the
            first for which there is room.
        code_bytes: of a call in `roomier`, about how much code its kernel adds to the others.
    """

    kernel: str
    params: tuple[tuple[str, ParamValue], ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[Constant, ...] = ()
    scratch_bytes: int = 0
    inplace: tuple[int, ...] = ()
    variant: str = PORTABLE
    why_not_faster: str = ""
    output_offset: int = 0
    input_offset: int = 0
    source: str = ""
    roomier: tuple[KernelCall, ...] = ()
    code_bytes: int = 0


@dataclass(frozen=True, eq=False)
class Lowering:
    """How an op runs: a sequence of kernel calls, an alias that costs nothing, or control flow over other graphs.

    `aliases` holds (output tensor, input tensor, byte offset of the output in the input). `graphs` are what an IF or
    WHILE runs, in the order of its options; of an IF whose condition is constant, the one branch.
    """

    calls: tuple[KernelCall, ...] = ()
    aliases: tuple[tuple[int, int, int], ...] = ()
    graphs: tuple[Graph, ...] = ()


Constraint = Callable[[Graph, Op], str | None]
"""Returns None when it holds, else what is wrong, in one clause ("the filter is int16, not int8").
Its docstring is the rule in the user's words; docs/SUPPORTED_OPS.md is made from these docstrings."""


def rule_of(constraint: Constraint) -> str:
    """The rule of a constraint on one line; "" where it has no docstring."""
    return " ".join((constraint.__doc__ or "").split())


ParseOptions = Callable[[Any, Sequence[Tensor | None], Sequence[Tensor]], Any]
"""(schema options object or None, input tensors, output tensors) → the op's frozen options dataclass."""


def no_options(_raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> None:
    return None


def no_macs(_graph: Graph, _op: Op) -> int:
    return 0


@dataclass(frozen=True)
class OpSpec:
    """One operator: how to read it, what it demands, how it runs.

    `evaluate(graph, op)` computes the outputs from constant inputs, for constant folding; ops whose
    constants never appear in practice leave it out. `reads_values` is False where the outputs depend on the inputs'
    shapes alone, so that they are constants whatever the inputs are.

    An op may have several specs, one per family of `types` (int8; int16 activations, "16x8"; float32). The type of
    the input at `typed_by` picks one (see :func:`mcugen.ops.select`).
    """

    kind: str
    lower: Callable[[Graph, Op, Target], Lowering]
    constraints: tuple[Constraint, ...]
    parse: ParseOptions = no_options
    macs: Callable[[Graph, Op], int] = no_macs
    evaluate: Callable[[Graph, Op], tuple[NDArray[Any], ...]] | None = None
    reads_values: bool = True
    types: tuple[str, ...] = field(default=("int8",))
    typed_by: int = 0

"""How large the arena must be: computed on the host before the build, then made exact on the device.

The host's figure is an upper bound that a device never exceeds: the smallest arena with which TFLM's own interpreter
takes the model on the host, less what its structures are smaller on a 32-bit core, plus what the optimised kernels ask
for beyond the reference kernels that the host runs. `bisect` then finds the exact one on an emulator or a board.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mcugen.children import dying_with_us
from mcugen.errors import ModelError
from mcugen.graph.types import DType, Graph, Op
from mcugen.oracle.oracle import oracle_name
from mcugen.runtimes.tflm.view import View
from mcugen.runtimes.tflm.without_ops import without_ops
from mcugen.tflite.fields import shape_of
from mcugen.tflite.opened import OpenedModel, open_model

ALIGNMENT = 16
_WORKER = "mcugen.runtimes.tflm.arena_worker"

# TFLM keeps these of every tensor and every op, for as long as the model lives: `TfLiteEvalTensor`, `TfLiteNode` with
# its registration. They hold pointers, so they are larger on the host.
_EVAL_TENSOR, _NODE = 24, 64
_EVAL_TENSOR_LESS = _EVAL_TENSOR - 12
_NODE_LESS = _NODE - 32

_INTERPRETER = 2048
"""The rest of what the host's interpreter keeps in the arena of a small model, and more."""

_MVE_CHANNEL_BLOCK = 124
"""Channels that CMSIS-NN's depthwise convolution for MVE copies at a time."""

_PER_OP = 24
"""Optimised kernels keep at most this much more per op than the reference kernels (offsets of scratch buffers)."""


@dataclass(frozen=True)
class HostArena:
    """What the host's interpreter needed. In bytes.

    Attributes:
        used: what it reported afterwards, which leaves temporary memory out.
        smallest: the smallest arena that worked.
    """

    used: int
    smallest: int


def host_arena(model: bytes | OpenedModel, *, timeout: float = 120.0) -> HostArena:
    """Find the smallest arena for TFLM's interpreter on the host.

    Raises:
        ToolError: `tflite-micro` is not installed.
        ModelError: TFLM refuses the model.
    """
    oracle_name()
    opened = open_model(model)
    generous = _generous_bytes(opened)
    done = subprocess.run(
        dying_with_us([sys.executable, "-m", _WORKER, str(generous)]),
        input=opened.data,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]
    if not answers:
        words = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        raise ModelError(
            f"TensorFlow Lite Micro does not take this model{f' ({words})' if words else ''}",
            hint="The arena cannot be computed. "
            "`api.verify(MODEL, board=BOARD, runtime='tflm')` shows why TFLM refuses it",
        )
    # A crash on an arena that is too small ends the search early: what worked until then is an upper bound.
    return HostArena(answers[-1]["used"], answers[-1]["works"])


def arena_with_custom_ops(
    model: bytes | OpenedModel, view: View, kinds: Collection[str], scratch_bytes: int
) -> HostArena:
    """What the host's interpreter would need, if it had the user's ops.

    Args:
        kinds: of these ops.
        scratch_bytes: what they ask for beside their tensors.

    Raises:
        ToolError, ModelError: as :func:`host_arena`; an op of these kinds in a subgraph that other ops call.
    """
    lacking = sum(op.kind in kinds for _, op in view.ops())
    theirs = round_up(scratch_bytes) + lacking * (_NODE + _PER_OP)
    rest = without_ops(open_model(model), kinds)
    if rest is not None:
        found = host_arena(rest)
        return HostArena(found.used + theirs, found.smallest + theirs)
    tensors = [t for t in view.main.tensors.values() if not t.is_const and t.dtype is not DType.OTHER]
    # None shares memory with another one.
    whole = _INTERPRETER + theirs + sum(_EVAL_TENSOR + round_up(tensor.nbytes) for tensor in tensors)
    return HostArena(whole, whole)


def arena_bound(view: View, host: HostArena, *, optimised: bool, mve: bool) -> int:
    """Bytes of arena that suffice on a 32-bit core.

    Args:
        optimised: the library has CMSIS-NN's kernels.
        mve: for a core with MVE, whose kernels want larger buffers.
    """
    tensors = sum(len(graph.tensors) for graph in view.subgraphs)
    ops = sum(len(graph.ops) for graph in view.subgraphs)
    need = host.smallest - _EVAL_TENSOR_LESS * tensors - _NODE_LESS * ops
    if optimised:
        wants = [_optimised_buffers(graph, op, mve) for graph, op in view.ops()]
        # Scratch is free again after its op, persistent buffers are not.
        need += max((scratch for scratch, _ in wants), default=0) + sum(kept for _, kept in wants) + _PER_OP * ops
    return round_up(need)


def round_up(size: int) -> int:
    """`size` as a multiple of the arena's alignment."""
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def bisect(works: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest multiple of the alignment that works.

    Args:
        works: whether the model starts in an arena of so many bytes.
        low: bytes that are needed in any case.
        high: bytes that are known to work.
    """
    fails, good = round_up(low) // ALIGNMENT - 1, round_up(high) // ALIGNMENT
    while good - fails > 1:
        middle = (fails + good) // 2
        if works(middle * ALIGNMENT):
            good = middle
        else:
            fails = middle
    return good * ALIGNMENT


def _optimised_buffers(graph: Graph, op: Op, mve: bool) -> tuple[int, int]:
    """(scratch, persistent) bytes that CMSIS-NN's kernel of an op may ask for, at most."""
    source, weights = graph.input_of(op, 0), graph.input_of(op, 1)
    if source is None or not source.shape:
        return 0, 0
    channels, wide = source.shape[-1], source.dtype is DType.INT16
    if op.kind in ("CONV_2D", "TRANSPOSE_CONV") and weights is not None and len(weights.shape) == 4:
        _, height, width, depth = weights.shape
        column = round_up(height * width * depth)
        pointwise = op.kind == "CONV_2D" and height == width == 1 and not wide
        return (0 if pointwise else (8 if wide and mve else 4) * column), 0
    if op.kind == "DEPTHWISE_CONV_2D" and weights is not None and len(weights.shape) == 4:
        _, height, width, outputs = weights.shape
        window = height * width
        if not mve:
            return 2 * channels * window, 0
        if wide:
            return 8 * channels * window + 8, 0
        as_conv = 4 * round_up(window) + window * outputs if channels == 1 else 0
        return max(4 * _MVE_CHANNEL_BLOCK * window, as_conv), 0
    if op.kind == "AVERAGE_POOL_2D":
        return 4 * channels, 0
    if op.kind in ("FULLY_CONNECTED", "SVDF") and weights is not None and mve:
        return 4 * weights.shape[0], 4 * weights.shape[0]
    if op.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM" and weights is not None:
        cells = weights.shape[0]
        return 0, 8 * 4 * cells  # the effective biases of four gates, for input and recurrent weights
    return 0, 0


def _generous_bytes(model: OpenedModel) -> int:
    """Bytes that hold every tensor at once, and as much again for TFLM's own structures."""
    total = 1 << 18
    for subgraph in model.schema.subgraphs:
        total += sum(8 * math.prod(shape_of(tensor)) + 1024 for tensor in subgraph.tensors)
    return total

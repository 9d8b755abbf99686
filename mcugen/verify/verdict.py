"""Compares a device with the oracle and says where they part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.custom import flexbuffer_options
from mcugen.oracle.oracle import Reference
from mcugen.progress import Share, part_of
from mcugen.runtimes.program import Program, ProgramStep
from mcugen.tflite import detections
from mcugen.tflite.state import MAY_NOT_WRITE
from mcugen.verify.compare import ABSOLUTE, RELATIVE, Difference, compare, tolerant_tensors


class InferenceDevice(Protocol):
    """What verification needs of a device: see :class:`mcugen.device.Device`."""

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        """One inference: (outputs, cost of the invoke). It tells which share of it is done, up to 1."""

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        """One inference: (op number, raw bytes of its first output) for every op."""

    def forget(self) -> None:
        """Start the model afresh, without what it kept between inferences. Only asked of models with state."""


@dataclass(frozen=True)
class Divergence:
    """The first op whose result differs from the oracle's.

    Attributes:
        op: number of the op in the plan; index: its position in the model file.
        sample: number of the input that shows it.
        differing: elements that differ, of `elements`.
        max_abs_diff: largest difference, in units of the tensor's type; infinite where only one of both numbers is.
    """

    op: int
    index: int
    kind: str
    name: str
    sample: int
    differing: int
    elements: int
    max_abs_diff: float

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "max_abs_diff": _finite(self.max_abs_diff)}


@dataclass(frozen=True)
class Verdict:
    """What verification found.

    Attributes:
        passed: every output of every sample (and every layer, where asked) counts as equal to the oracle's.
        bit_exact: all of them equal it byte for byte. Without tolerance, the same as `passed`.
        tolerant: float32 results may differ by ABSOLUTE + RELATIVE · |oracle| of :mod:`mcugen.verify.compare`.
        worst_error: largest difference of a float32 output as a part of that; at most 1 where it passed.
        mismatched: numbers of the samples whose outputs do not count as equal.
        max_abs_diff: largest output difference, in units of the output's type; infinite where only one of both
            numbers is.
        sequence: the samples were the steps of one sequence, over which the model kept its state.
        afresh: why the state was reset before each sample; "" if it was not, or if there is none.
        layers_checked: ops whose results were compared, over all samples; 0 where layers were not asked for.
        output_moves: False when all distinct inputs gave the same output: the model may be broken.
        costs: cost of every invoke, in the device's unit.
        unverified: the user's own ops without a reference function, which were compared with their own kernels.
        outputs: the device's outputs, per sample and output.
    """

    oracle: str
    samples: int
    passed: bool
    bit_exact: bool
    tolerant: bool
    worst_error: float
    mismatched: tuple[int, ...]
    max_abs_diff: float
    layers_checked: int
    output_moves: bool
    first_divergent_op: Divergence | None
    costs: tuple[int, ...]
    unverified: tuple[str, ...] = ()
    sequence: bool = False
    afresh: str = ""
    outputs: tuple[tuple[NDArray[Any], ...], ...] = field(repr=False, default=())

    def to_dict(self) -> dict[str, Any]:
        """The `verify` object of the JSON output (docs/JSON.md)."""
        return {
            "oracle": self.oracle,
            "samples": self.samples,
            "passed": self.passed,
            "bit_exact": self.bit_exact,
            "comparison": {
                "kind": "tolerance" if self.tolerant else "bits",
                "relative": RELATIVE if self.tolerant else 0.0,
                "absolute": ABSOLUTE if self.tolerant else 0.0,
                "worst_error": _finite(self.worst_error),
            },
            "max_abs_diff": _finite(self.max_abs_diff),
            "mismatched_samples": list(self.mismatched),
            "sequence": self.sequence,
            "afresh": self.afresh,
            "layers_checked": self.layers_checked,
            "unverified": list(self.unverified),
            "output_moves": self.output_moves,
            "first_divergent_op": self.first_divergent_op.to_dict() if self.first_divergent_op else None,
        }


def verify_device(
    device: InferenceDevice,
    plan: Program,
    oracle: Reference,
    inputs: Sequence[Sequence[NDArray[Any]]],
    *,
    layers: bool = False,
    progress: Share | None = None,
) -> Verdict:
    """Run every input on the device and in the oracle and compare all outputs: bytes, except of float32 arithmetic.

    Args:
        inputs: samples, each one array per model input, of its dtype and shape.
        layers: also compare the result of every op, in inferences of their own.

    When an output differs, the layers of the first such sample are compared in any case, so that the verdict names
    the first op that is wrong. A model with state runs the samples as one sequence from a fresh start, on the device
    as in the oracle; its layers are compared in a second run of the same sequence. (Where the device's kernels do not
    carry the state on as the oracle's do, or where samples are whole sequences, every sample begins afresh:
    `Program.verified_afresh`.)

    Raises:
        ValueError: no inputs.
        DeviceError, ModelError: the device or the oracle failed.
    """
    if not inputs:
        raise ValueError("verification needs at least one input")
    costs: list[int] = []
    outputs: list[tuple[NDArray[Any], ...]] = []
    mismatched: list[int] = []
    tolerant = tolerant_tensors(plan.graph)
    unset = _unset_rows(plan.graph)
    bit_exact, worst_error, max_abs_diff = True, 0.0, 0.0
    total = 2 * len(inputs) if layers else len(inputs)
    _start_afresh(device, plan, oracle)
    for number, sample in enumerate(inputs):
        if plan.verified_afresh and number > 0:
            _start_afresh(device, plan, oracle)
        expected = oracle.run(sample)
        answered, cost = device.run(sample, on_progress=part_of(progress, number, total))
        actual = detections.settled(unset, plan.graph.outputs, answered)
        costs.append(cost)
        outputs.append(tuple(actual))
        for i, got, want in zip(plan.graph.outputs, actual, expected, strict=True):
            difference = compare(got, want, tolerant=i in tolerant)
            bit_exact = bit_exact and difference.same_bits
            worst_error = max(worst_error, difference.worst)
            max_abs_diff = max(max_abs_diff, difference.max_abs_diff)
            if not difference.accepted and number not in mismatched:
                mismatched.append(number)
    layers_checked, divergence = 0, None
    looked_at = _samples_to_look_into(plan, len(inputs), mismatched, layers)
    for done, number in enumerate(looked_at, len(inputs) + 1):
        if plan.verified_afresh or number == looked_at[0]:
            _start_afresh(device, plan, oracle)
        looked = _compare_layers(device, plan, oracle, inputs[number], number, tolerant)
        layers_checked += looked.checked if layers else 0
        bit_exact = bit_exact and looked.bit_exact
        divergence = divergence or looked.divergence
        if progress is not None:
            progress(done / max(total, len(inputs) + len(looked_at)))
    return Verdict(
        oracle=oracle.name,
        samples=len(inputs),
        passed=not mismatched and divergence is None,
        bit_exact=bit_exact,
        tolerant=bool(tolerant),
        worst_error=worst_error,
        mismatched=tuple(mismatched),
        max_abs_diff=max_abs_diff,
        layers_checked=layers_checked,
        output_moves=_moves(inputs, outputs),
        first_divergent_op=divergence,
        costs=tuple(costs),
        unverified=oracle.unverified,
        sequence=plan.stateful and not plan.verified_afresh,
        afresh=_why_afresh(plan),
        outputs=tuple(outputs),
    )


def _why_afresh(plan: Program) -> str:
    if not (plan.stateful and plan.verified_afresh):
        return ""
    if plan.graph.sequences:
        return "every sample is a whole sequence: the state was reset before each, on the device and in the reference"
    return "the runtime's kernels begin every inference with zeros: the state was reset before each sample"


def _start_afresh(device: InferenceDevice, plan: Program, oracle: Reference) -> None:
    if plan.stateful:
        device.forget()
        oracle.forget()


def _samples_to_look_into(plan: Program, samples: int, mismatched: Sequence[int], layers: bool) -> range:
    """The samples whose layers are compared. With state, each needs those before it."""
    if layers:
        return range(samples)
    if not mismatched:
        return range(0)
    needs_those_before = plan.stateful and not plan.verified_afresh
    return range(0 if needs_those_before else mismatched[0], mismatched[0] + 1)


_SIGNAL = "CUSTOM:Signal"
"""TFLM's signal ops: some give uint32, which no other op of a model has."""


_ONE_BY_ONE = frozenset(("CAST", "DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"))
"""Ops that make one element of each, in order."""


def _written(graph: Graph) -> dict[int, slice]:
    """By tensor, the elements, flat, that the ops before it wrote, where these are not all: SignalEnergy leaves out
    bands, and what is made of those is made of what the memory held before."""
    found: dict[int, slice] = {}
    for op in graph.ops:
        if op.kind == "CUSTOM:SignalEnergy":
            told = flexbuffer_options(op.options)
            found[op.outputs[0]] = slice(int(told.get("start_index", 0)), int(told.get("end_index", 1 << 31)))
        elif op.kind in _ONE_BY_ONE and op.inputs[0] in found:
            found[op.outputs[0]] = found[op.inputs[0]]
    return found


def _unset_rows(graph: Graph) -> tuple[detections.Unset, ...]:
    """Rows of detections that TFLM leaves as the memory was: they are zeros in the oracle's results."""
    return detections.unset_rows((op.kind, op.options, op.outputs) for op in graph.ops)


def _oracle_tensor(graph: Graph, op: Op) -> int | None:
    """The model's tensor that an op's first output must equal; None where there is no such tensor of values.

    A state that was assigned (which is no tensor of the model file) holds the assigned value. Handles are no values.
    """
    if not op.outputs or (graph.output_of(op).dtype is DType.OTHER and not op.kind.startswith(_SIGNAL)):
        return None
    if op.kind == "ASSIGN_VARIABLE":
        value = graph.tensor(op.inputs[0])
        return None if value.is_const else value.id
    return op.outputs[0]


@dataclass(frozen=True)
class _Layers:
    """What comparing one sample's layers found: how many there were, and the first that differs."""

    checked: int
    bit_exact: bool
    divergence: Divergence | None


def _compare_layers(
    device: InferenceDevice,
    plan: Program,
    oracle: Reference,
    sample: Sequence[NDArray[Any]],
    number: int,
    tolerant: frozenset[int],
) -> _Layers:
    """Compare every op's first output."""
    tensors = {n: _oracle_tensor(plan.graph, step.op) for n, step in enumerate(plan.steps)}
    compared = {n: tensor for n, tensor in tensors.items() if tensor is not None}
    flags = {
        n: step.op.outputs[MAY_NOT_WRITE[step.op.kind]]
        for n, step in enumerate(plan.steps)
        if len(step.op.outputs) > MAY_NOT_WRITE.get(step.op.kind, len(step.op.outputs))
    }
    asked = [*compared.values(), *flags.values()]
    unset = {use.outputs[0]: use for use in _unset_rows(plan.graph)}
    counts = [use.count for use in unset.values()]
    values = oracle.tensors(sample, [*asked, *counts])
    expected = dict(zip(compared, values, strict=False))
    for n, said in zip(flags, values[len(compared) : len(asked)], strict=True):
        if not np.all(said):  # it left its output as it was
            expected.pop(n, None)
    written = _written(plan.graph)
    found = dict(zip(counts, values[len(asked) :], strict=True))
    divergence: Divergence | None = None
    bit_exact = True
    shown = 0
    for op, raw in device.layers(sample):
        shown += 1
        if op not in expected:
            continue
        step, want = plan.steps[op], expected[op]
        kept = plan.graph.output_of(step.op).kept
        if kept is not None:  # the planned model computes only these channels
            want = want[..., list(kept)]
        got = np.frombuffer(raw, dtype=want.dtype).reshape(want.shape)
        if (use := unset.get(compared[op])) is not None:
            got, _ = detections.settled([use], [compared[op], use.count], [got, found[use.count]])
        if (part := written.get(compared[op])) is not None:
            got, want = got.reshape(-1)[part], want.reshape(-1)[part]
        difference = compare(got, want, tolerant=step.op.outputs[0] in tolerant)
        bit_exact = bit_exact and difference.same_bits
        if divergence is None and not difference.accepted:
            divergence = _divergence(op, step, number, want.size, difference)
    if shown != len(plan.steps):
        raise AssertionError(f"the device showed {shown} of {len(plan.steps)} ops")
    return _Layers(len(expected), bit_exact, divergence)


def _divergence(op: int, step: ProgramStep, sample: int, elements: int, difference: Difference) -> Divergence:
    return Divergence(
        op=op,
        index=step.op.index,
        kind=step.op.kind,
        name=step.op.name,
        sample=sample,
        differing=difference.differing,
        elements=elements,
        max_abs_diff=difference.max_abs_diff,
    )


def _finite(number: float) -> float | None:
    """A number as JSON can carry it."""
    return number if math.isfinite(number) else None


def _moves(inputs: Sequence[Sequence[NDArray[Any]]], outputs: Sequence[Sequence[NDArray[Any]]]) -> bool:
    """Whether distinct inputs ever gave distinct outputs (True where there were no two distinct inputs)."""
    distinct_inputs = {tuple(a.tobytes() for a in sample) for sample in inputs}
    distinct_outputs = {tuple(a.tobytes() for a in sample) for sample in outputs}
    return len(distinct_inputs) < 2 or len(distinct_outputs) > 1

"""What a verdict says, of a device and an oracle whose every number is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph
from mcugen.progress import Share
from mcugen.runtimes.aot.plan import Plan
from mcugen.verify import verify_device
from mcugen.verify.verdict import Divergence, Verdict
from tests.plan.hand_made import KEPT, graph_of, op, plan_of, step, tensor

Sample = Sequence[NDArray[Any]]
SIZE = 4


class Fake:
    """An oracle and a device at once: every tensor holds the sample plus its number, and differences on request.

    Args:
        wrong: by sample's number, what an output has too much: (output, element, difference).
        layers_wrong: by (sample, op), what the op's first output has too much at its first element.
    """

    name, unverified = "fake oracle 1", ("CUSTOM my_op",)

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.wrong: dict[int, list[tuple[int, int, float]]] = {}
        self.layers_wrong: dict[tuple[int, int], float] = {}
        self.ops: Sequence[int] = range(len(plan.steps))
        self.log: list[str] = []

    def value(self, i: int, sample: Sample) -> NDArray[Any]:
        made = self.plan.graph.tensor(i)
        shape = made.shape if made.kept is None else (*made.shape[:-1], 8)
        return (np.resize(sample[0], shape) + i).astype(made.dtype.numpy)

    def number(self, sample: Sample) -> int:
        return int(sample[0].reshape(-1)[0])

    def run(self, inputs: Sample) -> list[NDArray[Any]]:
        self.log.append(f"run {self.number(inputs)}")
        return [self.value(i, inputs) for i in self.plan.graph.outputs]

    def tensors(self, inputs: Sample, ids: Sequence[int]) -> list[NDArray[Any]]:
        self.log.append(f"tensors {self.number(inputs)} {list(ids)}")
        return [self.value(i, inputs) for i in ids]

    def forget(self) -> None:
        self.log.append("forget")


class FakeDevice(Fake):
    def run(  # type: ignore[override]
        self, inputs: Sample, *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        if on_progress is not None:
            on_progress(1.0)
        outputs = super().run(inputs)
        for output, element, difference in self.wrong.get(self.number(inputs), ()):
            outputs[output].reshape(-1)[element] += difference
        return outputs, 100 + self.number(inputs)

    def layers(self, inputs: Sample) -> Iterator[tuple[int, bytes]]:
        self.log.append(f"layers {self.number(inputs)}")
        for n in self.ops:
            made = self.plan.steps[n].op
            value = self.value(made.outputs[0], inputs) if made.outputs else np.zeros(1, np.int8)
            if made.kind == "ASSIGN_VARIABLE":
                value = self.value(made.inputs[0], inputs)
            kept = self.plan.graph.tensor(made.outputs[0]).kept if made.outputs else None
            value = np.ascontiguousarray(value if kept is None else value[..., list(kept)])
            value.reshape(-1)[0] += self.layers_wrong.get((self.number(inputs), n), 0)
            yield n, value.tobytes()


class Afresh(Plan):
    verified_afresh = True


def planned(graph: Graph, kind: type[Plan] = Plan) -> Plan:
    made = plan_of(graph, [step(o) for o in graph.ops], {}, arena=0)
    return kind(**vars(made))


def two_ops(dtype: DType = DType.INT8, *, stateful: bool = False, kind: type[Plan] = Plan) -> Plan:
    """t0 → t1 → t2; t1 and t2 are outputs. A state t3 that the second reads, where asked for."""
    ops = [op(4, [0], [1], "TANH"), op(6, [1, 3] if stateful else [1], [2], "LOGISTIC")]
    tensors = [tensor(i, SIZE, dtype) for i in range(3)]
    return planned(graph_of([*tensors, tensor(3, 8, initial=KEPT)], ops, outputs=[1, 2]), kind)


def samples(count: int, dtype: type[Any] = np.int8) -> list[Sample]:
    """Each begins with its number."""
    return [[np.array([n, 10, 20, 30], dtype)] for n in range(count)]


def verified(plan: Plan, count: int = 4, **more: Any) -> tuple[Verdict, FakeDevice, Fake, list[float]]:
    """Verification with `wrong`, `layers_wrong` and `ops` of a fake device, the others handed on."""
    device, oracle = FakeDevice(plan), Fake(plan)
    seen: list[float] = []
    for name in ("wrong", "layers_wrong", "ops"):
        if name in more:
            setattr(device, name, more.pop(name))
    inputs = more.pop("inputs", samples(count, plan.graph.tensor(0).dtype.numpy.type))
    verdict = verify_device(device, plan, oracle, inputs, progress=seen.append, **more)
    return verdict, device, oracle, seen


def test_all_equal() -> None:
    verdict, device, oracle, seen = verified(two_ops())
    outputs = verdict.outputs
    assert replace(verdict, outputs=()) == Verdict(
        oracle="fake oracle 1",
        samples=4,
        passed=True,
        bit_exact=True,
        tolerant=False,
        worst_error=0.0,
        mismatched=(),
        max_abs_diff=0.0,
        layers_checked=0,
        output_moves=True,
        first_divergent_op=None,
        costs=(100, 101, 102, 103),
        unverified=("CUSTOM my_op",),
    )
    assert not verdict.sequence
    assert [[list(values) for values in sample] for sample in outputs] == [
        [[n + 1, 11, 21, 31], [n + 2, 12, 22, 32]] for n in range(4)
    ]
    assert "outputs" not in repr(verdict), "they are long"
    assert device.log == oracle.log == [f"run {n}" for n in range(4)]
    assert seen == [1 / 4, 2 / 4, 3 / 4, 1.0]


def test_all_equal_with_layers() -> None:
    verdict, device, oracle, seen = verified(two_ops(), 3, layers=True)
    assert (verdict.passed, verdict.bit_exact, verdict.layers_checked) == (True, True, 6)
    assert device.log == ["run 0", "run 1", "run 2", "layers 0", "layers 1", "layers 2"]
    assert oracle.log[3:] == [f"tensors {n} [1, 2]" for n in range(3)]
    assert seen == [n / 6 for n in range(1, 7)]


def test_without_inputs_there_is_nothing_to_verify() -> None:
    plan = two_ops()
    with pytest.raises(ValueError, match="verification needs at least one input"):
        verify_device(FakeDevice(plan), plan, Fake(plan), [])


def test_a_progress_is_not_needed() -> None:
    plan = two_ops()
    device = FakeDevice(plan)
    device.wrong = {0: [(0, 0, 1)]}
    assert not verify_device(device, plan, Fake(plan), samples(2)).passed


def test_every_wrong_sample_is_named_once_and_the_first_looked_into() -> None:
    wrong = {1: [(1, 2, 3)], 2: [(0, 0, 1), (1, 0, -5)]}
    verdict, device, _, seen = verified(two_ops(), 4, wrong=wrong, layers_wrong={(1, 1): 2})
    assert (verdict.passed, verdict.bit_exact, verdict.mismatched) == (False, False, (1, 2))
    assert verdict.max_abs_diff == 5
    assert verdict.layers_checked == 0, "nobody asked for them"
    assert verdict.first_divergent_op == Divergence(
        op=1, index=6, kind="LOGISTIC", name="layer6", sample=1, differing=1, elements=SIZE, max_abs_diff=2.0
    )
    assert device.log[4:] == ["layers 1"]
    assert seen == [1 / 4, 2 / 4, 3 / 4, 1.0, 1.0]


def test_the_first_wrong_op_of_the_first_wrong_sample_is_named() -> None:
    layers_wrong = {(1, 1): 2, (2, 0): 1, (2, 1): 1}
    verdict, *_ = verified(two_ops(), 3, layers=True, layers_wrong=layers_wrong)
    assert (verdict.passed, verdict.bit_exact, verdict.mismatched, verdict.layers_checked) == (False, False, (), 6)
    found = verdict.first_divergent_op
    assert found is not None
    assert (found.op, found.sample) == (1, 1)
    verdict, *_ = verified(two_ops(), 3, layers=True, layers_wrong={(2, 0): 1, (2, 1): 3})
    found = verdict.first_divergent_op
    assert found is not None
    assert (found.op, found.max_abs_diff) == (0, 1.0)


def test_a_device_that_shows_fewer_ops_is_wrong() -> None:
    for ops, shown in (([0], 1), ([0, 1, 1], 3)):
        with pytest.raises(AssertionError, match=f"^the device showed {shown} of 2 ops$"):
            verified(two_ops(), layers=True, ops=ops)


def test_a_small_difference_of_floats_is_accepted_and_told() -> None:
    """The oracle's number is 1 + 1 in t1, and 2 in t2."""
    wrong = {1: [(0, 0, 1.05e-5)], 0: [(1, 0, 2.1e-6)]}
    verdict, *_ = verified(two_ops(DType.FLOAT32), 2, wrong=wrong)
    assert (verdict.passed, verdict.bit_exact, verdict.tolerant, verdict.mismatched) == (True, False, True, ())
    assert verdict.worst_error == pytest.approx(0.5, rel=0.02)
    assert verdict.max_abs_diff == pytest.approx(1.05e-5, rel=0.02)
    assert verdict.first_divergent_op is None
    told = verdict.to_dict()
    assert told["comparison"] == {
        "kind": "tolerance",
        "relative": 1e-5,
        "absolute": 1e-6,
        "worst_error": verdict.worst_error,
    }


def test_a_small_difference_in_a_layer_is_no_divergence_but_not_exact() -> None:
    verdict, *_ = verified(two_ops(DType.FLOAT32), 2, layers=True, layers_wrong={(0, 0): 1e-6})
    assert (verdict.passed, verdict.bit_exact, verdict.first_divergent_op) == (True, False, None)


def test_only_tensors_of_float_arithmetic_have_a_tolerance() -> None:
    """t1 is copied, t2 computed."""
    ops = [op(0, [0], [1], "RESHAPE"), op(1, [0], [2], "TANH")]
    plan = planned(graph_of([tensor(i, SIZE, DType.FLOAT32) for i in range(3)], ops, outputs=[1, 2]))
    for output, passed in ((0, False), (1, True)):
        assert verified(plan, 2, wrong={1: [(output, 0, 1e-6)]})[0].passed is passed
        assert verified(plan, 2, layers=True, layers_wrong={(1, output): 1e-6})[0].passed is passed


def test_json() -> None:
    verdict, *_ = verified(two_ops(), 3, wrong={1: [(1, 2, 3)]}, layers_wrong={(1, 1): 2}, layers=True)
    assert verdict.to_dict() == {
        "oracle": "fake oracle 1",
        "samples": 3,
        "passed": False,
        "bit_exact": False,
        "comparison": {"kind": "bits", "relative": 0.0, "absolute": 0.0, "worst_error": 0.0},
        "max_abs_diff": 3.0,
        "mismatched_samples": [1],
        "sequence": False,
        "afresh": "",
        "layers_checked": 6,
        "unverified": ["CUSTOM my_op"],
        "output_moves": True,
        "first_divergent_op": {
            "op": 1,
            "index": 6,
            "kind": "LOGISTIC",
            "name": "layer6",
            "sample": 1,
            "differing": 1,
            "elements": 4,
            "max_abs_diff": 2.0,
        },
    }
    equal = verified(two_ops(), 1)[0].to_dict()
    assert (equal["passed"], equal["first_divergent_op"]) == (True, None)


def test_json_holds_no_infinity() -> None:
    wrong = {0: [(0, 0, np.inf)]}
    verdict, *_ = verified(two_ops(DType.FLOAT32), 1, wrong=wrong, layers_wrong={(0, 0): np.inf})
    assert verdict.max_abs_diff == verdict.worst_error == np.inf
    told = verdict.to_dict()
    assert told["max_abs_diff"] is told["comparison"]["worst_error"] is None
    assert told["first_divergent_op"]["max_abs_diff"] is None


@pytest.mark.parametrize("layers", [False, True])
def test_a_model_with_state_runs_one_sequence(layers: bool) -> None:
    verdict, device, oracle, _ = verified(two_ops(stateful=True), 3, layers=layers)
    assert verdict.sequence
    assert verdict.afresh == ""
    looked_at = ["forget", "layers 0", "layers 1", "layers 2"] if layers else []
    assert device.log == ["forget", "run 0", "run 1", "run 2", *looked_at]
    assert oracle.log.count("forget") == device.log.count("forget")


def test_a_wrong_step_of_a_sequence_is_looked_into_from_its_start() -> None:
    verdict, device, oracle, seen = verified(
        two_ops(stateful=True), 4, wrong={2: [(0, 0, 1)]}, layers_wrong={(2, 0): 1}
    )
    assert device.log == ["forget", *(f"run {n}" for n in range(4)), "forget", "layers 0", "layers 1", "layers 2"]
    assert oracle.log.count("forget") == 2
    assert verdict.first_divergent_op is not None
    assert verdict.first_divergent_op.sample == 2
    assert seen[3:] == [1.0, 5 / 7, 6 / 7, 1.0]


def test_where_states_are_not_carried_on_alike_every_sample_begins_afresh() -> None:
    plan = two_ops(stateful=True, kind=Afresh)
    verdict, device, oracle, _ = verified(plan, 3, wrong={1: [(0, 0, 1)]}, layers_wrong={(1, 0): 1})
    assert not verdict.sequence
    assert verdict.afresh == (
        "the runtime's kernels begin every inference with zeros: the state was reset before each sample"
    )
    assert device.log == ["forget", "run 0", "forget", "run 1", "forget", "run 2", "forget", "layers 1"]
    assert oracle.log.count("forget") == 4
    _, device, *_ = verified(plan, 2, layers=True)
    assert device.log == ["forget", "run 0", "forget", "run 1", "forget", "layers 0", "forget", "layers 1"]


def test_whole_sequences_begin_afresh_and_the_verdict_says_why() -> None:
    plan = two_ops(stateful=True)
    verdict, *_ = verified(replace(plan, graph=replace(plan.graph, sequences=True)), 2)
    assert not verdict.sequence
    assert verdict.afresh == (
        "every sample is a whole sequence: the state was reset before each, on the device and in the reference"
    )
    assert verified(two_ops(kind=Afresh))[0].afresh == "", "there is nothing to reset"


def test_assigned_states_are_compared_with_what_is_assigned() -> None:
    """t3 is assigned t1, t5 a constant; a handle and an op without outputs have no values."""
    ops = [
        op(0, [0], [1], "TANH"),
        op(1, [1, 0], [3], "ASSIGN_VARIABLE"),
        op(2, [6, 0], [5], "ASSIGN_VARIABLE"),
        op(3, [0], [4], "VAR_HANDLE"),
        op(4, [0], [], "CALL_ONCE"),
        op(5, [1], [2], "LOGISTIC"),
    ]
    tensors = [tensor(i, SIZE) for i in range(3)]
    tensors += [tensor(3, SIZE, initial=KEPT), tensor(4, SIZE, DType.OTHER), tensor(5, 8, initial=KEPT)]
    plan = planned(graph_of([*tensors, tensor(6, data=KEPT)], ops, outputs=[2]))
    verdict, _, oracle, _ = verified(plan, 2, layers=True)
    assert (verdict.passed, verdict.layers_checked) == (True, 6)
    assert oracle.log[-1] == "tensors 1 [1, 1, 2]"
    verdict, *_ = verified(plan, 2, layers=True, layers_wrong={(1, 1): 1, (0, 3): 9})
    found = verdict.first_divergent_op
    assert found is not None
    assert (found.op, found.kind, found.sample) == (1, "ASSIGN_VARIABLE", 1)


def test_channels_that_were_dropped_are_not_compared() -> None:
    ops = [op(0, [0], [1], "CONV_2D"), op(1, [1], [2], "CONV_2D")]
    kept = tensor(1, (2, 3), kept=(0, 3, 7))
    plan = planned(graph_of([tensor(0, SIZE), kept, tensor(2, SIZE)], ops))
    inputs = [[np.arange(n, n + SIZE, dtype=np.int8)] for n in range(2)]
    assert verified(plan, layers=True, inputs=inputs)[0].passed
    found = verified(plan, layers=True, inputs=inputs, layers_wrong={(1, 0): 1})[0].first_divergent_op
    assert found is not None
    assert (found.op, found.elements) == (0, 6)


class Stuck(FakeDevice):
    """Gives the same output whatever the input."""

    def value(self, i: int, sample: Sample) -> NDArray[Any]:
        return np.full(SIZE, i, np.int8)


@pytest.mark.parametrize(("firsts", "moves"), [([0, 1], False), ([0, 0], True), ([3], True), ([1, 1, 0], False)])
def test_outputs_that_never_move_are_told(firsts: list[int], moves: bool) -> None:
    plan = two_ops()
    inputs = [[np.array([first, 0, 0, 0], np.int8)] for first in firsts]
    assert verify_device(Stuck(plan), plan, Fake(plan), inputs).output_moves is moves


def test_outputs_that_move_once_do() -> None:
    assert verified(two_ops(), 2)[0].output_moves

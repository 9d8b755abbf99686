"""Training steps on a device, each compared with the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import load_samples
from mcugen.device.device import Device
from mcugen.device.training import TrainingDevice
from mcugen.errors import DataError, TrainingError
from mcugen.flow.inputs import read_inputs
from mcugen.flow.training import Head
from mcugen.graph import Graph
from mcugen.oracle import make_inputs
from mcugen.oracle.oracle import Reference
from mcugen.progress import Share
from mcugen.tflite.fields import input_specs
from mcugen.tflite.opened import OpenedModel
from mcugen.training.reference import Trainer
from mcugen.training.types import Net

_MOST_JUDGED = 500
"""Samples on which the accuracy before and after is found, on the host."""

Target = int | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learned, in order: the model's inputs by sample, and their classes or targets.

    Attributes:
        origin: where they come from, for reports.
        real: labelled data of the user's; else accuracy means nothing.
    """

    inputs: list[list[NDArray[Any]]]
    targets: list[Target]
    origin: str
    real: bool


@dataclass(frozen=True, eq=False)
class TrainVerdict:
    """Whether a device learns as the reference does.

    Attributes:
        steps: that were made.
        equal: of these, after how many loss and head were the reference's, bit for bit.
        first: the first difference, in words; "" if there is none.
        outputs_equal: the outputs of the trained layers, before and after, were the reference's.
        loss: of the first and the last step.
        accuracy: on the host, of samples that were not trained with, before and after; None without any.
        judged: how many these are.
        cost: of one step, in `unit`, without the inference of the body.
        stack: bytes that a step uses.
        ram: bytes that learning takes beside the model's arena.
        origin: where the samples came from.
    """

    steps: int
    equal: int
    first: str
    outputs_equal: bool
    loss: tuple[float, float]
    accuracy: tuple[float, float] | None
    judged: int
    cost: int
    unit: str
    stack: int
    ram: int
    head_bytes: int
    fingerprint: int
    layers: tuple[str, ...]
    origin: str

    @property
    def passed(self) -> bool:
        return self.equal == self.steps and self.outputs_equal

    def to_dict(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "layers": list(self.layers),
            "steps": {"total": self.steps, "equal": self.equal},
            "first_difference": self.first,
            "outputs_equal": self.outputs_equal,
            "loss": {"first": _finite(self.loss[0]), "last": _finite(self.loss[1])},
            "accuracy": None
            if self.accuracy is None
            else {"before": self.accuracy[0], "after": self.accuracy[1], "samples": self.judged},
            "cost": {"unit": self.unit, "step": self.cost},
            "stack": self.stack,
            "ram": self.ram,
            "head": {"bytes": self.head_bytes, "fingerprint": f"{self.fingerprint:08x}"},
            "samples": self.origin,
        }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def read_lessons(model: OpenedModel, graph: Graph, net: Net, data: Any, count: int, seed: int = 0) -> Lessons:
    """Samples with labels, in a seeded order; random ones without data.

    Raises:
        DataError: data without labels, or with classes that the network does not have.
    """
    rng = np.random.default_rng(seed)
    if data is None or (isinstance(data, str) and data == "random"):
        classes = 2 if net.outputs == 1 else net.outputs
        if net.loss == "mse":
            random: list[Target] = [rng.normal(size=net.outputs).astype(np.float32) for _ in range(count)]
        else:
            random = [int(n) for n in rng.integers(0, classes, count)]
        return Lessons(make_inputs(graph, count, seed), random, f"random, seed {seed}", real=False)
    samples = load_samples(data, input_specs(model.schema))
    targets = _targets(net, samples.labels, samples.targets, samples.count, samples.origin)
    order = rng.permutation(samples.count)
    inputs = read_inputs([array[order] for array in samples.inputs], graph).samples
    return Lessons(inputs, [targets[i] for i in order], samples.origin, real=True)


def _targets(
    net: Net, labels: NDArray[np.int64] | None, given: NDArray[Any] | None, count: int, origin: str
) -> list[Target]:
    if net.loss == "mse":
        if given is None or given.size != count * net.outputs:
            raise DataError(
                f"has no targets of {net.outputs} values, and steps with the loss mse need them",
                where=origin,
                hint='Pass "x" and "y" in one .npz',
            )
        return list(np.asarray(given, np.float32).reshape(count, -1))
    if labels is None:
        raise DataError(
            "has no labels, and training steps need them", where=origin, hint='Pass "x" and "y" in one .npz'
        )
    classes = 2 if net.outputs == 1 else net.outputs
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"has the class {labels.max() if labels.max() >= classes else labels.min()}, and the trained layers have"
            f" {classes}",
            where=origin,
            hint='`classes` of `training` reserves more: `training="classes=12"`',
        )
    return [int(label) for label in labels]


def verify_training(
    device: Device, head: Head, oracle: Reference, lessons: Lessons, steps: int, progress: Share | None = None
) -> TrainVerdict:
    """Make steps on a device from a fresh head, and compare loss and head after each with the reference's.

    The reference takes what the oracle says of the body, so that nothing of the device's is believed.

    Raises:
        TrainingError: the firmware learns something else.
        DeviceError: a fault, or no answer.
    """
    return _Lesson(device, head, oracle, lessons).run(steps, progress)


class _Lesson:
    def __init__(self, device: Device, head: Head, oracle: Reference, lessons: Lessons) -> None:
        self._device, self._head, self._oracle, self._lessons = device, head, oracle, lessons
        self._learner, self._trainer = TrainingDevice(device), Trainer(head.net)
        self._first, self._outputs_equal = "", True
        info, net = self._learner.info, head.net
        if (info.fingerprint, info.head_bytes, info.outputs) != (net.fingerprint, net.head_bytes, net.outputs):
            raise TrainingError(
                "its trained layers are not those of this project", where="device", hint="Flash this project's firmware"
            )

    def run(self, steps: int, progress: Share | None) -> TrainVerdict:
        lessons, count = self._lessons, len(self._lessons.inputs)
        judged = self._features(range(min(steps, count), min(count, steps + _MOST_JUDGED)) if lessons.real else ())
        before = self._accuracy(judged)
        self._learner.reset()
        self._compare_heads("after the reset")
        self._compare_outputs(0, "before the first step")
        equal, losses, cost, stack = 0, [], 0, 0
        for step in range(steps):
            sample, target = lessons.inputs[step % count], lessons.targets[step % count]
            self._device.run(sample)
            told = self._learner.step(target)
            expected = self._trainer.step(self._features_of(sample), target)
            cost = self._device.meter.cost(told.cost)
            losses.append(float(expected.loss))
            same_loss = told.loss.tobytes() == expected.loss.tobytes()
            if same_loss and told.head_crc == self._trainer.crc:
                equal += not self._first
            elif not self._first:
                self._differs(f"step {step + 1}", told.loss, expected.loss)
            if progress is not None:
                progress((step + 1) / (steps + 1))
        self._compare_heads(f"after {steps} steps")
        self._compare_outputs(0, f"after {steps} steps")
        after = self._accuracy(judged)
        stack = self._learner.step(lessons.targets[0], stack=True).stack
        self._learner.reset()
        net = self._head.net
        return TrainVerdict(
            steps,
            equal,
            self._first,
            self._outputs_equal,
            (losses[0], losses[-1]),
            (before, after) if before is not None and after is not None else None,
            len(judged),
            cost,
            self._device.cost_unit,
            stack,
            self._learner.info.ram_bytes,
            net.head_bytes,
            net.fingerprint,
            net.names,
            lessons.origin,
        )

    def _features_of(self, sample: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        return self._trainer.features(self._oracle.run(sample)[0])

    def _features(self, numbers: Sequence[int] | range) -> list[tuple[NDArray[np.float32], Target]]:
        return [(self._features_of(self._lessons.inputs[i]), self._lessons.targets[i]) for i in numbers]

    def _accuracy(self, samples: Sequence[tuple[NDArray[np.float32], Target]]) -> float | None:
        net = self._head.net
        if not samples or net.loss == "mse":
            return None
        right = 0
        for features, target in samples:
            outputs = self._trainer.predict(features)
            right += int(outputs[0] > 0.5 if net.outputs == 1 else outputs.argmax()) == target
        return right / len(samples)

    def _differs(self, where: str, loss: np.float32, expected: np.float32) -> None:
        device = np.frombuffer(self._learner.read_head(), "<f4")
        wrong = np.flatnonzero(device.view(np.uint32) != self._trainer.head.view(np.uint32))
        text = f"{where}: the loss is {loss!s}, the reference's {expected!s}"
        if len(wrong):
            largest = np.abs(device - self._trainer.head).max()
            text += f"; {len(wrong):,} of {len(device):,} parameters differ, by up to {largest:g}, first {wrong[0]:,}"
        self._first = text

    def _compare_heads(self, when: str) -> None:
        if not self._first and self._learner.read_head() != self._trainer.head.astype("<f4").tobytes():
            self._first = f"{when} the head is not the reference's"
            self._outputs_equal = False

    def _compare_outputs(self, number: int, when: str) -> None:
        sample = self._lessons.inputs[number]
        self._device.run(sample)
        told, expected = self._learner.predict(), self._trainer.predict(self._features_of(sample))
        if told.tobytes() != expected.tobytes():
            self._outputs_equal = False
            self._first = self._first or f"{when} the outputs of the trained layers are not the reference's"

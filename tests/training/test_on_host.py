"""The emitted C learns as the reference does, bit for bit, on this computer; and one that is changed does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen.training.reference import Trainer
from mcugen.training.types import Net
from tests.training.nets import ADAM, NETS, lenet_like, residual, samples, strided
from tests.training.on_host import HostLearner

STEPS = 12


def differs(net: Net, folder: Path, changes: tuple[tuple[str, str], ...] = (), steps: int = STEPS) -> str:
    """The first difference between C and reference over some steps; "" if there is none."""
    learner, trainer = HostLearner(net, folder, changes), Trainer(net)
    data = samples(net, steps)
    for number, (features, target) in enumerate(data):
        x = trainer.features(features)
        if learner.predict(features).tobytes() != trainer.predict(x).tobytes():
            return f"outputs before step {number}"
        loss = learner.step(features, target)
        if loss.tobytes() != trainer.step(x, target).loss.tobytes():
            return f"loss of step {number}"
        if learner.head.tobytes() != trainer.head.tobytes():
            return f"head after step {number}"
    return ""


@pytest.mark.parametrize("name", NETS)
def test_every_step_is_the_references(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    assert differs(net, tmp_path) == ""
    trained = Trainer(net)
    for features, target in samples(net, STEPS):
        trained.step(trained.features(features), target)
    assert not np.array_equal(trained.head, net.initial), "nothing was learned, so nothing was compared"


def test_a_reset_begins_anew(tmp_path: Path) -> None:
    net = NETS["lenet, batches"]
    learner = HostLearner(net, tmp_path)
    (features, target), (more, other) = samples(net, 2)
    first = [learner.step(features, target), learner.step(more, other)]
    learner.reset()
    assert learner.head.tobytes() == net.initial.tobytes()
    assert [learner.step(features, target), learner.step(more, other)] == first


@pytest.mark.parametrize("name", ["lenet", "lenet, Adam"])
def test_a_head_that_is_written_makes_the_optimizer_forget(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    learner, trainer = HostLearner(net, tmp_path), Trainer(net)
    for features, target in samples(net, 4):
        learner.step(features, target)
    learner.write_head(net.initial)
    features, target = samples(net, 1, seed=9)[0]
    learner.step(features, target)
    trainer.step(trainer.features(features), target)
    assert learner.head.tobytes() == trainer.head.tobytes()


def test_the_rate_can_change(tmp_path: Path) -> None:
    net = NETS["dense head"]
    learner, trainer = HostLearner(net, tmp_path), Trainer(net)
    trainer.rate = np.float32(0.001)
    learner.set_rate(0.001)
    features, target = samples(net, 1)[0]
    learner.step(features, target)
    trainer.step(trainer.features(features), target)
    assert learner.head.tobytes() == trainer.head.tobytes()


def test_a_class_that_does_not_exist_changes_nothing(tmp_path: Path) -> None:
    net = NETS["dense head"]
    learner = HostLearner(net, tmp_path)
    features, _ = samples(net, 1)[0]
    assert learner.step(features, net.outputs) < 0
    assert learner.head.tobytes() == net.initial.tobytes()


def adam() -> Net:
    return lenet_like(ADAM)


MUTANTS = {
    "bias left out": (strided, ("y[o + k] = sums[k] + bias[o + k];", "y[o + k] = sums[k];")),
    "a sum in another order": (lenet_like, ("s0 += v * w0[i];", "s0 = s0 + v * w0[n - 1 - i] + v - v;")),
    "padding off by one": (strided, ("in.y = oy * w->stride_height - w->pad_top;", "in.y = oy * w->stride_height;")),
    "a pool's last of equal pixels": (strided, ("if (pixel[c] > y[c]) y[c] = pixel[c];", "y[c] = pixel[c];")),
    "a gradient past the activation": (lenet_like, ("g[i] = y[i] > 0.0f ? g[i] : 0.0f;", "g[i] = y[i] + g[i];")),
    "a branch that is not added": (residual, ("y[i] += x[i];\n", "y[i] = x[i];\n")),
    "momentum of the wrong sign": (lenet_like, ("v[i] = momentum * v[i] - rate", "v[i] = -momentum * v[i] - rate")),
    "a step that is a little longer": (lenet_like, ("w[i] = w[i] + v[i];", "w[i] = w[i] + v[i] * 1.0000002f;")),
    "Adam without correction": (adam, ("sqrtf(1.0f - adam->power2)", "sqrtf(1.0f)")),
    "Adam's epsilon inside the root": (adam, ("(v[i]) + MCG_TRAIN_ADAM_EPSILON)", "(v[i] + MCG_TRAIN_ADAM_EPSILON))")),
    "exp with another constant": (lenet_like, ("4.1665795894e-2f;", "4.1665e-2f;")),
    "the mean of a pool by another count": (strided, ("y[c] /= count;", "y[c] /= count + 1.0f;")),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_a_kernel_is_found(name: str, tmp_path: Path) -> None:
    made, change = MUTANTS[name]
    assert differs(made(), tmp_path, (change,)) != ""

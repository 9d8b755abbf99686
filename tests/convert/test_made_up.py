"""Sizes without data: nothing is run, nothing that depends on made-up ranges is left out or said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import calibrate, convert
from mcugen.flow.model import load_model
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests import zoo
from tests.convert.float_models import S
from tests.zoo.layers import Net

RNG = np.random.default_rng(2)
BOARD = "mps2-an386"


def sleeping() -> bytes:
    """Two dense layers; half of the hidden units wait for inputs that random data in −1…1 never holds."""
    net = Net(3)
    x = net.input((1, 8), "x")
    bias = np.where(np.arange(16) % 2, -30.0, 0.1).astype(np.float32)
    chosen = S.FullyConnectedOptionsT(fusedActivationFunction=1)
    hidden = net.op(
        "FULLY_CONNECTED", [x, net.constant(net.weights((16, 8), 8)), net.constant(bias)], (1, 16), "hidden", chosen
    )
    return net.build(net.dense(hidden, 4, name="out"))


def untrained(layers: int = 8) -> bytes:
    """A network whose activations shrink a thousandfold per layer, clamped by RELU6."""
    net = Net(4, biases=0.0)
    x = net.input((1, 8, 8, 3))
    for n in range(layers):
        x = net.conv(x, 8, (1, 1), activation="RELU6", name=f"layer{n}")
        weights = net.made.buffers[net.made.tensors[net.made.ops[-1].inputs[1]].buffer]
        weights.data = (np.asarray(weights.data).view(np.float32) * np.float32(1e-3)).view(np.uint8)
    return net.build(x)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a model was run to find its size")


@pytest.mark.parametrize("name", zoo.FLOAT_NAMES)
def test_sizes_need_no_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.float_model(name)
    monkeypatch.setattr(calibrate, "observe", refuse)
    monkeypatch.setattr(Oracle, "__init__", refuse)
    result = api.inspect(model)
    assert not result.model.trusted
    assert result.model.report is not None
    assert result.model.report.calibration.kind == "shapes"
    assert result.plan.macs > 0
    assert api.fit(model, boards=[BOARD]).candidates[0].macs == result.plan.macs


def test_channels_that_only_random_data_leaves_dead_are_counted() -> None:
    model = sleeping()
    all_of_them = 8 * 16 + 16 * 4
    for data in (None, "random"):
        assert api.inspect(model, data=data).plan.macs == all_of_them
        assert api.fit(model, boards=[BOARD], data=data).candidates[0].macs == all_of_them
    awake = RNG.normal(size=(50, 8)).astype(np.float32) * 30
    assert api.inspect(model, data=awake).plan.macs == all_of_them
    asleep = RNG.uniform(-1, 1, (50, 8)).astype(np.float32)
    assert api.inspect(model, data=asleep).plan.macs == all_of_them // 2, "with real data they are left out"


def test_a_project_from_random_data_is_planned_alike_when_it_is_read_again(tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    api.generate(sleeping(), board=BOARD, data="random", out=out)
    from mcugen.flow.project import open_project

    _, model, _, plan = open_project(out)
    assert not model.trusted
    assert plan.macs == 8 * 16 + 16 * 4


def test_an_untrained_network_goes_through() -> None:
    """RELU6 with a tiny scale would overflow the reference's clamp, and end in a text from its sources."""
    model = untrained()
    with Oracle(model) as oracle:
        last = oracle.run([np.ones((1, 8, 8, 3), np.float32)])[0]
    assert 0 < np.abs(last).max() < 1e-9, "the last activations are too small for any scale"
    for data in ("random", RNG.uniform(0, 1, (10, 8, 8, 3)).astype(np.float32)):
        made = convert(model, data)
        assert made.report.agreement, "TensorFlow Lite Micro ran it"
        make_plan(optimize(read_graph(made.tflite)))
    assert api.inspect(model).plan.macs == 8 * 8 * (3 * 8 + 7 * 8 * 8)


def test_weights_do_not_depend_on_made_up_ranges() -> None:
    """Tiny weights that a real output range would round to zero keep their own scale."""
    net = Net(5)
    x = net.input((1, 4))
    hidden = net.constant(np.array([[1e-5, -2e-5, 1e-5, 0], [0, 0, 0, 0], [1, 2, 3, 4]], np.float32))
    large = net.constant(np.array([1e4, 5.0, 0.0], np.float32))
    y = net.op("FULLY_CONNECTED", [x, hidden, large], (1, 3), "hidden", S.FullyConnectedOptionsT())
    image = net.reshape(y, (1, 1, 1, 3), name="image")
    tiny = np.full((2, 1, 1, 3), 1e-6, np.float32)
    tiny[1] = 1.0
    z = net.op("CONV_2D", [image, net.constant(tiny), net.constant(np.zeros(2, np.float32))], (1, 1, 1, 2), "z",
               S.Conv2DOptionsT(padding=1, strideH=1, strideW=1))  # fmt: skip
    for data in (None, "random"):
        graph = load_model(net.build(z), data, sizes_only=True).graph
        convolution = next(op for op in graph.ops if op.name.startswith("z"))
        values = graph.tensor(convolution.inputs[1]).data
        assert values is not None
        assert np.abs(values[0]).max() == 127

"""Recurrent layers that have learned something: int8 and int16 are as right as float32, to within half a point.

A small table of benchmarks/recurrent.py: all layers are trained at once, on which of two sensors moves first and
which way, and judged by the generated C. Firmware on three boards: test_recurrent_boards.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.convert import Converted, convert
from mcugen.numerics.affine import quantize as quantized
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

STEPS, UNITS, JUDGED = 10, 8, 400
MOST_LOST = 0.5
"""Points of accuracy."""
LAYERS = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "stacked LSTM", "TimeDistributed")


def windows(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(count, steps, 2) and which of four it is: the first sensor moves first or the second does, up or down."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, count)
    times = np.arange(STEPS)[None, :]
    first = rng.uniform(1, 4, (count, 1))
    peaks = [np.exp(-((times - at) ** 2)) for at in (first, first + rng.uniform(2.5, 4.5, (count, 1)))]
    x = np.where((y % 2 == 0)[:, None, None], np.stack(peaks, -1), np.stack(peaks[::-1], -1))
    x *= rng.uniform(0.7, 1.4, (count, 1, 1)) * np.where(y < 2, 1, -1)[:, None, None]
    return (x + rng.normal(0, 0.1, x.shape)).astype(np.float32), y


def branch(layers: Any, name: str, x: Any) -> Any:
    if name == "Bidirectional":
        return layers.Bidirectional(layers.LSTM(UNITS // 2))(x)
    if name == "TimeDistributed":
        states = layers.TimeDistributed(layers.Dense(UNITS, activation="relu"))(
            layers.LSTM(UNITS, return_sequences=True)(x)
        )
        return layers.GlobalAveragePooling1D()(states)
    layer = getattr(layers, name.split()[-1])
    return layer(UNITS)(layer(UNITS, return_sequences=True)(x) if name.startswith("stacked") else x)


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    """A network for each kind, by its name; trained together, as most of the time goes into the first step."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = keras.Input((STEPS, 2))
    heads = {name: layers.Dense(4, activation="softmax")(branch(layers, name, x)) for name in LAYERS}
    model = keras.Model(x, list(heads.values()))
    model.compile(keras.optimizers.Adam(0.01), ["sparse_categorical_crossentropy"] * len(heads))
    samples, y = windows(1024, 1)
    model.fit(samples, [y] * len(heads), epochs=16, batch_size=64, verbose=0)
    return {name: keras.Model(x, head) for name, head in heads.items()}


def accuracy(answers: NDArray[Any], y: NDArray[np.int64]) -> float:
    return 100 * float(np.mean(answers.argmax(-1) == y))


def of_model(made: Converted, x: NDArray[np.float32]) -> NDArray[Any]:
    """What the generated C answers, compiled for this computer; the reference's answers are compared for some."""
    graph = read_graph(made.tflite)
    given = [each[None] for each in quantized(x, graph.tensor(graph.inputs[0]))]
    with HostModel(make_plan(optimize(graph))) as host:
        answers = []
        for each in given:
            host.reset()
            answers.append(host.run([each])[0])
    with Oracle(made.tflite, afresh=True) as oracle:
        for each, answer in zip(given[:3], answers, strict=False):
            np.testing.assert_array_equal(answer, oracle.run([each])[0])
    return np.concatenate(answers)


@pytest.mark.parametrize("name", LAYERS)
def test_int8_and_int16_are_as_right_as_float32(name: str, trained: dict[str, Any]) -> None:
    x, y = windows(JUDGED, 2)
    of_float = accuracy(trained[name].predict(x, verbose=0), y)
    assert of_float > 95, "it has learned its task, so that there is something to lose"
    samples = windows(100, 3)[0]
    int8 = convert(trained[name], samples)
    assert accuracy(of_model(int8, x), y) >= of_float - MOST_LOST
    int16 = convert(int8.float_tflite, samples, activations="int16")
    assert accuracy(of_model(int16, x), y) >= of_float - MOST_LOST

"""`mcugen fit`: what fits, what is missing, which layers are to blame, and models of another width or input size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.builder.blame import _uncovered, heaviest_layers, peak
from mcugen.convert.keras_scale import scaled_model, scaled_pixels, scaled_width
from mcugen.errors import ConversionError, McugenError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests import zoo
from tests.cli.conftest import Cli
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.models import both, model_bytes


def wide_model() -> bytes:
    """FULLY_CONNECTED 100 → 30,000 → 4: 120 KB of weights each, 30 KB of activations."""
    rng = np.random.default_rng(0)

    def weights(outputs: int, inputs: int) -> TensorSpec:
        return constant(rng.integers(-127, 127, (outputs, inputs)).astype(np.int8), 0.01)

    source, result = TensorSpec((1, 4), scale=0.02, name="in"), TensorSpec((1, 4), scale=9.0, name="out")
    hidden = TensorSpec((1, 30_000), scale=0.05, name="wide")
    layers = [
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [source, weights(30_000, 4)], [hidden]),
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [hidden, weights(4, 30_000)], [result]),
    ]
    return build_graph(layers, [result])


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.tflite"
    path.write_bytes(wide_model())
    return path


def test_what_is_missing_where_and_who_is_to_blame(wide: Path) -> None:
    result = api.fit(wide, boards=["microbit", "mps2-an386", "stm32vldiscovery"])
    own = result.candidates[0]
    microbit, mps2, discovery = own.fits
    assert not microbit.fits
    assert microbit.ram_missing == microbit.ram_needed - 16 * 1024 > 30_000 - 16 * 1024
    assert microbit.flash_missing == microbit.flash_needed - 256 * 1024 > 0
    assert mps2.fits
    assert (mps2.flash_missing, mps2.ram_missing) == (0, 0)
    assert not discovery.fits
    assert result.exit_code == 0
    assert {weight.layer for weight in own.heaviest} == {"wide", "out"}
    # The first layer has a bias table for each of its outputs, so it is the heavier one.
    assert own.heaviest[0].layer == "wide"
    assert dict(own.peaks[0].tensors)["wide"] == 30_000


def test_no_board_at_all_is_a_negative_verdict(wide: Path, cli: Cli) -> None:
    ran = cli("fit", wide, "--board", "microbit", "--json")
    assert ran.code == 1
    facts = ran.json
    assert facts["schema"] == "mcugen.fit/1"
    (board,) = facts["candidates"][0]["boards"]
    assert board["fits"] is False
    assert board["ram_missing"] > 0
    assert board["peak"]["layer"] in ("wide", "out")
    shown = cli("fit", wide, "--board", "microbit")
    assert "fits 0 of 1 boards" in shown.out
    assert f"{board['ram_missing']:,} B RAM" in shown.out
    assert "most RAM is in use in FULLY_CONNECTED" in shown.out


@pytest.mark.parametrize("name", both(zoo.NAMES, ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant"]))
def test_the_peak_explains_the_arena_of_whole_models(name: str) -> None:
    plan = make_plan(optimize(read_graph(model_bytes(name), name)))
    worst = peak(plan)
    assert worst.bytes == sum(size for _, size in worst.tensors)
    # Blocks alive at once cannot take more than the arena; keeping others out of their way costs some more.
    assert 0.7 * plan.arena_bytes <= worst.bytes <= plan.arena_bytes
    assert sum(weight.bytes for weight in heaviest_layers(plan)) == sum(plan.constant_sizes())


def test_covered_bytes_count_once() -> None:
    assert _uncovered(0, 10, []) == 10
    assert _uncovered(0, 10, [(2, 4), (3, 6), (9, 20)]) == 5
    assert _uncovered(0, 10, [(0, 10)]) == 0


def test_scaling_needs_a_keras_model(wide: Path) -> None:
    with pytest.raises(McugenError, match="only the architecture of a Keras model can be scaled"):
        api.fit(wide, boards=["mps2-an386"], scale="width")


def test_widths_and_pixels_are_round_numbers() -> None:
    assert [scaled_width(64, f) for f in (0.75, 0.5, 0.35, 0.25)] == [48, 32, 24, 16]
    assert [scaled_width(w, 0.25) for w in (1, 2, 7, 8, 10)] == [1, 1, 2, 4, 4]
    assert [scaled_pixels(96, f) for f in (0.75, 0.5, 0.35, 0.25)] == [72, 48, 32, 24]
    assert scaled_pixels(10, 0.25) == 2


def residual_net(keras: Any) -> Any:
    """A residual block, a nested model, and two classes at the end."""
    layers = keras.layers
    inner = keras.Sequential([keras.Input((16, 16, 16)), layers.Conv2D(32, 3, padding="same"), layers.ReLU()])
    x = source = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="stem")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(layers.BatchNormalization()(x))
    x = layers.Add()([x, layers.Conv2D(16, 1)(y)])
    x = inner(x)
    x = layers.Dense(20, activation="relu")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(source, [layers.Softmax()(layers.Dense(2, name="a")(x)), layers.Dense(5, name="b")(x)])


@pytest.mark.tensorflow
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_scaled_architectures(library: str) -> None:
    keras = pytest.importorskip(library)
    model = residual_net(keras)
    half = scaled_model(model, "width", 0.5)
    assert [tuple(output.shape) for output in half.outputs] == [(None, 2), (None, 5)], "the classes stay"
    assert half.get_layer("stem").get_config()["filters"] == 8
    assert half.count_params() < model.count_params() / 2
    smaller = scaled_model(model, "input", 0.5)
    assert tuple(smaller.inputs[0].shape) == (None, 16, 16, 3)
    assert smaller.count_params() == model.count_params()


@pytest.mark.tensorflow
def test_architectures_that_cannot_be_scaled() -> None:
    keras = pytest.importorskip("keras")
    fixed = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(12),
            keras.layers.Reshape((12, 1)),
            keras.layers.Conv1D(4, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    with pytest.raises(ConversionError, match=r"cannot be built 0\.5 times as wide"):
        scaled_model(fixed, "width", 0.5)
    with pytest.raises(ConversionError, match="has no image input"):
        scaled_model(fixed, "input", 0.5)
    single = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    with pytest.raises(ConversionError, match="nothing to scale"):
        scaled_model(single, "width", 0.5)


@pytest.mark.tensorflow
def test_a_smaller_network_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.setattr("mcugen.verbs.fit.FACTORS", (0.5,))
    path = tmp_path / "net.keras"
    residual_net(keras).save(path)
    result = api.fit(path, boards=["microbit"], scale="width")
    own, half = result.candidates
    assert half.factor == 0.5
    assert half.weights < own.weights
    assert half.fits[0].arena < own.fits[0].arena
    assert result.quantized_here

"""Noise per layer, and the suspects that are named for it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from mcugen.assess import Layers, layer_noise
from mcugen.assess.match import match_ops
from mcugen.convert import convert
from mcugen.convert.choices import Choices
from mcugen.errors import DataError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.schema import pack_model, unpack_model
from tests import zoo
from tests.assess.conftest import Digits, network
from tests.conftest import find_model
from tests.convert.float_models import small_dense
from tests.models import real

RNG = np.random.default_rng(4)


def noise_of(model: bytes, calibration: Any, x: Any) -> Layers:
    converted = convert(model, calibration)
    assert converted.float_tflite is not None
    return layer_noise(converted.float_tflite, converted.tflite, [x.reshape(len(x), 1, -1)])


def suspects(found: Layers) -> set[tuple[str, str]]:
    return {(layer.kind, suspect.kind) for layer in found.layers for suspect in layer.suspects}


def test_noise_of_a_healthy_model(digits: Digits) -> None:
    found = noise_of(digits.model, digits.x_train, digits.x_test[:20])
    assert found.samples == 20
    assert [layer.kind for layer in found.layers] == ["FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]
    for layer in found.layers:
        assert layer.sqnr_db is not None
        assert layer.limit_db is not None
        # Nothing can be better than rounding alone, and a healthy model is not far from it.
        assert 25 < layer.sqnr_db < layer.limit_db + 0.5
        assert layer.clipped < 0.01
        assert layer.histogram is not None
        counted = sum(layer.histogram.float_counts) + layer.histogram.below + layer.histogram.above
        assert counted == sum(layer.histogram.quantized_counts)
    assert not suspects(found)
    assert not found.unmatched


def test_sqnr_is_what_its_definition_says(digits: Digits) -> None:
    converted = convert(digits.model, digits.x_train)
    x = digits.x_test[:5]
    (hidden, bias), _ = digits.layers
    graph = read_graph(converted.tflite)
    scale, output = graph.tensor(graph.inputs[0]).scale, graph.output_of(graph.ops[0])
    found = layer_noise(digits.model, converted.tflite, [x.reshape(5, 1, 64)]).layers[0]
    real = np.maximum(x.astype(np.float64) @ hidden.T + bias, 0)
    weights = graph.tensor(graph.ops[0].inputs[1])
    assert weights.data is not None
    codes = np.round(x / scale) * scale
    rounded_bias = np.round(bias / (scale * weights.scale)) * scale * weights.scale
    accumulated = np.maximum(codes @ (weights.data * weights.scale).T + rounded_bias, 0)
    stored = np.clip(np.round(accumulated / output.scale), 0, 255) * output.scale
    want = 10 * np.log10(np.sum(real**2) / np.sum((real - stored) ** 2))
    assert found.sqnr_db == pytest.approx(want, abs=0.05)


def test_outlier_channels_and_uneven_weights_are_named(digits: Digits) -> None:
    (hidden, bias), (last, last_bias) = digits.layers
    factor = np.ones(len(bias), np.float32)
    factor[5] = 100
    scaled = network([(hidden * factor[:, None], bias * factor), (last / factor, last_bias)])
    found = noise_of(scaled, digits.x_train, digits.x_test[:20])
    assert ("FULLY_CONNECTED", "outlier channels") in suspects(found)
    assert ("FULLY_CONNECTED", "per-tensor weights") in suspects(found)
    texts = [s.text for layer in found.layers for s in layer.suspects if s.kind == "outlier channels"]
    assert "channel 5 reaches" in texts[0]


def test_a_range_from_too_small_samples_is_saturated(digits: Digits) -> None:
    found = noise_of(digits.model, digits.x_train * 0.2, digits.x_test[:20])
    assert ("FULLY_CONNECTED", "saturated range") in suspects(found)
    worst = max(found.layers, key=lambda layer: layer.clipped)
    assert worst.clipped > 0.05
    assert worst.histogram is not None
    assert worst.histogram.above > 0


def test_a_single_outlier_stretches_the_range(digits: Digits) -> None:
    spiked = digits.x_train[:100].copy()
    spiked[0] = 60
    found = noise_of(digits.model, spiked, digits.x_test[:20])
    assert ("FULLY_CONNECTED", "stretched range") in suspects(found)


def test_coarse_logits_are_named(digits: Digits) -> None:
    (hidden, bias), (last, last_bias) = digits.layers
    loud = network([(hidden, bias), (last * 10, last_bias * 10)])
    assert ("SOFTMAX", "softmax input scale") in suspects(noise_of(loud, digits.x_train, digits.x_test[:20]))


def test_layers_are_matched_without_names(digits: Digits) -> None:
    converted = convert(digits.model, digits.x_train)
    renamed = unpack_model(converted.tflite)
    for number, tensor in enumerate(renamed.subgraphs[0].tensors):
        tensor.name = f"other_{number}"
    x = [digits.x_test[:5].reshape(5, 1, 64)]
    by_order = layer_noise(digits.model, pack_model(renamed), x)
    by_name = layer_noise(digits.model, converted.tflite, x)
    assert [dataclasses.replace(a, name=b.name) for a, b in zip(by_order.layers, by_name.layers, strict=True)] == list(
        by_name.layers
    )
    assert len(match_ops(read_graph(digits.model), read_graph(converted.tflite))) == 3


def test_other_models_are_refused(digits: Digits) -> None:
    with pytest.raises(DataError, match="two forms of the same model"):
        layer_noise(small_dense(), digits.model, [digits.x_test[:5]])


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet", "u_net"])
def test_every_layer_of_a_whole_model_is_matched_and_corrected_biases_gain(name: str) -> None:
    data, x = zoo.samples(name, 60), [zoo.samples(name, 16, seed=1)[:, None]]
    plain, corrected = (
        layer_noise(zoo.float_model(name), convert(zoo.float_model(name), data, choices=choices).tflite, x).layers
        for choices in (Choices(), Choices(correct_bias=True))
    )
    assert [layer.matched for layer in plain] == [layer.matched for layer in corrected]
    computing = [op for op in read_graph(zoo.float_model(name)).ops if op.kind not in ("RESHAPE", "PAD")]
    assert len(plain) >= len(computing)
    noise = [(a.sqnr_db, b.sqnr_db) for a, b in zip(plain, corrected, strict=True)]
    assert all(a is not None and a > 20 for a, _ in noise)
    assert np.mean([b for _, b in noise]) > np.mean([a for a, _ in noise])


def photo_crops(size: int, count: int, seed: int) -> Any:
    """Square parts of scikit-learn's two photographs, shrunk to size × size: pixels 0…255, (N, size, size, 3)."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng, photos, crops = np.random.default_rng(seed), load_sample_images().images, []
    for number in range(count):
        photo = photos[number % 2]
        side = int(rng.integers(size, photo.shape[0]))
        top, left = (int(rng.integers(0, whole - side)) for whole in photo.shape[:2])
        crop = Image.fromarray(photo[top : top + side, left : left + side])
        crops.append(np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR), np.float32))
    return np.stack(crops)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("source", "published", "size", "divisor"),
    [
        pytest.param(*each, marks=real(*each[:2]))
        for each in (
            ("pretrainedResnet.h5", "pretrainedResnet_quant.tflite", 32, 1.0),
            ("vww_96.h5", "vww_96_int8.tflite", 96, 255.0),
        )
    ],
)
def test_no_layer_is_noisier_than_in_the_published_file(source: str, published: str, size: int, divisor: float) -> None:
    """What the published files were calibrated with is not known; ours sees other crops of the same photographs.

    Which crops these are moves single layers by up to 0.9 dB, as the widest value seen sets a range: so much that vww's
    middle layers come out on either side without correcting biases, which gains 1 to 4 dB.
    """
    float_file, theirs = find_model(source), find_model(published).read_bytes()
    corrected = Choices(correct_bias=True)
    converted = convert(float_file, photo_crops(size, 120, seed=0) / np.float32(divisor), choices=corrected)
    assert converted.float_tflite is not None
    x = [(photo_crops(size, 16, seed=1) / np.float32(divisor))[:, None]]
    ours = layer_noise(converted.float_tflite, converted.tflite, x).layers
    beside = {layer.matched: layer for layer in layer_noise(converted.float_tflite, theirs, x).layers}
    gained = []
    for layer in ours:
        other = beside.get(layer.matched)
        if other is not None and layer.sqnr_db is not None and other.sqnr_db is not None:
            gained.append(layer.sqnr_db - other.sqnr_db)
            assert gained[-1] >= 0, f"{layer.kind} {layer.name}"
    assert len(gained) >= len(ours) - 1
    assert np.mean(gained) > 2

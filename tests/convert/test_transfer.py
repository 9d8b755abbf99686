"""Transfer learning: a body that learns nothing, a head that does, and folders and bodies that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen import api
from mcugen.convert.transfer import LEAST_PER_CLASS, split
from mcugen.errors import McugenError
from tests.schemas import check

CLASSES = ("across", "down", "plain")


def picture(rng: np.random.Generator, kind: str, size: int = 16) -> Image.Image:
    """Stripes one way or the other, or none, in two random greys."""
    dark, light = rng.uniform(0, 100), rng.uniform(150, 255)
    at = (np.arange(size) // 2 + rng.integers(2)) % 2
    pattern = {
        "across": np.tile(at[:, None], (1, size)),
        "down": np.tile(at, (size, 1)),
        "plain": np.ones((size, size)),
    }
    grey = dark + (light - dark) * pattern[kind] + rng.normal(0, 5, (size, size))
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def written(folder: Path, counts: dict[str, int], size: int = 16) -> Path:
    rng = np.random.default_rng(3)
    for kind, count in counts.items():
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            picture(rng, kind, size).save(folder / kind / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("images"), dict.fromkeys(CLASSES, 15))


def network(*, end: str = "classifier", inputs: tuple[int | None, ...] = (16, 16, 3), scaled: bool = False) -> Any:
    """A small CNN, untrained: random filters tell stripes apart well enough."""
    import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    image = keras.Input(inputs, name="image")
    x = layers.Rescaling(1 / 255)(image) if scaled else image
    x = layers.Conv2D(12, 3, activation="relu", name="stripes")(x)
    x = layers.Conv2D(16, 3, activation="relu", name="parts")(x)
    if end == "map":
        return keras.Model(image, x, name="body")
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Dense(5, name="logits")(x)
    return keras.Model(image, layers.Softmax()(x), name="body")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("end", "scaled", "cut", "expected"),
    [("classifier", False, None, "pooled"), ("map", True, None, "parts"), ("classifier", True, "stripes", "stripes")],
)
def test_a_head_learns_on_a_frozen_body(
    tmp_path: Path, images: Path, end: str, scaled: bool, cut: str | None, expected: str
) -> None:
    import keras

    body = network(end=end, scaled=scaled)
    body.save(tmp_path / "body.keras")
    out = tmp_path / "out"
    result = api.transfer(tmp_path / "body.keras", data=images, out=out, cut=cut, seed=1)
    check(result.to_dict())
    assert result.taught.cut == expected
    assert result.taught.features == {"pooled": 16, "parts": 16, "stripes": 12}[expected]
    assert result.taught.pixels == ((0.0, 255.0) if scaled else (0.0, 1.0))
    assert result.images == dict.fromkeys(CLASSES, 15)
    assert (result.tested, round(result.guess, 3)) == (9, 0.333)
    assert result.taught.accuracy > 0.7
    assert (out / "labels.txt").read_text().split() == list(CLASSES)

    # The file is what was judged: pixels of 0 to 255 in, classes by name out; the body's weights are the body's.
    model = keras.saving.load_model(out / "model.keras", compile=False)
    with np.load(out / "test.npz") as test, np.load(out / "samples.npz") as samples:
        assert (len(test["x"]), len(samples["x"]), float(test["x"].max()) > 200) == (9, 36, True)
        answers = model.predict(test["x"], verbose=0).argmax(axis=1)
        assert float((answers == test["y"]).mean()) == pytest.approx(result.taught.accuracy)
    kept = model.get_layer("body").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(kept, body.get_weights(), strict=False))


@pytest.mark.tensorflow
@pytest.mark.parametrize("old", [False, True])
def test_a_network_of_keras_with_its_weights_from_a_file(tmp_path: Path, images: Path, old: bool) -> None:
    """In both formats of weights: today's, and that of the files which Keras' own networks come with."""
    import h5py
    import keras
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    known = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.35)
    file = tmp_path / ("no_top.h5" if old else "no_top.weights.h5")
    if old:
        with h5py.File(file, "w") as root:
            save_weights_to_hdf5_group(root, known)
    else:
        known.save_weights(file)
    big = written(tmp_path / "images", dict.fromkeys(CLASSES, 5), size=32)
    result = api.transfer("MobileNetV2:0.35", data=big, out=tmp_path / "out", weights=file, image_size=32, epochs=2)
    assert result.taught.pixels == (-1.0, 1.0)
    assert result.taught.features == 1280
    model = keras.saving.load_model(tmp_path / "out" / "model.keras", compile=False)
    kept = model.get_layer("body").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(kept, known.get_weights(), strict=True))


def test_a_split_keeps_some_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [40, 7, LEAST_PER_CLASS])
    parts = split(y, 3)
    assert sorted([*parts.train, *parts.test]) == list(range(len(y)))
    assert np.bincount(y[parts.test]).tolist() == [8, 1, 1]
    assert np.array_equal(parts.test, split(y, 3).test)
    assert not np.array_equal(parts.test, split(y, 4).test)


@pytest.mark.tensorflow
def test_bodies_that_cannot_be_used(tmp_path: Path, images: Path) -> None:
    network().save(tmp_path / "body.keras")
    network(inputs=(None, None, 3), end="map").save(tmp_path / "open.keras")
    (tmp_path / "bad.keras").write_bytes((tmp_path / "body.keras").read_bytes()[:4000])
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    for body, more, words in (
        ("body.keras", {"cut": "nowhere"}, 'no layer "nowhere": the last ones are .*pooled'),
        ("body.keras", {"image_size": 32}, "`image_size`: the size is the body's own"),
        ("open.keras", {}, "does not take one image of a fixed size"),
        ("bad.keras", {}, "bad.keras: .*"),
        ("model.tflite", {}, "model.tflite: .*"),
        ("nowhere.keras", {}, "nowhere.keras: there is no such file"),
        ("body.keras", {"epochs": 0}, "`epochs`: is 0"),
    ):
        with pytest.raises(McugenError, match=words):
            api.transfer(tmp_path / body, data=images, out=tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_networks_by_name_need_their_weights_and_a_size(tmp_path: Path, images: Path) -> None:
    weights = tmp_path / "w.h5"
    weights.write_bytes(b"no HDF5")
    for more, words in (
        ({}, "MobileNetV2: its weights are not given, and none are fetched"),
        ({"weights": tmp_path / "none.h5"}, "none.h5: there is no such file"),
        ({"weights": weights}, "`image_size`: .*32 to 512"),
        ({"weights": weights, "image_size": 8}, "`image_size`: .*32 to 512"),
        ({"weights": weights, "image_size": 32}, r"w\.h5: the HDF5 file is truncated or corrupted"),
    ):
        with pytest.raises(McugenError, match=words):
            api.transfer("MobileNetV2", data=images, out=tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    weights = tmp_path / "w.h5"
    weights.write_bytes(b"never read")
    few = written(tmp_path / "few", {"across": 5, "down": 3})
    one = written(tmp_path / "one", {"across": 5})
    for data, words in (
        (tmp_path / "nowhere", "nowhere: there is no such folder"),
        (few, r'few: the class "down" has 3, and 4 are the least'),
        (one, "one: does not hold a subfolder of images per class"),
    ):
        with pytest.raises(McugenError, match=words):
            api.transfer("MobileNetV2", data=data, out=tmp_path / "out", weights=weights, image_size=32)
    assert not (tmp_path / "out").exists()

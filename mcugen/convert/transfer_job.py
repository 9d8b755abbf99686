"""Trains a new head on a frozen body: runs in the worker process, where TensorFlow is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.keras_inputs import live_scaling
from mcugen.errors import ConversionError
from mcugen.progress import Share

_PIXELS = {
    "mobilenet": (-1.0, 1.0),
    "inception": (-1.0, 1.0),
    "xception": (-1.0, 1.0),
    "nasnet": (-1.0, 1.0),
    "resnet50v2": (-1.0, 1.0),
    "resnet101v2": (-1.0, 1.0),
    "resnet152v2": (-1.0, 1.0),
}
"""What networks of keras.applications were trained on that do not scale pixels themselves: by how their names begin."""

_OF_HEADS = ("Dense", "Activation", "Softmax", "Dropout")
_BATCH = 32
_LEAST_DEVIATION = 1e-6
_BODYS_SHARE = 0.5
"""Of the time."""


def teach_head(folder: Path, request: dict[str, Any], progress: Share) -> dict[str, Any]:
    """Do the job that :func:`mcugen.convert.transfer.teach` asks for; writes `taught.keras`.

    Raises:
        ConversionError: the body has no such layer, or gives no features; an unknown network.
    """
    import keras

    keras.utils.set_random_seed(request["seed"])
    with np.load(folder / "images.npz", allow_pickle=False) as arrays:
        x, y, test = arrays["x"], arrays["y"], arrays["test"]
    body = _body(request)
    cut = _cut(body, request["cut"])
    low, high = _pixels(body, request["application"])
    features = keras.Model(body.inputs, cut.output, name="body")
    features.trainable = False

    image = keras.Input(tuple(request["shape"]), name="image")
    seen = image
    if (low, high) != (0.0, 255.0):
        seen = keras.layers.Rescaling((high - low) / 255, offset=low, name="pixels")(image)
    seen = features(seen, training=False)
    if len(seen.shape) == 4:
        seen = keras.layers.GlobalAveragePooling2D(name="features")(seen)
    if len(seen.shape) != 2:
        raise ConversionError(
            f"gives {list(seen.shape)}, no features of an image",
            where=f'layer "{cut.name}"',
            hint="Cut at another layer",
        )
    table = _computed(keras.Model(image, seen), x, progress)

    head = keras.layers.Dense(int(y.max()) + 1, activation="softmax", name="classes")
    taught = keras.Model(image, head(seen), name="transfer")
    learned = np.setdiff1d(np.arange(len(y)), test)
    # It learns on features of one size, whatever the body gives, and takes that into its weights afterwards.
    mean, deviation = table[learned].mean(axis=0), table[learned].std(axis=0)
    deviation[deviation < _LEAST_DEVIATION] = 1.0
    table = (table - mean) / deviation
    given = keras.Input(table.shape[1:])
    learner = keras.Model(given, head(given))
    learner.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    learner.fit(
        table[learned],
        y[learned],
        batch_size=_BATCH,
        epochs=request["epochs"],
        verbose=0,
        callbacks=[_telling(progress, request["epochs"])],
    )
    guesses = np.asarray(learner(table[test])).argmax(axis=1)
    weights, biases = head.get_weights()
    head.set_weights([weights / deviation[:, None], biases - (mean / deviation) @ weights])
    taught.save(folder / "taught.keras")
    return {
        "cut": cut.name,
        "features": int(table.shape[1]),
        "pixels": [low, high],
        "accuracy": float((guesses == y[test]).mean()),
    }


def _body(request: dict[str, Any]) -> Any:
    """The network, without what the user's images have no use for where that is known."""
    import keras

    if not request["application"]:
        return keras.saving.load_model(request["body"], compile=False, safe_mode=not request["trusted"])
    name, _, width = request["application"].partition(":")
    make = getattr(keras.applications, name, None)
    if not callable(make):
        raise ConversionError(
            "is no file, and no network of keras.applications",
            where=name,
            hint="Their names are those of Keras, such as MobileNetV2:0.35",
        )
    options = {"alpha": float(width)} if width else {}
    return make(include_top=False, weights=request["body"], input_shape=tuple(request["shape"]), **options)


def _cut(body: Any, wanted: str | None) -> Any:
    """The layer whose output are the features: the one named, or what the last classifier takes."""
    layers = list(getattr(body, "layers", []))
    names = [layer.name for layer in layers]
    if wanted is not None:
        if wanted not in names:
            last = ", ".join(names[-5:])
            raise ConversionError(
                f"the last ones are {last}", where=f'no layer "{wanted}"', hint="Name one of the body's"
            )
        return layers[names.index(wanted)]
    position, saw_dense = len(layers) - 1, False
    while position > 0 and type(layers[position]).__name__ in _OF_HEADS:
        if type(layers[position]).__name__ == "Dense":
            if saw_dense:
                break
            saw_dense = True
        position -= 1
    if not layers or position == 0:
        raise ConversionError("has no layer below its classifier", where="the body", hint="Name a layer with `cut`")
    return layers[position]


def _pixels(body: Any, application: str) -> tuple[float, float]:
    """The values that images have where the body takes them."""
    scaling = live_scaling(body)
    if scaling is not None and scaling.takes_pixels:
        return 0.0, 255.0
    name = (application or body.name).replace("_", "").lower()
    found = next((pixels for start, pixels in _PIXELS.items() if name.startswith(start)), None)
    if found is None and application:
        raise ConversionError(
            "was trained on pixels that are not known here",
            where=application,
            hint="Save it with its preprocessing in front as a .keras file",
        )
    return found if found is not None else (0.0, 1.0)


def _computed(model: Any, x: NDArray[np.uint8], progress: Share) -> NDArray[np.float32]:
    """What the frozen part gives for all images."""
    rows = []
    for start in range(0, len(x), _BATCH):
        rows.append(np.asarray(model(x[start : start + _BATCH].astype(np.float32), training=False)))
        progress(_BODYS_SHARE * min(1.0, (start + _BATCH) / len(x)))
    return np.concatenate(rows)


def _telling(progress: Share, epochs: int) -> Any:
    import keras

    def told(epoch: int, logs: Any = None) -> None:
        progress(_BODYS_SHARE + (1 - _BODYS_SHARE) * (epoch + 1) / epochs)

    return keras.callbacks.LambdaCallback(on_epoch_end=told)

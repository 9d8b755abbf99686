"""Trains a small SSD that finds handwritten digits in a picture, and leaves what `mcugen deploy` takes.

    python examples/detector/train.py
    mcugen deploy detector.tflite --data calibration.npz --eval-data test.npz --board mps3-an547

Scenes are composed: real digits of scikit-learn's set at random places, in noise. Digits of test scenes occur in no
scene of the training. Beside detector.tflite (float32, TFLite_Detection_PostProcess at its end) there are
calibration.npz, and test.npz with the true boxes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SIDE = 48
CELLS = 12
CLASSES = 10
MOST = 3
"""Digits of a scene."""
SCALES = np.array([10.0, 10.0, 5.0, 5.0], np.float32)
FOR_TRAINING = 1300
"""Of scikit-learn's 1,797 digits."""


def compose(images, labels, count: int, seed: int):
    """Scenes (count, SIDE, SIDE, 1) from 0 to 1, and boxes (count, MOST, 5): class, ymin, xmin, ymax, xmax."""
    rng = np.random.default_rng(seed)
    scenes = np.zeros((count, SIDE, SIDE, 1), np.float32)
    boxes = np.full((count, MOST, 5), -1, np.float32)
    for scene, there in zip(scenes, boxes, strict=True):
        places: list[tuple[int, int]] = []
        for _ in range(int(rng.integers(1, MOST + 1))):
            number = int(rng.integers(len(images)))
            digit = np.kron(images[number] / 16, np.ones((2, 2)))
            side = len(digit)
            free = [
                (top, left)
                for top, left in rng.integers(0, SIDE - side + 1, (20, 2)).tolist()
                if all(abs(top - t) >= side - 2 or abs(left - c) >= side - 2 for t, c in places)
            ]
            if not free:
                continue
            top, left = free[0]
            part = scene[top : top + side, left : left + side, 0]
            np.maximum(part, digit, out=part)
            rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
            corners = (top + rows[0], left + columns[0], top + rows[-1] + 1, left + columns[-1] + 1)
            there[len(places)] = (labels[number], *(corner / SIDE for corner in corners))
            places.append((top, left))
        scene += rng.normal(0, 0.05, scene.shape)
    return scenes.clip(0, 1), boxes


def anchors():
    """(CELLS², 4) of y, x, h, w: one anchor per cell."""
    middle = (np.arange(CELLS) + 0.5) / CELLS
    y, x = np.meshgrid(middle, middle, indexing="ij")
    sizes = np.full((CELLS**2, 2), (0.32, 0.26))
    return np.concatenate([np.stack([y.ravel(), x.ravel()], axis=1), sizes], axis=1).astype(np.float32)


def encode(boxes, given):
    """What is to be said of each anchor: classes (N, anchors), 0 for none, and encoded boxes (N, anchors, 4)."""
    classes = np.zeros((len(boxes), len(given)), np.int64)
    encoded = np.zeros((len(boxes), len(given), 4), np.float32)
    for n, scene in enumerate(boxes):
        for label, top, left, bottom, right in scene[scene[:, 0] >= 0]:
            y, x, height, width = (top + bottom) / 2, (left + right) / 2, bottom - top, right - left
            away = np.maximum(np.abs(given[:, 0] - y), np.abs(given[:, 1] - x))
            near = (away <= away.min() + 1e-6) | (away < 0.055)
            here = given[near]
            offsets = [(y - here[:, 0]) / here[:, 2], (x - here[:, 1]) / here[:, 3]]
            sizes = [np.log(height / here[:, 2]), np.log(width / here[:, 3])]
            classes[n, near] = int(label) + 1
            encoded[n, near] = np.stack([*offsets, *sizes], axis=1) * SCALES
    return classes, encoded


def network(filters: tuple[int, ...]):
    """Two outputs: encoded boxes (anchors, 4), and the shares of the classes (anchors, 1 + CLASSES)."""
    import keras

    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1))
    x = image
    for n, count in enumerate(filters):
        x = layers.Conv2D(count, 3, 2 if n < 2 else 1, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    boxes = layers.Reshape((CELLS**2, 4), name="boxes")(layers.Conv2D(4, 1)(x))
    shares = layers.Reshape((CELLS**2, 1 + CLASSES))(layers.Conv2D(1 + CLASSES, 1)(x))
    return keras.Model(image, [boxes, layers.Softmax(name="scores")(shares)])


def fit(model, scenes, classes, encoded, epochs: int) -> None:
    """Cross-entropy of all anchors, those of nothing counting a fifth, and Huber's loss of the boxes that are there."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(2e-3)

    @tf.function
    def step(images, wanted, places):
        with tf.GradientTape() as tape:
            found, shares = model(images, training=True)
            there = tf.cast(wanted > 0, tf.float32)
            entropy = keras.losses.sparse_categorical_crossentropy(wanted, shares)
            away = tf.abs(places - found)
            huber = tf.reduce_sum(tf.where(away < 1, away * away / 2, away - 0.5), axis=-1)
            total = tf.reduce_sum(entropy * (0.2 + 0.8 * there)) + tf.reduce_sum(huber * there)
            loss = total / tf.reduce_sum(there)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        if epoch == epochs - 2:
            optimizer.learning_rate = 4e-4
        order = rng.permutation(len(scenes))
        losses = [
            float(step(scenes[part], classes[part], encoded[part])) for part in np.array_split(order, len(order) // 50)
        ]
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}", flush=True)


def train(folder: Path, scenes: int = 6000, epochs: int = 8, filters: tuple[int, ...] = (16, 32, 48, 48, 48)) -> None:
    """Write detector.tflite, calibration.npz and test.npz into a folder."""
    import keras
    from sklearn.datasets import load_digits

    from mcugen.convert.detections import with_detections

    keras.utils.set_random_seed(1)
    digits = load_digits()
    images, labels = digits.images, digits.target
    x, y = compose(images[:FOR_TRAINING], labels[:FOR_TRAINING], scenes, 1)
    x_test, y_test = compose(images[FOR_TRAINING:], labels[FOR_TRAINING:], 200, 2)
    model, given = network(filters), anchors()
    fit(model, x, *encode(y, given), epochs)
    (folder / "detector.tflite").write_bytes(with_detections(model, given, score_threshold=0.3, scales=SCALES.tolist()))
    np.savez(folder / "calibration.npz", x=x[:200])
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())

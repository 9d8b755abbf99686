"""A CNN that reads handwritten digits, made without TensorFlow, and the same function made hard to quantize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.tflite.schema import pack_model
from tests.convert.float_models import FloatModel, S, conv, dense

FILTERS, PARTS = 12, 24
UNREAD, OUTLIER = 5, 3e4
RELU = 1


@dataclass(frozen=True, eq=False)
class Digits:
    """Weights of conv 3×3 → depthwise 3×3 → conv 1×1 → max-pool → dense, and images with labels."""

    weights: dict[str, NDArray[Any]]
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    train: NDArray[np.int64]
    test: NDArray[np.int64]

    def data(self, part: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        return {"x": self.x[part], "y": self.y[part]}


def make_digits() -> Digits:
    """Seeded random filters; the last layer is fitted to scikit-learn's digits."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[..., np.newaxis]
    weights: dict[str, NDArray[Any]] = {
        "edges": rng.normal(size=(FILTERS, 3, 3, 1)),
        "edges_bias": rng.normal(size=FILTERS) * 0.3,
        "spread": rng.normal(size=(1, 3, 3, FILTERS)) * 0.5,
        "spread_bias": rng.normal(size=FILTERS) * 0.3,
        "mix": rng.normal(size=(PARTS, 1, 1, FILTERS)) * 0.4,
        "mix_bias": rng.normal(size=PARTS) * 0.3,
    }
    weights["spread"][..., UNREAD] = 0
    order = rng.permutation(len(x))
    train, test = np.sort(order[:1200]), np.sort(order[1200:])
    hidden = _features(weights, x)
    fitted = LogisticRegression(max_iter=300, C=0.05).fit(hidden[train], digits.target[train])
    weights |= {"digit": fitted.coef_, "digit_bias": fitted.intercept_}
    return Digits({k: v.astype(np.float32) for k, v in weights.items()}, x, digits.target, train, test)


def make_hard(digits: Digits) -> Digits:
    """The same function, hard to quantize.

    Channels differ by factors of up to 2⁹ in size between every two layers. And a channel that nothing reads answers
    to a few of the brightest images with huge numbers.
    """
    rng = np.random.default_rng(2)
    w = dict(digits.weights)
    for first, axis, second in (("edges", 0, "spread"), ("spread", 3, "mix"), ("mix", 0, "digit")):
        channels = w[first].shape[axis]
        factors = np.exp2(rng.integers(-4, 6, channels)).astype(np.float32)
        shape = [1] * w[first].ndim
        shape[axis] = -1
        w[first] = w[first] * factors.reshape(shape)
        w[first + "_bias"] = w[first + "_bias"] * factors
        rows = w[second].reshape(-1, channels, 1)
        w[second] = (rows / factors[:, None]).reshape(w[second].shape)
    brightest = float(np.quantile(_windows(digits.x).mean(axis=(3, 4)), 0.9999))
    w["edges"][UNREAD], w["edges_bias"][UNREAD] = OUTLIER / 9, -OUTLIER * brightest
    return Digits(w, digits.x, digits.y, digits.train, digits.test)


def to_tflite(digits: Digits) -> bytes:
    """The model as a float `.tflite`."""
    w = digits.weights
    model = FloatModel()
    x = model.input((1, 8, 8, 1), name="image")
    x = conv(model, x, w["edges"], w["edges_bias"], (1, 8, 8, FILTERS), RELU)
    options = S.DepthwiseConv2DOptionsT(padding=0, strideW=1, strideH=1, depthMultiplier=1, fusedActivationFunction=1)
    inputs = [x, model.constant(w["spread"]), model.constant(w["spread_bias"])]
    x = model.op("DEPTHWISE_CONV_2D", inputs, (1, 8, 8, FILTERS), options=options)
    x = conv(model, x, w["mix"], w["mix_bias"], (1, 8, 8, PARTS), RELU)
    pool = S.Pool2DOptionsT(padding=1, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
    x = model.op("MAX_POOL_2D", [x], (1, 4, 4, PARTS), options=pool)
    x = model.op("RESHAPE", [x, model.constant([1, 16 * PARTS], np.int32)], (1, 16 * PARTS))
    return pack_model(model.model([dense(model, x, w["digit"], w["digit_bias"])]))


def _features(w: dict[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[Any]:
    """What the dense layer reads, (N, 16·PARTS)."""
    shifted = _windows(x)  # (N, 8, 8, 3, 3, 1)
    hidden = np.maximum(np.einsum("nyxijc,oijc->nyxo", shifted, w["edges"]) + w["edges_bias"], 0)
    hidden = np.maximum(np.einsum("nyxijc,ijc->nyxc", _windows(hidden), w["spread"][0]) + w["spread_bias"], 0)
    hidden = np.maximum(hidden @ w["mix"][:, 0, 0].T + w["mix_bias"], 0)
    pooled = hidden.reshape(len(x), 4, 2, 4, 2, -1).max(axis=(2, 4))
    return pooled.reshape(len(x), -1)


def _windows(x: NDArray[Any]) -> NDArray[Any]:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.moveaxis(views, 3, -1)

"""Scikit-learn's digits with a small network that is trained in a second, as a float `.tflite`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.convert.float_models import FloatModel, S, dense

RELU = 1


@dataclass(frozen=True, eq=False)
class Digits:
    """Samples are 64 pixels from 0 to 1. `layers` are the network's (weights, bias), weights (out, in)."""

    model: bytes
    layers: list[tuple[NDArray[Any], NDArray[Any]]]
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    def save(self, path: Path, **changes: Any) -> Path:
        """All samples as a split .npz."""
        arrays = {name: getattr(self, name) for name in ("x_train", "y_train", "x_test", "y_test")}
        np.savez(path, **{**arrays, **changes})
        return path


def network(layers: list[tuple[NDArray[Any], NDArray[Any]]], *, softmax: bool = True) -> bytes:
    """Dense layers with ReLU between them."""
    model = FloatModel()
    x = model.input((1, layers[0][0].shape[1]))
    for number, (weights, bias) in enumerate(layers):
        x = dense(model, x, weights, bias, RELU if number < len(layers) - 1 else 0)
    if softmax:
        x = model.op("SOFTMAX", [x], (1, len(layers[-1][1])), options=S.SoftmaxOptionsT(beta=1.0))
    return model.build(x)


@pytest.fixture(scope="session")
def digits() -> Digits:
    """1,437 training and 360 test samples; the network knows about 96 % of these."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    loaded = load_digits()
    x = (loaded.data / 16).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(x, loaded.target, test_size=0.2, random_state=7)
    trained = MLPClassifier((24,), max_iter=40, learning_rate_init=0.01, random_state=7, n_iter_no_change=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        trained.fit(x_train, y_train)
    layers = [
        (w.T.astype(np.float32), b.astype(np.float32)) for w, b in zip(trained.coefs_, trained.intercepts_, strict=True)
    ]
    return Digits(network(layers), layers, x_train, y_train, x_test, y_test)

"""Digits with their channels first: each image and its transpose, (N, 2, 8, 8), and a network for them in PyTorch.

`python -m tests.convert.digits_channels` trains it and writes digits.onnx beside this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONNX = Path(__file__).with_name("digits.onnx")
TRAINING = 1200


def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images / 16).astype(np.float32)
    return np.stack([images, images.transpose(0, 2, 1)], axis=1), data.target


def network() -> Any:
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.Dropout(0.1),
        nn.Conv2d(8, 12, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 4 * 4, 10),
    )


def trained(epochs: int = 6) -> Any:
    """The network in training mode, as a user's may be."""
    import torch

    x, y = (torch.from_numpy(a[:TRAINING]) for a in digits())
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(epochs):
        for batch in torch.randperm(TRAINING).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model


if __name__ == "__main__":
    import torch

    torch.onnx.export(
        trained().eval(),
        (torch.zeros(1, 2, 8, 8),),
        str(ONNX),
        input_names=["image"],
        output_names=["scores"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
    )

"""PyTorch modules, each in a small model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Build = Callable[[Any], Any]
"""From `torch.nn` to a module."""

IMAGE, SEQUENCE, VECTOR = (1, 4, 8, 8), (1, 12, 4), (1, 16)


def _on_image(make: Callable[[Any], Any], features: int) -> tuple[tuple[int, ...], Build]:
    return IMAGE, lambda nn: nn.Sequential(nn.Conv2d(4, 8, 3), make(nn), nn.Flatten(), nn.Linear(features, 3))


def _on_vector(make: Callable[[Any], Any]) -> tuple[tuple[int, ...], Build]:
    return VECTOR, lambda nn: nn.Sequential(nn.Linear(16, 8), make(nn), nn.Linear(8, 3))


def _recurrent(make: Callable[[Any], Any], features: int) -> tuple[tuple[int, ...], Build]:
    def build(nn: Any) -> Any:
        class Last(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.layer, self.head = make(nn), nn.Linear(features, 3)

            def forward(self, x: Any) -> Any:
                return self.head(self.layer(x)[0][:, -1])

        return Last()

    return SEQUENCE, build


CASES: dict[str, tuple[tuple[int, ...], Build]] = {
    "Conv1d": ((1, 4, 12), lambda nn: nn.Sequential(nn.Conv1d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3))),
    "Conv2d": _on_image(lambda nn: nn.Conv2d(8, 8, 3, padding=1), 288),
    "Conv2d, depthwise": _on_image(lambda nn: nn.Conv2d(8, 8, 3, groups=8), 128),
    "ConvTranspose2d": _on_image(lambda nn: nn.ConvTranspose2d(8, 4, 2, stride=2), 576),
    "MaxPool2d": _on_image(lambda nn: nn.MaxPool2d(2), 72),
    "AdaptiveAvgPool2d": _on_image(lambda nn: nn.AdaptiveAvgPool2d(1), 8),
    "BatchNorm2d": _on_image(lambda nn: nn.BatchNorm2d(8), 288),
    "GroupNorm": _on_image(lambda nn: nn.GroupNorm(2, 8), 288),
    "Upsample, nearest": _on_image(lambda nn: nn.Upsample(scale_factor=2), 1152),
    "Upsample, bilinear": _on_image(lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), 1152),
    "LayerNorm": _on_vector(lambda nn: nn.LayerNorm(8)),
    "PReLU": _on_vector(lambda nn: nn.PReLU(8)),
    "Hardswish": _on_vector(lambda nn: nn.Hardswish()),
    "GELU": _on_vector(lambda nn: nn.GELU()),
    "SiLU": _on_vector(lambda nn: nn.SiLU()),
    "LSTM": _recurrent(lambda nn: nn.LSTM(4, 8, batch_first=True), 8),
    "GRU": _recurrent(lambda nn: nn.GRU(4, 8, batch_first=True), 8),
}


def write(name: str, folder: Path) -> Path:
    """The case as an exported program, its weights seeded."""
    import torch

    torch.manual_seed(0)
    shape, build = CASES[name]
    path = folder / "layer.pt2"
    torch.export.save(torch.export.export(build(torch.nn).eval(), (torch.zeros(shape),)), path)
    return path

"""A Keras model without its first layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class CutModel:
    """A Keras file without its first layers, whose place a front end takes.

    Attributes:
        path: a `.keras` file.
        name: of the model.
        layers: the layers that go, by name and in order.
        again: those of them that stay behind the front end.
        probe: inputs (n, …) of the whole model.
        rows: what the front end makes of them; the layers must give the same within `tolerance`.
    """

    path: Path
    name: str
    layers: tuple[str, ...]
    again: tuple[str, ...]
    probe: NDArray[Any]
    rows: NDArray[Any]
    tolerance: float

    def write_probe(self, folder: Path) -> None:
        """For the worker."""
        np.savez(folder / "probe.npz", probe=self.probe, rows=self.rows)

    @property
    def request(self) -> dict[str, Any]:
        return {"layers": list(self.layers), "again": list(self.again), "tolerance": self.tolerance}

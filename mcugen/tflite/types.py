"""What is said of a model's inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.graph.types import Units

CHANNELS_LAST = ":channels_last"
"""End of the name of an input that took its channels first in the model that was converted."""


@dataclass(frozen=True)
class TensorSpec:
    """A model input or output: `shape` includes the batch of 1; `dtype` is a name ("float32", "int8").

    `scale` is 0 where the tensor is not quantized. `units` is set for inputs whose features come in units of their own.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    units: Units | None = None

    @property
    def was_channels_first(self) -> bool:
        """Samples may come with their channels first, as the model that was converted took them."""
        return self.name.endswith(CHANNELS_LAST)

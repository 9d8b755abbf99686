"""Recurrent Keras layers before they are converted: what inference does not need, and what nothing here runs.

Works on a loaded model's objects, and imports no Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcugen.errors import ConversionError

_RATES = ("dropout", "recurrent_dropout")


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """While this lasts, recurrent cells drop nothing, as in inference. Keras 3 draws their masks there, too."""
    changed = []
    for cell in _layers(model):
        if not hasattr(cell, "get_dropout_mask"):
            continue
        for name in _RATES:
            rate = getattr(cell, name, 0)
            if rate:
                setattr(cell, name, 0.0)
                changed.append((cell, name, rate))
    try:
        yield
    finally:
        for cell, name, rate in changed:
            setattr(cell, name, rate)


def refuse_masks(model: Any) -> None:
    """Refuse a layer that leaves out steps of a sequence by their values.

    Raises:
        ConversionError: with the layer's name.
    """
    for layer in _layers(model):
        if type(layer).__name__ == "Masking":
            raise ConversionError(
                "leaves out the steps of a sequence that hold nothing but the mask's value, which no runtime here does",
                where=f'layer "{layer.name}" (Masking)',
                hint="Remove it, and train with the padding as it is, or with sequences of one length",
            )


def _layers(model: Any) -> list[Any]:
    """The model's layers, those inside of others too."""
    flatten = getattr(model, "_flatten_layers", None)
    return list(flatten(recursive=True, include_self=True)) if flatten is not None else []

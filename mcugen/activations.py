"""What a quantized model computes with."""

from __future__ import annotations

from typing import Literal

Activations = Literal["int8", "int16"]
"""Weights are int8 with both."""

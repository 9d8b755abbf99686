"""Defaults that functions and commands share."""

from __future__ import annotations

EVAL_SAMPLES = 2000
"""Samples that a model is judged by on the host, unless the user says otherwise."""
SAMPLES_ON_DEVICE = 100
"""How many of them run on the device, too: enough for a figure, and minutes at most in an emulator."""

"""What the labels of samples are."""

from __future__ import annotations

from typing import Literal

TaskName = Literal["classification", "regression"]
"""Class numbers, or real values that the outputs should have."""

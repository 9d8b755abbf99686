"""What a plan is best at."""

from __future__ import annotations

from typing import Literal, get_args

Goal = Literal["speed", "size", "ram"]
"""Few instructions, little code, or a small arena."""

GOALS: tuple[Goal, ...] = get_args(Goal)

"""`assert_accuracy_above`: what it says when a device gets too few samples right."""

from __future__ import annotations

from typing import Any

import pytest

from mcugen.testing import DeviceUnderTest, assert_accuracy_above


class Judged(DeviceUnderTest):
    """A device whose accuracy is known."""

    def __init__(self) -> None:
        pass

    def accuracy(self, data: Any, samples: int = 100) -> tuple[float, int]:
        assert data == "eval.npz"
        return 0.915, samples


def test_enough_is_enough() -> None:
    assert_accuracy_above(Judged(), 0.915, "eval.npz")


def test_too_little_is_said_in_percent() -> None:
    with pytest.raises(AssertionError, match=r"^the device gets 91\.50 % of 1,000 samples right, not 92\.00 %$"):
        assert_accuracy_above(Judged(), 0.92, "eval.npz", samples=1000)


@pytest.mark.parametrize("limit", [95, -0.1])
def test_a_percentage_is_no_share(limit: float) -> None:
    with pytest.raises(ValueError, match=r"is not a share of samples: 0\.95 means 95 %"):
        assert_accuracy_above(Judged(), limit, "eval.npz")

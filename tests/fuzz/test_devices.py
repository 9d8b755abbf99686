"""Hostile devices, a short run; `make fuzz` does thousands."""

from __future__ import annotations

import pytest

from tests.fuzz import devices


@pytest.mark.parametrize("seed", range(2))
def test_hostile_devices_end_in_errors_or_answers(seed: int) -> None:
    found = devices.attack(seed, 150)
    assert found.faults == []
    assert found.ended["answered"] > 0
    assert found.ended["DeviceError"] > 0

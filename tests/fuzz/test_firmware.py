"""Hostile bytes for the firmware's harness, a short run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fuzz import firmware


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return firmware.build(tmp_path_factory.mktemp("harness"))


def test_the_harness_stands_hostile_bytes(server: Path) -> None:
    found = firmware.attack(server, 0, 12)
    assert found.faults == []
    assert found.requests == 12 * firmware.PER_PROCESS


def test_an_end_of_the_harness_is_noticed(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a sanitizer's would be."""

    def killed(_rng: object, _session: int) -> bytes:
        raise BrokenPipeError("the program ended")

    monkeypatch.setattr(firmware, "hostile", killed)
    assert "the program ended" in firmware.attack(server, 0, 1).faults[0]

"""Hostile bytes for the firmware's harness, a short run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fuzz import firmware

needs_clang = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return firmware.build(tmp_path_factory.mktemp("harness"))


def test_the_harness_stands_hostile_bytes(server: Path) -> None:
    found = firmware.attack(server, 0, 12)
    assert found.faults == []
    assert found.requests == 12 * firmware.PER_PROCESS


@needs_clang
def test_libfuzzer_finds_nothing(tmp_path: Path) -> None:
    found = firmware.search(tmp_path, 0, 50_000)
    assert found.faults == []
    assert found.requests == 50_000


@needs_clang
@pytest.mark.parametrize(
    "twin",
    [
        ("offset > t->bytes || bytes > t->bytes - offset", "offset > t->bytes"),
        ("if (length < HEADER_BYTES + CRC", "if (0 && length < HEADER_BYTES + CRC"),
    ],
    ids=["longer than the input", "shorter than a frame"],
)
def test_libfuzzer_finds_what_is_broken(twin: tuple[str, str], tmp_path: Path) -> None:
    """In twins of the harness without a check."""
    found = firmware.search(tmp_path, 0, 1_000_000, twin=twin)
    assert "AddressSanitizer" in found.faults[0] or "runtime error: " in found.faults[0]


def test_an_end_of_the_harness_is_noticed(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a sanitizer's would be."""

    def killed(_rng: object, _session: int) -> bytes:
        raise BrokenPipeError("the program ended")

    monkeypatch.setattr(firmware, "hostile", killed)
    assert "the program ended" in firmware.attack(server, 0, 1).faults[0]

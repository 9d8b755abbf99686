"""What this reference is called in reports."""

from __future__ import annotations

VERSION = 1
"""Counts the changes of results."""

NAME = f"mcugen-reference {VERSION}"

PROVED_BY = "tflite-micro 0.dev20261023182759"
PROVED_OPS, PROVED_CASES = 99, 3300
"""What it was proved equal to; tests/conformance holds them true."""


def described() -> str:
    """Name, version, and what speaks for it."""
    return f"{NAME} (proved equal to {PROVED_BY} on {PROVED_CASES:,} cases of {PROVED_OPS} ops)"

"""The command line and the small project of the command line's tests."""

from __future__ import annotations

from tests.cli.conftest import cli, project

__all__ = ["cli", "project"]

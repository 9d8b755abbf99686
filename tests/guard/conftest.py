"""Shared by the tests of the guard and of conversion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcugen.convert.worker_client import WorkerAnswer
from mcugen.errors import ConversionError, McugenError


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's job is done here, which saves the start of TensorFlow for each of many files."""
    from mcugen.convert.worker import _do

    def run(folder: Path, request: dict[str, Any], **_options: Any) -> WorkerAnswer:
        try:
            return WorkerAnswer(_do(folder, json.loads(json.dumps(request)), lambda _share: None))
        except McugenError as error:
            raise ConversionError(error.what, where=error.where, hint=error.hint) from None

    for module in ("load", "quantize_16x8"):
        monkeypatch.setattr(f"mcugen.convert.{module}.run_worker", run)


@pytest.fixture(autouse=True)
def _as_users_start_it(cold: None) -> None:
    """What stands in the way of a hostile model is all of the worker, from its first line."""

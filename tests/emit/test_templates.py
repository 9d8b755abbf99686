"""Compiled templates are kept in the user's cache, where only the user writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcugen.emit import templates


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path))
    templates._environment.cache_clear()
    yield tmp_path / "templates"
    templates._environment.cache_clear()


def compiled() -> object:
    """The environment anew, as in another process."""
    templates._environment.cache_clear()
    return templates._environment().bytecode_cache


def test_they_are_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates._environment().get_template("common/model_interface.h.j2")
    (kept,) = folder.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    environment = templates._environment
    environment.cache_clear()
    monkeypatch.setattr(environment(), "compile", lambda *_, **__: pytest.fail("compiled again"))
    environment().get_template("common/model_interface.h.j2")
    assert list(folder.iterdir()) == [kept]


def test_others_may_not_write_there(folder: Path) -> None:
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert compiled() is None
    folder.chmod(0o700)
    assert compiled() is not None


def test_without_a_cache_they_are_compiled_each_time(folder: Path) -> None:
    folder.write_text("no folder")
    assert compiled() is None
    templates._environment().get_template("common/model_interface.h.j2")

"""Damaged files, a short run; `make fuzz` does fifty thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import files


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_are_read_or_refused_in_a_sentence(seed: int, tmp_path: Path) -> None:
    found = files.attack(tmp_path, seed, 900)
    assert found.faults == []
    assert all(found.refused[name] > 0 for name in found.tried), found.refused


def test_sound_files_are_read(tmp_path: Path) -> None:
    """Otherwise nothing would be proved by refusals."""
    sound = [kind for kind in files.formats(tmp_path) if kind.name not in ("pt2", "search", "labels")]
    for kind in sound:
        path = tmp_path / "sound" / kind.file
        path.parent.mkdir()
        path.write_bytes(kind.content)
        kind.read(path)
        for each in sorted(path.parent.rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() and not each.is_symlink() else each.unlink()
        path.parent.rmdir()

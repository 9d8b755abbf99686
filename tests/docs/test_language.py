"""Phrases that read as translated stay out of messages, help texts, templates and documentation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PHRASES = {
    r"\b[Ll]eave\b[^.\n]{1,40}\baway\b": "omit",
    r"which it cannot be": "is not allowed here; expected …",
    r"\bwants? (?:flashing|to be flashed)": "must be flashed",
    r"\btells? of\b": "reports, lists",
    r"[Ww]hat would work": "alternatives",
    r"\bthere is no verdict with\b": "at least one … is needed",
    r"\b(?:is|are) no (?:number|address|image|image|permutation of the)\b": "is not a …",
    r"\bunless told\b|\bbeing told\b": "by default",
    r"\bfound out\b": "results, detected",
    r"\bhalves go away\b": "ties round away from zero",
}
"""A pattern, and what to write instead."""

FOLDERS = ("mcugen/", "templates/", "firmware/", "docs/", "README.md", "CONTRIBUTING.md", "SECURITY.md")


def shipped() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    files = [ROOT / name for name in listed if name.startswith(FOLDERS)]
    return [path for path in files if path.suffix in {".py", ".md", ".j2", ".h", ".c", ".cpp", ".js", ".toml"}]


def test_phrases_that_read_as_translated_are_gone() -> None:
    files = shipped()
    if not files:
        pytest.skip("this is not a checkout with git")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group(0)!r}; write: {better}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for pattern, better in PHRASES.items()
        if (match := re.search(pattern, line))
    ]
    assert not found, "\n" + "\n".join(found)

"""What `--help` shows: what a first user needs first, in groups, and no types where they say nothing."""

from __future__ import annotations

import re

import pytest

from mcugen.verbs import verb_names
from tests.cli.conftest import Cli

FIRST = ["--board", "--data", "--out", "--port", "--report", "--verbose", "--json", "--help"]
GROUPS = ["Arguments", "Options", "Board and device", "Output", "Model and quantization", "Verification", "Accuracy"]
ADVANCED = ["Search for the best quantization (--auto)", "TensorFlow Lite Micro (--runtime tflm)", "Advanced"]
TWO_SCREENS = 100


@pytest.fixture
def deploy(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of `deploy --help` on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return cli("deploy", "--help").out.splitlines()


def test_options_stand_in_groups(deploy: list[str]) -> None:
    titles = [match[1] for line in deploy if (match := re.match(r"╭─ (.+?) ─+╮", line))]
    assert titles == [*GROUPS, *ADVANCED]


def test_what_a_first_user_needs_comes_first(deploy: list[str]) -> None:
    start, end = (next(n for n, line in enumerate(deploy) if f"─ {title} ─" in line) for title in GROUPS[1:3])
    names = [match[1] for line in deploy[start:end] if (match := re.match(r"│ [* ]  (--[a-z-]+)", line))]
    assert names == FIRST


def test_two_screens_hold_all_but_the_advanced(deploy: list[str]) -> None:
    assert next(n for n, line in enumerate(deploy) if ADVANCED[0] in line) <= TWO_SCREENS


@pytest.mark.parametrize("verb", ["", *verb_names()])
def test_no_types_of_flags(cli: Cli, verb: str) -> None:
    text = cli(*filter(None, [verb]), "--help").out
    assert "--help" in text
    assert "<bool>" not in text

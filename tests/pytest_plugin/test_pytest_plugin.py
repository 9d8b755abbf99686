"""The pytest plugin in somebody else's test suite: fixtures, budgets, and what their failures say."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from mcugen.flow.estimating import OFF
from mcugen.testing import Outputs
from tests.cli.conftest import BOARD, int8_model

pytest_plugins = "pytester"

SUITE = """
import numpy as np
import pytest
from mcugen.testing import (
    assert_cycles_below, assert_flash_below, assert_instructions_below, assert_ram_below, assert_time_below
)

X = np.linspace(-2, 2, 18, dtype=np.float32).reshape(3, 6)

def test_equal(mcugen_device, mcugen_oracle):
    assert mcugen_device.run(X) == mcugen_oracle(X)
    assert len(mcugen_device.run(X)[0]) == 3

def test_differs(mcugen_device, mcugen_oracle):
    assert mcugen_device.run(X) == mcugen_oracle(-X)

def test_generous(mcugen_firmware, mcugen_device):
    assert_flash_below(mcugen_firmware, 64 * 1024)
    assert_ram_below(mcugen_firmware, 64 * 1024)
    assert_instructions_below(mcugen_device, 100_000, X)
    assert_cycles_below(mcugen_device, 150_000, X)

def test_flash(mcugen_firmware):
    assert_flash_below(mcugen_firmware, 100)

def test_ram(mcugen_firmware):
    assert_ram_below(mcugen_firmware, 100)

def test_instructions(mcugen_device):
    assert_instructions_below(mcugen_device, 10)

def test_cycles(mcugen_device):
    assert_cycles_below(mcugen_device, 10)

def test_time(mcugen_device):
    assert_time_below(mcugen_device, 10)

def test_reset(mcugen_device, mcugen_oracle):
    mcugen_device.reset()
    mcugen_oracle.reset()
    assert mcugen_device.run(X[0]) == mcugen_oracle(X[0])
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "model.tflite").write_bytes(int8_model())
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    installed = {entry.name for entry in importlib.metadata.entry_points(group="pytest11")}
    # A checkout that is not installed has no entry points.
    plugin = () if "mcugen" in installed else ("-p", "mcugen.pytest_plugin")
    return suite.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *options)


@pytest.mark.emulator
def test_suite_on_the_emulator(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFF, raising=False)
    suite.makepyfile(SUITE)
    result = run(suite, "--mcugen-model", "model.tflite", "--mcugen-board", BOARD)
    result.assert_outcomes(passed=3, failed=6)
    lines = result.stdout
    lines.re_match_lines_random(
        [
            r".*output 0: \d+ of 12 values differ",
            r".*AssertionError: flash takes [\d,]+ B, [\d,]+ more than 100 \(code [\d,]+, weights [\d,]+, harness .*\)",
            r".*AssertionError: RAM takes [\d,]+ B, [\d,]+ more than 100 \(arena .*\)",
            r".*AssertionError: an inference takes [\d,]+ instructions, [\d,]+ more than 10 .*",
            r".*AssertionError: an inference takes [\d,]+ cycles, [\d,]+ more than 10 \(nominal, [\d,]+ to [\d,]+\)",
            r".*AssertionError: the time is not known, 10 ms are allowed: the board file does not say .*",
        ]
    )
    assert "mcugen/testing.py" not in str(lines), "a failed budget shows the user's line, not ours"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no model: give --mcugen-model"),
        (["--mcugen-model", "nowhere.tflite", "--mcugen-board", BOARD], "nowhere.tflite"),
        (["--mcugen-model", "model.tflite"], "no board was given"),
        (["--mcugen-model", "model.tflite", "--mcugen-board", "mps9"], "unknown board"),
    ],
)
def test_mistakes_are_one_sentence(suite: pytest.Pytester, options: list[str], said: str) -> None:
    suite.makepyfile("def test_it(mcugen_firmware): pass")
    result = run(suite, *options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{said}*"])
    assert "Traceback" not in str(result.stdout)
    assert "mcugen/" not in str(result.stdout), "no line of mcugen's own code"


def test_settings_in_the_ini_file_and_wrong_options(suite: pytest.Pytester) -> None:
    suite.makeini(f"[pytest]\nmcugen_model = model.tflite\nmcugen_board = {BOARD}\n")
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def mcugen_options():
            return {"optimise": "size"}

        def test_model(mcugen_model):
            assert mcugen_model == "model.tflite"

        def test_build(mcugen_firmware): pass
        """
    )
    result = run(suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*mcugen_options does not take optimise*"])


def test_a_session_without_mcugen_loads_nothing_of_it(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import sys

        def test_it():
            assert [1] == [1]
            loaded = {name for name in sys.modules if name.startswith("mcugen.")} - {"mcugen.pytest_plugin"}
            assert not loaded
            assert "numpy" not in sys.modules
        """
    )
    run(suite).assert_outcomes(passed=1)


def test_outputs_are_equal_in_every_bit_only() -> None:
    def of(values: object, dtype: str = "f4") -> Outputs:
        return Outputs([[np.array(values, dtype)]])

    assert of([0.0, np.nan]) == of([0.0, np.nan])
    assert of([0.0]) != of([-0.0])
    assert of([1], "i1") != of([1], "u1")
    assert of([1, 2], "i1") != of([[1, 2]], "i1")
    assert of([1], "i1") != [np.array([1], "i1")]
    assert of([1, 2], "i1").differences(of([1, 3], "i1")) == [
        "output 0: 1 of 2 values differ",
        "  at [0, 1]: 2 against 3",
    ]


def test_entry_point_is_declared() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nmcugen = "mcugen.pytest_plugin"' in text

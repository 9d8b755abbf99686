"""A board's flash, fitted to what the board told: by synthetic layers, and by a board whose flash is known."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.cost.calibration import calibrated, fit_waits, keep_calibration, read_calibration
from mcugen.cost.estimate import measured
from mcugen.cost.measurements import MOST, MeasuredOp, Measurement, front_of, keep_measurement, measurements
from mcugen.errors import BoardError
from mcugen.flow import estimating
from mcugen.flow.estimating import OFF, estimate_planned, estimate_run
from mcugen.flow.model import load_model, plan_per_board
from mcugen.flow.proof import Cost
from mcugen.flow.ready import built_temporarily
from mcugen.progress import no_progress
from mcugen.ui.cost import time_text
from mcugen.ui.terminal import make_console
from mcugen.verbs import calibrate as verb
from tests import zoo
from tests.schemas import check

BOARD = load_board("nucleo-l4r5zi")
COUNTS = [(90_000, 4000, 900), (41_000, 150, 2600), (700_000, 9000, 31_000), (5_200, 60, 410), (12_000, 800, 5)]
"""Of five layers: core cycles, reads apart, reads in sequence."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def told(apart: float, in_sequence: float, name: str = "kws", board: Board = BOARD) -> Measurement:
    """What a board tells whose reads wait so."""
    ops = tuple(MeasuredOp(round(core + apart * a + in_sequence * s), core, a, s) for core, a, s in COUNTS)
    cycles = sum(op.cycles for op in ops)
    return Measurement(name, name, "aot", "0", board.clock_hz, front_of(board), cycles, cycles * 0.9, ops)


@given(st.floats(0.5, 40), st.floats(0, 1))
def test_known_waits_are_found(apart: float, share: float) -> None:
    fitted = fit_waits(BOARD, [told(apart, apart * share)])
    assert (fitted.apart, fitted.in_sequence) == pytest.approx((apart, apart * share), abs=0.05)
    assert (fitted.low, fitted.mean, fitted.high) == pytest.approx((1, 1, 1), rel=1e-3)
    assert (fitted.ops, fitted.models) == (5, 1)


def test_a_line_in_sequence_waits_no_longer_than_another_and_none_less_than_nothing() -> None:
    fitted = fit_waits(BOARD, [told(2, 9)])
    assert fitted.apart == fitted.in_sequence, "one wait for all is the best that a flash can do"
    assert 2 < fitted.apart < 9
    faster = replace(told(0, 0), ops=tuple(replace(op, cycles=round(0.9 * op.core)) for op in told(0, 0).ops))
    assert (fit_waits(BOARD, [faster]).apart, fit_waits(BOARD, [faster]).in_sequence) == (0, 0)
    assert fit_waits(BOARD, [faster]).low == pytest.approx(1 / 0.9, rel=0.01)


def test_errors_that_are_left_become_the_bounds() -> None:
    slow = replace(told(5, 2, "slow"), ops=tuple(replace(op, cycles=round(op.cycles * 1.2)) for op in told(5, 2).ops))
    fitted = fit_waits(BOARD, [told(5, 2), slow])
    assert fitted.low < 1 < fitted.high
    assert fitted.models == 2
    assert fitted.low == pytest.approx(fitted.high / 1.2, rel=1e-3)


def test_too_little_to_fit_to() -> None:
    with pytest.raises(
        BoardError, match="board nucleo-l4r5zi: 0 layers were measured on it, at least 4 of 1000 cycles"
    ):
        fit_waits(BOARD, [])
    one = told(5, 2)
    with pytest.raises(BoardError, match="3 layers were measured"):
        fit_waits(BOARD, [replace(one, ops=(*one.ops[:3], MeasuredOp(999, 900, 9, 9)))])
    with pytest.raises(BoardError, match="no read of these layers waits for the flash"):
        fit_waits(BOARD, [replace(one, ops=tuple(replace(op, apart=0, in_sequence=0) for op in one.ops))])
    with pytest.raises(BoardError, match="there is nothing to calibrate: no timing of the cortex-m7 is published"):
        api.calibrate("teensy41")
    with pytest.raises(BoardError, match=r"`api.verify\(DIR, port=PORT\)`"):
        api.calibrate("nucleo-l4r5zi")


def test_what_is_kept_is_the_last_of_each_model_and_of_the_board_as_it_is() -> None:
    for name in ("kws", "vww", "kws"):
        keep_measurement(BOARD, told(5, 2, name))
    assert [each.model for each in measurements(BOARD)] == ["vww", "kws"]
    slower = replace(BOARD, clock_hz=80_000_000)
    assert measurements(slower) == []
    keep_calibration(BOARD, fit_waits(BOARD, measurements(BOARD)))
    assert calibrated(BOARD)[1] is not None
    assert calibrated(slower) == (slower, None)
    for number in range(MOST + 5):
        keep_measurement(BOARD, told(5, 2, str(number)))
    assert len(measurements(BOARD)) == MOST


@pytest.mark.parametrize(
    "change",
    [
        {"apart": -1},
        {"in_sequence": 6},
        {"low": 0},
        {"mean": "x"},
        {"apart": float("nan")},
        {"ops": None},
        {"front": ""},
    ],
)
def test_a_damaged_calibration_is_none(change: dict[str, object], cache: Path) -> None:
    path = keep_calibration(BOARD, fit_waits(BOARD, [told(5, 2)]))
    assert path.parent == cache / "calibrated"
    assert read_calibration(BOARD) is not None
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert read_calibration(BOARD) is None
    path.write_text("[" * 100_000)
    assert read_calibration(BOARD) is None


@pytest.mark.parametrize("line", ["{", "[]", '{"model": 1}', "[" * 100_000])
def test_damaged_lines_are_left_out(line: str, cache: Path) -> None:
    keep_measurement(BOARD, told(5, 2))
    path = cache / "measured" / "nucleo-l4r5zi.jsonl"
    negative = path.read_text().replace('"apart": 150', '"apart": -150')
    assert negative != path.read_text()
    path.write_text(f"{line}\n{negative}{path.read_text()}")
    assert measurements(BOARD) == [told(5, 2)]


@pytest.mark.emulator
def test_a_board_whose_flash_is_slower_than_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The board tells what the model gives for a flash of 9 and 7 cycles, where its file says 5 and 2."""
    monkeypatch.delenv(OFF, raising=False)
    model = load_model(zoo.path("ds_cnn"))
    planned = plan_per_board(model, [BOARD], "balanced")
    assert BOARD.timing is not None
    slow = replace(BOARD, timing=replace(BOARD.timing, miss=(9, 9, 9), hidden=(2, 2, 2)))
    before = estimate_planned(model, planned)[0]
    really = estimate_planned(model, [(slow, planned[0][1])])[0]
    assert before.cycles is not None
    assert really.cycles is not None
    with built_temporarily(model, planned[0][1], BOARD, None, no_progress) as ready:
        ops = tuple(round(op.cycles.nominal) for op in really.per_op)
        cost = Cost("cycles", 0, round(really.cycles.nominal), ops, 0)
        found = estimate_run(ready, cost, [], "hardware", None)
    assert found.method == "measured"
    assert found.predicted == before.cycles
    error = 100 * (before.cycles.nominal / really.cycles.nominal - 1)
    assert error < -2
    assert time_text(found).endswith(f"ms ({error:+.1f} %)")

    result = api.calibrate("nucleo-l4r5zi")
    facts = check(result.to_dict())
    assert facts["calibration"]["apart"] == pytest.approx(9, rel=0.02)
    assert facts["calibration"]["in_sequence"] == pytest.approx(7, rel=0.02)
    stream = io.StringIO()
    verb._show(make_console(stream), result)
    assert f"{error:+.1f} %" in stream.getvalue()
    assert "5 by the board file" in stream.getvalue()

    after = estimate_planned(model, planned)[0]
    assert after.cycles is not None
    assert after.cycles.nominal == pytest.approx(really.cycles.nominal, rel=0.005)
    assert after.cycles.high < before.cycles.high * really.cycles.nominal / before.cycles.nominal, "bounds are its own"
    assert time_text(after).count(", calibrated") == 1
    assert measured(BOARD, 1, []).predicted is None

    api.calibrate("nucleo-l4r5zi", forget=True)
    assert estimate_planned(model, planned)[0].cycles == before.cycles
    assert measurements(BOARD) == []


def test_without_traces_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFF, "no")
    model = load_model(zoo.path("ds_cnn"))
    planned = plan_per_board(model, [BOARD], "balanced")
    kept: list[object] = []
    monkeypatch.setattr(estimating, "keep_measurement", lambda *given: kept.append(given))
    with built_temporarily(model, planned[0][1], BOARD, None, no_progress) as ready:
        found = estimate_run(
            ready, Cost("cycles", 0, 5, tuple(5 for _ in planned[0][1].steps), 0), [], "hardware", None
        )
    assert found.predicted is None
    assert kept == []
    assert "predicted" not in time_text(found)

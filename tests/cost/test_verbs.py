"""What `verify`, `deploy`, `inspect`, `fit`, `sweep`, `monitor` and `doctor` say of cycles, time and energy."""

from __future__ import annotations

import contextvars
import io
from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.cost.estimate import Estimate, instructions_only, measured
from mcugen.cost.limit import TimeLimit, check_limit
from mcugen.cost.types import Bounds
from mcugen.errors import BoardError
from mcugen.flow import estimating
from mcugen.flow.estimating import OFF
from mcugen.flow.model import load_model, plan_per_board
from mcugen.ui.cost import count, energy_text, rounded, spread, time_text
from mcugen.ui.inspection import show_inspection
from mcugen.ui.proof import show_proof
from mcugen.ui.terminal import make_console
from tests import zoo
from tests.schemas import check

pytestmark = pytest.mark.emulator
BOARD = "netduinoplus2"


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFF, raising=False)


@pytest.fixture(scope="module")
def model() -> Path:
    return zoo.path("ds_cnn")


def test_verify_tells_cycles_and_time_and_keeps_to_a_limit(model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    proof = api.verify(model, board=BOARD, samples=2, max_ms=1000.0, report=page)
    facts = check(proof.to_dict())
    cost = facts["cost"]
    assert cost["method"] == "model"
    assert cost["why"] == ""
    assert cost["traced_on"] == BOARD
    assert 0 < cost["wait_cycles"]["low"] <= cost["wait_cycles"]["nominal"] < cost["cycles"]["nominal"]
    assert cost["cycles"]["low"] < cost["cycles"]["nominal"] < cost["cycles"]["high"]
    assert cost["cycles"]["nominal"] > cost["invoke"]
    hz = load_board(BOARD).clock_hz
    assert cost["time_ms"]["nominal"] == pytest.approx(1000 * cost["cycles"]["nominal"] / hz, abs=1e-3)
    assert cost["energy_uj"] is None, "nobody published this board's power"
    ops = sum(op["cycles"]["nominal"] for op in cost["per_op"])
    assert ops == pytest.approx(cost["cycles"]["nominal"], rel=0.01)
    assert facts["time_limit"]["passed"]
    assert proof.exit_code == 0
    assert "Where the" in page.read_text()
    assert f">{cost['cycles']['nominal']:,}<" in page.read_text()


def test_a_board_without_emulator_is_timed_on_the_twin_of_its_core(model: Path, tmp_path: Path) -> None:
    proof = api.deploy(model, board="nrf52840-dk", flash=False, out=tmp_path / "out", max_ms=0.5)
    assert proof.exit_code == 1
    facts = check(proof.to_dict())
    assert facts["verify"] is None
    assert facts["cost"]["init"] is None
    assert facts["cost"]["traced_on"] == "mps2-an386"
    assert facts["cost"]["invoke"] > 0
    assert not facts["time_limit"]["passed"]
    assert "0.5 ms are allowed" in facts["time_limit"]["text"]
    stream = io.StringIO()
    show_proof(make_console(stream), proof)
    assert "✖ an inference takes about" in stream.getvalue()


def test_inspect_tells_cycles_and_time_with_and_without_an_emulator(model: Path) -> None:
    emulated = api.inspect(model, board=BOARD, measure=True)
    facts = check(emulated.to_dict())
    assert facts["cost"]["invoke"] == pytest.approx(facts["estimate"]["instructions"], abs=8)
    ops = [op["cycles"]["nominal"] for op in facts["ops"]]
    assert sum(ops) == pytest.approx(facts["estimate"]["cycles"]["nominal"], rel=0.01)
    sold = api.inspect(model, board="nucleo-l4r5zi", measure=True)
    facts = check(sold.to_dict())
    assert facts["cost"] is None, "nothing ran on the board"
    assert facts["estimate"]["traced_on"] == "mps2-an386"
    assert facts["estimate"]["energy_uj"]["nominal"] > 0
    stream = io.StringIO()
    show_inspection(make_console(stream), sold)
    shown = " ".join(stream.getvalue().split())
    assert f" on nucleo-l4r5zi at 120 MHz · {energy_text(sold.estimated.energy_uj)}" in shown
    assert f"{round(sold.estimated.per_op[0].cycles.nominal):,}" in shown
    with pytest.raises(BoardError, match="nucleo-h743zi: QEMU does not model this board"):
        api.inspect(model, board="nucleo-h743zi", measure=True)


def test_sweep_and_monitor_tell_time(model: Path, tmp_path: Path) -> None:
    swept = api.sweep([model], boards=[BOARD, "mps3-an547"], out=tmp_path / "sweep", samples=1)
    timed, untimed = swept.outcomes
    assert timed.cycles > timed.cost
    assert timed.time_ms == pytest.approx(1000 * timed.cycles / load_board(BOARD).clock_hz, abs=1e-3)
    assert (untimed.cycles, untimed.time_ms) == (0, 0.0)
    assert api.sweep([model], boards=[BOARD], out=tmp_path / "sweep", samples=1).outcomes == (timed,)
    watched = check(api.monitor(model, board=BOARD, count=2).to_dict())
    cost = watched["devices"][0]["cost"]
    assert cost["time_ms"] == pytest.approx(timed.time_ms, rel=0.01)
    assert cost["energy_uj"] is None


def test_fit_tells_the_time_of_every_board_whose_core_has_a_timing(model: Path) -> None:
    boards = ("nucleo-l4r5zi", "nucleo-f446re", "teensy41", "mps2-an386")
    result = api.fit(model, boards=boards, max_ms=0.1)
    assert result.exit_code == 1
    facts = check(result.to_dict())
    assert facts["good"] == []
    costs = {board["board"]: board["cost"] for board in facts["candidates"][0]["boards"]}
    nucleo, other, teensy, mps2 = (costs[board] for board in boards)
    assert nucleo["instructions"] == other["instructions"] == mps2["instructions"]
    assert nucleo["cycles"]["nominal"] > other["cycles"]["nominal"] > mps2["cycles"]["nominal"], (
        "smaller caches wait more"
    )
    milliwatts = nucleo["energy_uj"]["nominal"] / nucleo["time_ms"]["nominal"]
    assert milliwatts == pytest.approx(42.0, rel=0.01)
    assert teensy["method"] == "instructions only"
    assert "no timing of the cortex-m7 is published" in teensy["why"]
    assert mps2["time_ms"] is None
    assert "does not say how long its flash takes" in mps2["why"]
    result = api.fit(model, boards=["nucleo-l4r5zi"], cycles=False)
    assert result.candidates[0].estimates == ()
    with pytest.raises(BoardError, match="times are not told with `cycles=False`"):
        api.fit(model, boards=["nucleo-l4r5zi"], cycles=False, max_ms=4)


def test_without_a_trace_the_reason_is_said(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mcugen.cost import plugin

    def none() -> str:
        raise plugin.ToolError(plugin.NO_COMPILER)

    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(plugin, "host_compiler", none)
    proof = api.verify(model, board=BOARD, samples=1, max_ms=1000.0)
    facts = check(proof.to_dict())
    assert facts["cost"]["method"] == "instructions only"
    assert "no C compiler for this computer was found" in facts["cost"]["why"]
    assert facts["cost"]["cycles"] is None
    assert proof.verdict.bit_exact
    assert proof.exit_code == 1, "a limit that nothing can be compared with is not kept"
    assert proof.limit is not None
    assert "the time is not known" in proof.limit.text
    finding = next(each for each in api.doctor().findings if each.name == "counting plugin")
    assert not finding.found
    assert "no C compiler" in finding.problem
    monkeypatch.setenv(OFF, "no")
    switched_off = api.verify(model, board=BOARD, samples=1).to_dict()["cost"]
    assert switched_off["why"] == f"traces are switched off ({OFF}=no)"


def test_limits_that_cannot_be_judged_are_refused_at_once() -> None:
    with pytest.raises(BoardError, match="no timing of the cortex-m7 is published"):
        check_limit(5, load_board("teensy41"), measures=False)
    with pytest.raises(BoardError, match="does not say how long its flash takes"):
        check_limit(5, load_board("microbit"), measures=False)
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(BoardError, match="is no time"):
            check_limit(wrong, load_board(BOARD), measures=False)
    check_limit(5, load_board("teensy41"), measures=True)
    check_limit(None, load_board("teensy41"), measures=False)


def test_a_limit_between_nominal_and_high_is_kept_with_a_word() -> None:
    limit = TimeLimit(40, Bounds(30, 39, 41))
    assert limit.passed
    assert limit.text == "an inference takes about 39 ms, 40 ms are allowed; it may take up to 41 ms"
    assert not TimeLimit(38.9, Bounds(30, 39, 41)).passed
    assert not TimeLimit(40, None, "so").passed


def test_what_a_board_measured_is_exact() -> None:
    board = load_board("nucleo-l4r5zi")
    found = measured(board, 1_200_000, (200_000, 1_000_000))
    assert found.time_ms == Bounds(10, 10, 10)
    assert found.per_op[0].cycles == Bounds(200_000, 200_000, 200_000)
    assert time_text(found) == "10.0 ms on nucleo-l4r5zi at 120 MHz, measured · ≈ 420 µJ (387 to 438)"
    assert instructions_only(board).to_dict()["cycles"] is None


def test_figures_are_written_with_three_digits() -> None:
    assert [rounded(each) for each in (0.0123, 0.999, 4.512, 49.04, 99.96, 765.4, 1234.5)] == [
        "0.0123", "0.999", "4.51", "49.0", "100", "765", "1,234",
    ]  # fmt: skip
    assert [count(each) for each in (12, 452_248, 5_880_259, 2.4e9)] == ["12", "452 k", "5.88 M", "2.40 G"]
    assert spread(Bounds(48.3, 49.0, 50.3), " ms") == "≈ 49.0 ms (48.3 to 50.3)"
    assert spread(Bounds(48.3, 49.0, 50.3), " ms", bounds=False) == "≈ 49.0 ms"
    assert spread(Bounds(49, 49, 49), " ms") == "≈ 49.0 ms"
    assert energy_text(Bounds(1900, 2058, 2200)) == "≈ 2.06 mJ (1.90 to 2.20)"
    found = Estimate("b", "cortex-m7", 1, "instructions only", "so")
    assert time_text(found) == "not known: so"


def test_twins_are_built_with_what_holds_while_the_verb_runs(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Custom ops are known to the thread that runs the verb; others would build the model without them."""
    holds = contextvars.ContextVar("holds", default="nothing")
    holds.set("custom ops")
    monkeypatch.setattr(estimating, "_of_twin", lambda *given: [instructions_only(board, holds.get())])
    board = load_board("nucleo-l4r5zi")
    loaded = load_model(model)
    found = estimating.estimate_planned(loaded, plan_per_board(loaded, [board], "speed"))
    assert [each.why for each in found] == ["custom ops"]

"""What a terminal shows."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from mcugen.monitor.state import State
from mcugen.monitor.types import Facts, Message, Note, Opened, Reading, Sample, predictions
from mcugen.tflite.types import TensorSpec
from mcugen.ui.monitor import LineView, picture, show_summary, sparkline
from tests.monitor.fakes import facts, reading, scores


def state_of(*messages: Message) -> State:
    state = State()
    for message in messages:
        state.take(message)
    return state


def drawn(state: State, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, markup=False)
    console.print(picture(state, width, "Ctrl-C ends"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text).splitlines()


def working(**changes: object) -> State:
    """A device after ten inferences that was lost once and warns."""
    answers = [reading([scores(-128, 100 + n, -120)], number=n, cost=1000 + n % 3, time=1000 + n) for n in range(1, 11)]
    notes = [
        Note(0, 1005.0, "lost", "the cable is out"),
        Note(0, 1006.0, "back", "reconnected"),
        Note(0, 1007.0, "warning", "the inputs have drifted", "drift"),
    ]
    return state_of(Opened(0, facts(**changes)), *answers, *notes)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_picture_has_everything_and_fits(width: int) -> None:
    lines = drawn(working(), width)
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for expected in (
        "tiny on fake",
        "10 inferences",
        "yes",
        "93.0 %",
        "-128 110 -120",
        "1,001 instructions",
        "1,000 to 1,002",
        "noise, seed 0",
        "! the inputs have drifted",
        "the cable is out",
        "Ctrl-C",
    ):
        assert expected in text
    likeliest = [line for line in lines if "%" in line]
    assert ["yes" in line for line in likeliest] == [True, False, False]
    assert likeliest[0].count("█") > 10


def test_names_cannot_speak_to_the_terminal() -> None:
    evil = "\x1b[31m[red]x"
    lines = drawn(working(model=evil, labels=(evil, evil, evil), feed=evil, device=evil), 100)
    assert "\x1b" not in "\n".join(lines)
    assert "[red]x" in "\n".join(lines)


def test_a_lost_device_says_so_until_it_is_back() -> None:
    state = state_of(Opened(0, facts()), reading([scores(1, 2, 3)]), Note(0, 1.0, "lost", "gone"))
    assert "trying to reconnect" in drawn(state, 80)[0]
    state.take(Note(0, 2.0, "back", "here"))
    assert "trying to reconnect" not in drawn(state, 80)[0]


def test_images_and_waves_are_drawn() -> None:
    def shown(spec: TensorSpec) -> str:
        given = np.arange(np.prod(spec.shape)).astype(np.int8).reshape(spec.shape)
        sample = Sample((given,), 0, 0.0)
        answer = Reading(0, 1, 1.0, sample, (scores(1, 2, 3),), 5, 0.1)
        return "\n".join(drawn(state_of(Opened(0, facts(inputs=(spec,))), answer), 80))

    assert shown(TensorSpec("image", (1, 8, 8, 1), "int8", 1.0, 0)).count("▀" * 16) == 8
    assert "▁" in shown(TensorSpec("wave", (1, 64), "int8", 1.0, 0))


def test_classes_are_named_where_there_are_classes() -> None:
    def best(told: Facts, *values: int) -> list[tuple[str, bool]]:
        return [(p.label, p.is_probability) for p in predictions(told, reading([scores(*values)]), 2)]

    assert best(facts(), 0, 100, 90) == [("yes", True), ("maybe", True)]
    assert best(facts(labels=()), 0, 100, 90) == [("1", True), ("2", True)]
    logits = (TensorSpec("logits", (1, 3), "int8", 0.1, 0),)
    assert best(facts(outputs=logits), 0, 100, 90) == [("yes", False), ("maybe", False)]
    assert best(facts(outputs=logits, labels=()), 0, 100, 90) == []
    binary = facts(outputs=(TensorSpec("p", (1, 1), "int8", 1 / 256, -128),), labels=("off", "on"))
    assert best(binary, 64) == [("on", True), ("off", True)]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (facts(unit="cycles", hz=1_000_000), "2,500 cycles (2.5 ms)"),
        (facts(unit="cycles", hz=1_000_000, milliwatts=40), "2,500 cycles (2.5 ms · ≈ 100 µJ)"),
        (facts(ms_per_unit=1e-3), "2,500 instructions (≈ 2.5 ms)"),
        (facts(ms_per_unit=1e-3, milliwatts=1000), "2,500 instructions (≈ 2.5 ms · ≈ 2.50 mJ)"),
        (facts(milliwatts=40), "2,500 instructions"),
    ],
)
def test_time_and_energy_where_they_are_known(told: Facts, said: str) -> None:
    text = "\n".join(drawn(state_of(Opened(0, told), reading([scores(1, 2, 3)], cost=2500)), 80))
    assert re.search(rf"{re.escape(said)} *$", text, re.MULTILINE)


def test_lines_where_there_is_no_terminal() -> None:
    out, err = (Console(file=io.StringIO(), width=80, markup=False) for _ in range(2))
    for quiet in (False, True):
        view, state = LineView(out, err, quiet=quiet), State()
        for message in (
            Opened(0, facts(notes=("floats quantized",))),
            reading([scores(1, 2, 3)]),
            Note(0, 1.0, "lost", "gone"),
        ):
            state.take(message)
            view.show(message, state)
    printed, errors = (str(c.file.getvalue()) for c in (out, err))  # type: ignore[attr-defined]
    assert printed.splitlines()[0] == "! floats quantized"
    assert "sample 0  maybe 51.2 %  1,000 instructions" in printed
    assert printed.count("gone") == errors.count("gone") == 1
    assert "sample" not in errors


def test_the_summary_counts() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False)
    show_summary(console, working())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("1,000 to 1,002 instructions", "yes 10", "1 time", "! the inputs have drifted"):
        assert expected in text


def test_sparklines() -> None:
    assert sparkline(np.array([0, 7]), 10) == "▁█"
    assert sparkline(np.array([5, 5, 5]), 10) == "▁▁▁"
    assert len(sparkline(np.arange(1000), 40)) == 40
    assert sparkline(np.array([np.nan, 1.0, np.inf]), 3)[1] == "█"

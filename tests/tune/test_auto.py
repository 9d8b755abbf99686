"""The search gives back what plain quantization loses, within a budget, the same way every time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcugen.api import quantize
from mcugen.assess import Run
from mcugen.convert import Choices
from mcugen.errors import BoardError, ConversionError, DataError, DoesNotFitError, ProjectError
from mcugen.tune.search import _widen
from mcugen.tune.select import choose, front, rank
from mcugen.tune.types import Budget, Cost, Trial
from mcugen.verbs.quantize import Quantized
from tests.schemas import check
from tests.tune.models import Digits, make_digits, make_hard, to_tflite

BOARD = "mps2-an386"
TRIALS = 12


@pytest.fixture(scope="module")
def digits() -> Digits:
    pytest.importorskip("sklearn")
    return make_digits()


@pytest.fixture(scope="module")
def hard(digits: Digits) -> Digits:
    return make_hard(digits)


def data(digits: Digits) -> dict[str, Any]:
    """Calibration and search see 250 images; the model is judged by 300 others."""
    return digits.data(digits.train[:250])


def judged(digits: Digits) -> dict[str, Any]:
    return digits.data(digits.test[:300])


def search(digits: Digits, out: Path, **options: Any) -> Quantized:
    return quantize(
        to_tflite(digits),
        data=data(digits),
        eval_data=judged(digits),
        auto=True,
        board=BOARD,
        trials=TRIALS,
        out=out,
        **options,
    )


def accuracies(result: Quantized) -> tuple[float, float]:
    """Of float32 and of int8."""
    assert result.assessment is not None
    runs: list[Run | None] = [result.assessment.run("host", quantized=q) for q in (False, True)]
    found = [run.value("accuracy") for run in runs if run is not None]
    return found[0], found[1]


@pytest.fixture(scope="module")
def found(hard: Digits, tmp_path_factory: pytest.TempPathFactory) -> tuple[Quantized, Path]:
    out = tmp_path_factory.mktemp("auto") / "hard.tflite"
    return search(hard, out), out


def told(result: Quantized) -> dict[str, Any]:
    facts = check(result.to_dict())["quantization"]["search"]
    assert isinstance(facts, dict)
    return facts


def test_a_hard_model_gets_its_accuracy_back_on_images_that_the_search_never_saw(
    hard: Digits, found: tuple[Quantized, Path]
) -> None:
    plain = quantize(to_tflite(hard), data=data(hard), eval_data=judged(hard))
    before, lost = accuracies(plain)
    assert before - lost > 0.2, "the model is to be hard"
    _, now = accuracies(found[0])
    assert now - lost >= 0.8 * (before - lost)


def test_the_budget_holds_for_what_is_chosen_and_for_the_front(found: tuple[Quantized, Path]) -> None:
    facts = told(found[0])
    budget = facts["budget"]
    assert budget["board"] == BOARD
    for n in (facts["chosen"], *facts["front"]):
        cost = facts["trials"][n]["cost"]
        assert cost["flash"] <= budget["flash"]
        assert cost["ram"] <= budget["ram"]
    assert facts["chosen"] in facts["front"]
    assert facts["trials"][0]["choices"] == json.loads(json.dumps(Choices().to_dict()))


def test_an_interrupted_search_goes_on_and_finds_the_same(hard: Digits, found: tuple[Quantized, Path]) -> None:
    whole, out = found
    record = out.with_name(out.name + ".search.jsonl")
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:-3]) + lines[-3][:40])  # stopped while it wrote

    tried: list[str] = []
    again = search(hard, out, progress=lambda step, _done: tried.append(step))
    assert again.tflite == whole.tflite
    assert told(again) == told(whole)
    assert record.read_text().splitlines(keepends=True)[: len(lines) - 3] == lines[:-3]
    assert len(record.read_text().splitlines()) == len(lines)


def test_limits_that_nothing_keeps_to_are_an_error_that_says_what_is_needed(
    hard: Digits, found: tuple[Quantized, Path]
) -> None:
    with pytest.raises(DoesNotFitError, match="bytes of flash, 5,000 allowed"):
        search(hard, found[1], max_flash=5000)


def test_without_labels_the_error_counts_and_a_model_that_is_good_enough_stays_cheap(digits: Digits) -> None:
    result = quantize(to_tflite(digits), data=digits.x[digits.train[:60]], auto=True, trials=4)
    facts = told(result)
    best = facts["trials"][facts["chosen"]]
    assert facts["metric"] == ""
    assert best["lost"] == pytest.approx(100 * 10 ** (-best["sqnr_db"] / 20))
    assert best["lost"] < 3
    assert all(not t["choices"]["wide"] and t["choices"]["activations"] == "int8" for t in facts["trials"])


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_layers_and_then_the_model_get_int16_where_int8_does_not_do(hard: Digits) -> None:
    pytest.importorskip("tensorflow")
    result = quantize(to_tflite(hard), data=hard.x[hard.train[:40]], auto=True, trials=1)
    facts = told(result)
    wide = [t for t in facts["trials"] if t["choices"]["wide"]]
    assert [len(t["choices"]["wide"]) for t in wide] == sorted({len(t["choices"]["wide"]) for t in wide})
    assert all(not t["problem"] for t in facts["trials"])
    assert facts["trials"][-1]["choices"]["activations"] == "int16"
    best = facts["trials"][facts["chosen"]]
    assert best["lost"] < 0.8 * facts["trials"][0]["lost"], "weights still have eight bits"
    assert best["cost"]["work"] > facts["trials"][0]["cost"]["work"]


@pytest.mark.parametrize("per_tensor", [False, True])
def test_a_runtime_whose_dense_layers_take_one_scale_gets_it(per_tensor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Choices] = []
    made = SimpleNamespace(float_model=b"", model=b"")
    bench = SimpleNamespace(model=SimpleNamespace(quantized=lambda *_, **__: made), judge=None, attempt=tried.append)
    monkeypatch.setitem(_widen.__globals__, "_noisy_layers", lambda *_: [])
    _widen(bench, Choices(equalize=True), per_tensor)  # type: ignore[arg-type]
    assert tried == [Choices(activations="int16", equalize=True, per_tensor_dense=per_tensor)]


def test_what_the_search_cannot_do_is_refused_before_anything_runs(digits: Digits, tmp_path: Path) -> None:
    model = to_tflite(digits)
    with pytest.raises(DataError, match="Add `auto=True`"):
        quantize(model, data="random", max_ram=100)
    with pytest.raises(ConversionError, match="`activations`"):
        quantize(model, data="random", auto=True, activations="int16")
    with pytest.raises(BoardError, match="emulator"):
        quantize(model, data="random", auto=True, max_instructions=1)
    with pytest.raises(DataError, match="0 trials"):
        quantize(model, data="random", auto=True, trials=0)
    out = tmp_path / "q.tflite"
    (tmp_path / "q.tflite.search.jsonl").write_text("a diary\n")
    with pytest.raises(ProjectError, match="not the record of a search"):
        quantize(model, data=digits.x[:4], auto=True, trials=1, out=out)
    assert (tmp_path / "q.tflite.search.jsonl").read_text() == "a diary\n"


def trial(lost: float, sqnr: float, flash: int = 100, work: int = 100, problem: str = "") -> Trial:
    choices = replace(Choices(), samples=1 + int(1000 * lost + sqnr + flash + work))
    return Trial(choices, lost, 1 - lost / 100, sqnr, Cost(flash, 100, work), problem)


def test_the_choice_is_the_most_exact_of_the_cheapest_that_are_good_enough() -> None:
    trials = [
        trial(5, 10),
        trial(0.04, 30),
        trial(0, 29),
        trial(0, 60, work=200),
        trial(0, 80, problem="too large"),
    ]
    usable = [0, 1, 2, 3]
    assert choose(trials, usable, 0.1)[0] == 1
    assert choose(trials, usable, 6.0)[0] == 1, "what may be lost is no aim"
    assert choose(trials[:1] + trials[3:4], [0, 1], 0.1)[0] == 1, "dearer, but nothing else is good enough"
    assert front(trials, usable) == (3, 1), "the third is beaten by the second, the first by all"
    assert min(trials, key=rank) is trials[3]


def test_a_budget_names_everything_that_is_exceeded() -> None:
    budget = Budget(flash=10, ram=10, instructions=10)
    assert budget.problem(Cost(10, 10, 99, 10)) == ""
    assert budget.problem(Cost(11, 12, 0, 13)) == (
        "11 bytes of flash, 10 allowed; 12 bytes of RAM, 10 allowed; 13 instructions, 10 allowed"
    )

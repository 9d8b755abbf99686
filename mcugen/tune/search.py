"""The search: one choice after the other, then at random, then int16 where int8 does not do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcugen import __version__
from mcugen.assess import layer_noise
from mcugen.convert.choices import Choices
from mcugen.convert.float_model import FloatModel
from mcugen.errors import ConversionError, DoesNotFitError, ModelError, ToolError
from mcugen.progress import Progress
from mcugen.tflite import fields as flat
from mcugen.tflite.int8_rules import WIDE_KINDS
from mcugen.tflite.opened import OpenedModel
from mcugen.tune.judge import Judge
from mcugen.tune.select import choose, enough, front, rank
from mcugen.tune.state import State, search_key
from mcugen.tune.types import Budget, Cost, Found, Trial

TRIALS = 40
_WIDE_LAYERS = (1, 2, 4, 8)
_NOISE_SAMPLES = 16

_DIMENSIONS: tuple[tuple[dict[str, Any], ...], ...] = (
    ({"equalize": False}, {"equalize": True}),
    (
        {"method": "minmax"},
        {"method": "mse"},
        {"method": "entropy"},
        *({"method": "percentile", "percentile": p} for p in (99.9, 99.99, 99.999)),
    ),
    ({"per_channel_dense": False}, {"per_channel_dense": True}),
    ({"correct_bias": False}, {"correct_bias": True}),
    ({"samples": 200}, {"samples": 50}, {"samples": 1000}),
)


_APART: tuple[dict[str, Any], ...] = ({"split_outputs": False}, {"split_outputs": True})
"""Tried for models with such outputs alone."""


def search(
    model: FloatModel,
    judge: Judge,
    estimate: Callable[[OpenedModel], Cost],
    *,
    budget: Budget,
    measure: Callable[[OpenedModel], int] | None = None,
    seed: int = 0,
    trials: int = TRIALS,
    max_drop: float | None = None,
    state: Path | None = None,
    setting: str = "",
    per_tensor_dense: bool = False,
    progress: Progress | None = None,
) -> Found:
    """Find the best way to quantize a model.

    Args:
        estimate: what a quantized form costs.
        measure: counts the instructions of an inference; used for the few forms among which the last choice is made,
            if the budget limits instructions.
        trials: at most so many forms are made.
        max_drop: percentage points that may be lost: what loses no more is good enough, and the cheapest is taken.
        state: file that remembers finished trials.
        setting: what else decides over costs, to tell searches apart in that file.
        per_tensor_dense: of the form with int16 activations alone, see :class:`mcugen.convert.choices.Choices`.

    Raises:
        DoesNotFitError: no form keeps to the budget.
        ConversionError: the model cannot be quantized at all.
        ProjectError: see :class:`mcugen.tune.state.State`.
    """
    facts = [model.model.data, *(a.tobytes() for a in judge.evaluation.feeds)]
    facts += [a.tobytes() for a in model.everything.inputs]
    targets = judge.evaluation.samples.targets
    key = search_key(__version__, setting, judge.task.metric, budget.board, *facts, str(np.asarray(targets).tolist()))
    bench = _Bench(model, judge, estimate, budget, State(state, key), trials, progress)
    goal = enough(max_drop, labelled=judge.labelled)
    first = bench.attempt(Choices())
    if first is not None and first.lost is None:
        raise ConversionError(first.problem)  # none of the choices makes an op run that does not
    _climb(bench, Choices())
    _scatter(bench, seed)
    best = min(bench.done, key=rank)
    if best.lost is not None and best.lost > goal:
        bench.allow(len(_WIDE_LAYERS) + 1)
        _widen(bench, best.choices, per_tensor_dense)
    if budget.instructions is not None and measure is not None:
        _measure_finalists(bench, measure, goal)
    done = bench.done
    usable = [n for n, trial in enumerate(done) if trial.usable]
    if not usable:
        raise DoesNotFitError(
            f"no way to quantize the model meets the budget: {done[0].problem}",
            where=f"board {budget.board}" if budget.board else "",
            hint="Raise the limit, choose a board with more memory, or use a smaller model",
        )
    chosen, reason = choose(done, usable, goal)
    return Found(
        judge.task.metric,
        judge.float_value,
        judge.evaluation.count,
        judge.evaluation.samples.origin,
        budget,
        seed,
        tuple(done),
        front(done, usable),
        chosen,
        reason,
        bench.resumed,
    )


class _Bench:
    """Makes and judges forms of the model, each once."""

    def __init__(
        self,
        model: FloatModel,
        judge: Judge,
        estimate: Callable[[OpenedModel], Cost],
        budget: Budget,
        state: State,
        trials: int,
        progress: Progress | None,
    ) -> None:
        self.model = model
        self.judge = judge
        self.budget = budget
        self.done: list[Trial] = []
        self.resumed = 0
        self._estimate = estimate
        self._state = state
        self._left = trials
        self._trials = trials
        self._progress = progress

    @property
    def exhausted(self) -> bool:
        return self._left <= 0

    @property
    def quarter(self) -> int:
        """A quarter of the trials, or what is left of them."""
        return min(self._left, max(1, self._trials // 4))

    def allow(self, trials: int) -> None:
        """Spend at least so many trials more."""
        self._left = max(self._left, trials)

    def attempt(self, choices: Choices) -> Trial | None:
        """The trial of these choices; None if there are no more trials to spend."""
        for trial in self.done:
            if trial.choices == choices:
                return trial
        if self.exhausted:
            return None
        self._left -= 1
        if self._progress is not None:
            self._progress(f"trying {choices.describe()}", max(0.0, 1 - self._left / self._trials))
        known = self._state.known.get(choices)
        if known is not None:
            self.resumed += 1
        else:
            known = self._try(choices)
            if known.lost is not None:  # what is missing now, such as TensorFlow, may be there the next time
                self._state.add(known)
        trial = self._limited(known)
        self.done.append(trial)
        return trial

    def replace(self, trial: Trial) -> None:
        """Put what is now known of a trial in the place of what was known."""
        self._state.add(trial)
        position = next(n for n, old in enumerate(self.done) if old.choices == trial.choices)
        self.done[position] = self._limited(trial)

    def rule_out(self, work: int, problem: str) -> None:
        """Say of all trials that do at least so much work that they cannot be used."""
        self.done = [
            replace(trial, problem=problem) if trial.usable and trial.cost and trial.cost.work >= work else trial
            for trial in self.done
        ]

    @functools.cached_property
    def dimensions(self) -> tuple[tuple[dict[str, Any], ...], ...]:
        """What is changed, one after the other."""
        return (_APART, *_DIMENSIONS) if self.model.has_parts_apart else _DIMENSIONS

    def make(self, choices: Choices) -> OpenedModel:
        return self.model.quantized(choices, compare=False).model

    def _try(self, choices: Choices) -> Trial:
        try:
            made = self.make(choices)
            cost = self._estimate(made)
            return Trial(choices, *self.judge.judge(made), cost)
        except (ConversionError, ModelError, ToolError) as error:
            return Trial(choices, problem=str(error))

    def _limited(self, trial: Trial) -> Trial:
        """The trial with what it exceeds. The budget is no part of what the state remembers."""
        if trial.cost is None:
            return trial
        return replace(trial, problem=self.budget.problem(trial.cost))


def _climb(bench: _Bench, start: Choices) -> None:
    """Change one choice at a time as long as that helps."""
    best = bench.attempt(start)
    while best is not None:
        before = best
        for dimension in bench.dimensions:
            for change in dimension:
                if change.get("samples", 0) > bench.model.everything.count:
                    continue
                trial = bench.attempt(replace(best.choices, **change))
                if trial is not None and rank(trial) < rank(best):
                    best = trial
        if best is before:
            return


def _scatter(bench: _Bench, seed: int) -> None:
    """Spend a quarter of the trials on choices at random, which climbing may have missed."""
    rng = np.random.default_rng(seed)
    wanted = bench.quarter
    for choices in _random_choices(rng, bench.dimensions, bench.model.everything.count):
        if wanted <= 0:
            return
        if all(trial.choices != choices for trial in bench.done):
            bench.attempt(choices)
            wanted -= 1


def _random_choices(
    rng: np.random.Generator, dimensions: Sequence[Sequence[dict[str, Any]]], samples: int
) -> Iterator[Choices]:
    for _ in range(200):
        changes: dict[str, Any] = {}
        for dimension in dimensions:
            changes.update(dimension[int(rng.integers(len(dimension)))])
        if changes["samples"] <= samples:
            yield Choices(**changes)


def _widen(bench: _Bench, choices: Choices, per_tensor_dense: bool) -> None:
    """Give int16 activations to the layers that lose most, and to all."""
    made = bench.model.quantized(choices, compare=False)
    assert made.float_model is not None
    for wide in _noisy_layers(made.float_model, made.model, bench.judge):
        bench.attempt(replace(choices, wide=wide))
    bench.attempt(Choices(activations="int16", equalize=choices.equalize, per_tensor_dense=per_tensor_dense))


def _noisy_layers(floats: OpenedModel, quantized: OpenedModel, judge: Judge) -> list[tuple[int, ...]]:
    """Sets of ops of the float model, by position: the worst one, the worst two …, each with those that read it."""
    model, main = floats.schema, floats.main
    able = [n for n, op in enumerate(main.operators) if flat.kind_of(model, op) in WIDE_KINDS]
    written = {flat.name_of(main.tensors[i], i): n for n in able for i in flat.ints(main.operators[n].outputs)}
    noise = layer_noise(floats, quantized, judge.evaluation.feeds, samples=_NOISE_SAMPLES)
    losses = [(-(layer.lost_db or 0.0), written[layer.matched]) for layer in noise.layers if layer.matched in written]
    worst = [n for _, n in sorted(losses)]
    found: list[tuple[int, ...]] = []
    for count in _WIDE_LAYERS:
        outputs = {i for n in worst[:count] for i in flat.ints(main.operators[n].outputs)}
        readers = {n for n in able if outputs & set(flat.ints(main.operators[n].inputs))}
        wide = tuple(sorted({*worst[:count], *readers}))
        if wide and wide not in found:
            found.append(wide)
    return found


def _measure_finalists(bench: _Bench, measure: Callable[[OpenedModel], int], goal: float) -> None:
    """Count the instructions of the form that would be taken, until one keeps to the budget.

    What does no less work than one that exceeds it exceeds it, too.
    """
    while usable := [n for n, trial in enumerate(bench.done) if trial.usable]:
        trial = bench.done[choose(bench.done, usable, goal)[0]]
        assert trial.cost is not None
        if trial.cost.instructions is not None:
            return
        instructions = measure(bench.make(trial.choices))
        bench.replace(replace(trial, cost=replace(trial.cost, instructions=instructions)))
        excess = bench.budget.problem(Cost(0, 0, 0, instructions))
        if excess:
            bench.rule_out(trial.cost.work, f"does no less work than one that needs {excess}")

"""What a decision is: between a model's outputs and the events that a program acts upon.

Decisions are computed in integers, so that the Python reference and the C of `firmware/decisions/` are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Tensor
from mcugen.toml_table import Table

Kind = Literal["start", "end"]

KINDS: tuple[Kind, ...] = ("start", "end")
"""By their numbers in C, which begin with 1."""

LONGEST_WINDOW = 1024
"""Inferences that are averaged at most."""


@dataclass(frozen=True)
class ModelIO:
    """What a decision needs to know of a model.

    Attributes:
        period: seconds from one inference to the next; None where the signal has no rate.
    """

    input: Tensor
    output: Tensor
    period: float | None


@dataclass(frozen=True)
class FoundBox:
    """A box of an inference. `score` as of `Decided`; corners are in 1/4096 of the image's height and width."""

    score: int
    label: int
    ymin: int
    xmin: int
    ymax: int
    xmax: int


@dataclass(frozen=True)
class Decided:
    """What an inference led to.

    Attributes:
        label: number of the label that the event is about.
        score: of that label, an integer: a sum over the window, see `Decision.real`.
        top: the best labels with their scores, best first; empty where there are no labels.
        boxes: of the inference, best first; empty where the decision has none.
    """

    kind: Kind
    label: int
    score: int
    top: tuple[tuple[int, int], ...] = ()
    boxes: tuple[FoundBox, ...] = ()


class Deciding(Protocol):
    """The reference: a decision at work, with its state."""

    def reset(self) -> None:
        """Forget all inferences."""

    def update(self, given: NDArray[Any], output: NDArray[Any]) -> Decided | None:
        """Takes what an inference was given, and its first output, both as the model has them: `smooth`, `decide`."""

    def smooth(self, given: NDArray[Any], output: NDArray[Any]) -> NDArray[np.int64] | None:
        """The scores over the window, which do not depend on thresholds; None until it is full."""

    def score(self, smoothed: NDArray[np.int64]) -> int | None:
        """What thresholds are compared with; None where no threshold would start an event."""

    def decide(self, smoothed: NDArray[np.int64]) -> Decided | None:
        """What such scores lead to; they may be of a decision that differs in its thresholds alone."""


@dataclass(frozen=True)
class EmittedDecision:
    """A decision as C.

    Attributes:
        header: in `firmware/decisions/`; `needs` names others that it includes.
        before: text in front of the header: the types that it is for.
        config: memory, `static const mcg_decision_K mcg_decide` and `static mcg_decision_K_state mcg_decide_state`.
        reset, update: a statement, and an expression that takes `input` and `output`, and gives the kind of event.
        label, score: expressions that read an event's from the state.
        score_type: of the C.
        rank: a statement that fills `event->top` and `event->top_scores`; empty where there are no labels.
        state_bytes: RAM kept between inferences, on a 32-bit core.
        most_boxes: boxes that an inference gives at most; 0 where the decision has none. `box_count` and `boxes` are
            expressions that read their number and the first of them.
        meaning: what a score is the real value of, for a comment; "" for what the others' are.
    """

    header: str
    needs: tuple[str, ...]
    before: str
    config: str
    reset: str
    update: str
    label: str
    score: str
    score_type: str
    rank: str
    state_bytes: int
    most_boxes: int = 0
    box_count: str = ""
    boxes: str = ""
    meaning: str = ""


class Decision(Protocol):
    """A decision for one model: a frozen dataclass per kind."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def top(self) -> int:
        """How many labels an event names; 0 where there are none."""

    @property
    def most(self) -> int | None:
        """The largest score that there can be; None where no more is known than that it has 64 bits."""

    @property
    def upper(self) -> int:
        """An event starts above this score."""

    @property
    def reads_input(self) -> bool:
        """It looks at the model's input after the inference, too."""

    def real(self, score: int) -> float:
        """A score as the mean of real values."""

    def threshold_at(self, score: int) -> float:
        """The shortest number in a pipeline file that this score, not negative, is not above, but the next one is."""

    def reference(self) -> Deciding: ...
    def emitted(self) -> EmittedDecision: ...


class GateLevels(Protocol):
    """Between which scores an event starts and ends."""

    @property
    def threshold(self) -> float: ...
    @property
    def release(self) -> float: ...


class Wanted(Protocol):
    """What a pipeline file says of a decision, before the model is known."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def background(self) -> tuple[str, ...]:
        """Labels that start no event."""

    @property
    def gate(self) -> GateLevels: ...
    def at(self, threshold: float) -> Wanted:
        """The same with another threshold."""

    def bind(self, model: ModelIO) -> Decision:
        """The decision for a model.

        Raises:
            DataError: it does not go with the model.
        """


@dataclass(frozen=True)
class DecisionSpec:
    """A kind of decision, the `SPEC` of its module."""

    kind: str
    parse: Callable[[Table], Wanted]

"""Firmware that tests of cost share: each built and traced once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mcugen.boards.shipped import load_board
from mcugen.cost.estimate import fronts_of
from mcugen.cost.record import record
from mcugen.cost.types import Trace
from mcugen.flow.model import load_model, plan_model
from mcugen.flow.ready import Ready, built_temporarily
from mcugen.oracle import make_inputs
from mcugen.progress import no_progress
from tests import zoo

MODEL = "ds_cnn"
BOARDS_IN_FRONT = ("nucleo-l4r5zi", "nucleo-f446re", "pico")
"""Boards whose caches are counted in the same trace."""


class Traced:
    """A firmware, one of its traces, and what it ran."""

    def __init__(self, ready: Ready) -> None:
        self.ready = ready
        self.sample = make_inputs(ready.plan.graph, 1, 0)[0]
        self.fronts = fronts_of([load_board(name) for name in BOARDS_IN_FRONT])
        self.trace = self.again()

    def again(self) -> Trace:
        return record(self.ready.firmware, self.ready.board, self.sample, self.fronts)


class _Builds:
    def __init__(self, stack: ExitStack) -> None:
        self._stack, self._made = stack, dict[str, Traced]()

    def __call__(self, board: str) -> Traced:
        if board not in self._made:
            model, chosen = load_model(zoo.path(MODEL)), load_board(board)
            ready = built_temporarily(model, plan_model(model, chosen), chosen, None, no_progress)
            self._made[board] = Traced(self._stack.enter_context(ready))
        return self._made[board]


@pytest.fixture(scope="session")
def traced() -> Iterator[Any]:
    """Board → the same small model on it, with a trace."""
    with ExitStack() as stack:
        yield _Builds(stack)

"""The host's reference: samples → rows → the model's input → the oracle → outputs → events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.decisions import Decided
from mcugen.frontends import checked_frames
from mcugen.pipeline.app import App


class Infers(Protocol):
    """What computes the model: see :class:`mcugen.oracle.Oracle`."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]: ...
    def forget(self) -> None: ...


@dataclass(frozen=True)
class Event:
    """A decision, and when it was made.

    Attributes:
        frame: frames since the reset, up to the last one that it rests on.
        inference: its number since the reset, from 0.
    """

    frame: int
    inference: int
    decided: Decided


@dataclass(frozen=True, eq=False)
class Step:
    """What a row led to.

    Attributes:
        frame: frames since the reset, up to the row's last one.
        given, outputs: of the inference that became due; None where none did.
        smoothed: the decision's scores, see :meth:`mcugen.decisions.Deciding.smooth`.
    """

    frame: int
    row: NDArray[Any]
    given: NDArray[Any] | None = None
    outputs: tuple[NDArray[Any], ...] | None = None
    event: Event | None = None
    smoothed: NDArray[np.int64] | None = None


class Running:
    """An app at work on the host, with its state.

    Args:
        oracle: computes the model.
    """

    def __init__(self, app: App, oracle: Infers) -> None:
        self._app, self._oracle = app, oracle
        self._front = app.pipeline.front_end.reference()
        self._decision = app.decision.reference() if app.decision is not None else None
        self.reset()

    def reset(self) -> None:
        """Forget everything, as `mcg_app_reset()` does."""
        self._front.reset()
        if self._decision is not None:
            self._decision.reset()
        if self._app.keeps_state:
            self._oracle.forget()
        self._window: list[NDArray[Any]] = []
        self._rows = self._inferences = 0

    def push(self, frames: NDArray[Any]) -> Iterator[Step]:
        """What frames (n, channels), or (n,) of one channel, lead to, row by row.

        Raises:
            FrontEndError: frames of another shape or type.
        """
        for row in self._front.push(checked_frames(self._app.pipeline.signal, frames)):
            yield self.take(row)

    def take(self, row: NDArray[Any]) -> Step:
        """What a row leads to, wherever it was computed."""
        app, facts = self._app, self._app.pipeline.front_end.rows()
        frame = facts.frames_first + self._rows * facts.frames_step
        self._rows += 1
        self._window.append(app.quantizer(row).reshape(-1))
        if len(self._window) < app.rows:
            return Step(frame, row)
        given = np.concatenate(self._window).reshape(app.input.shape)
        del self._window[: app.stride]
        if app.afresh:
            self._oracle.forget()
        outputs = self._oracle.run([given])
        decision = self._decision
        smoothed = decision.smooth(given, outputs[0]) if decision is not None else None
        decided = decision.decide(smoothed) if decision is not None and smoothed is not None else None
        event = Event(frame, self._inferences, decided) if decided is not None else None
        self._inferences += 1
        return Step(frame, row, given, tuple(outputs), event, smoothed)

"""What a search for the best quantization tries, and what it finds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mcugen.convert.choices import Choices


@dataclass(frozen=True)
class Budget:
    """Upper limits; None where there is none.

    Attributes:
        flash, ram: bytes, of the whole firmware where there is a board, else of the constants and the arena.
        instructions: of one inference.
        board: whose they are; empty where nobody named a board.
    """

    flash: int | None = None
    ram: int | None = None
    instructions: int | None = None
    board: str = ""

    def problem(self, cost: Cost) -> str:
        """What a model exceeds, for people; empty if nothing."""
        parts = []
        for name, needed, limit in (
            ("flash", cost.flash, self.flash),
            ("RAM", cost.ram, self.ram),
            ("instructions", cost.instructions, self.instructions),
        ):
            if needed is not None and limit is not None and needed > limit:
                parts.append(f"{needed:,} {'' if name == 'instructions' else 'bytes of '}{name}, {limit:,} allowed")
        return "; ".join(parts)


@dataclass(frozen=True)
class Cost:
    """What a model takes.

    Attributes:
        flash, ram: bytes, estimated as :func:`mcugen.builder.fit.fit_report` does where there is a board; else of the
            constants and the arena.
        work: multiply-accumulates, those with int16 activations twice: which of two models runs longer.
        instructions: of one inference, counted by the board's emulator; None where it was not run.
    """

    flash: int
    ram: int
    work: int
    instructions: int | None = None


@dataclass(frozen=True)
class Trial:
    """One way to quantize the model, and how it went.

    Attributes:
        lost: percentage points of the metric that counts (:func:`mcugen.assess.drop_of`); without labels the
            outputs' relative error in percent, 100·10^(−SQNR/20).
        value: of the metric; None without labels.
        sqnr_db: of the worst output; None if no output differs.
        problem: why it cannot be used; empty if it can. `lost` and `cost` are None if it could not be made.
    """

    choices: Choices
    lost: float | None = None
    value: float | None = None
    sqnr_db: float | None = None
    cost: Cost | None = None
    problem: str = ""

    @property
    def usable(self) -> bool:
        return not self.problem and self.lost is not None


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Attributes:
        metric: what counts; empty without labels.
        float_value: its value in float32.
        samples, origin: what the trials were judged by.
        trials: in the order of the search; `trials[0]` is plain quantization.
        front: positions of the trials that no other beats in every respect, best first.
        chosen: position of the trial that was taken, and `reason` why.
        resumed: how many trials came from an earlier, interrupted search.
    """

    metric: str
    float_value: float | None
    samples: int
    origin: str
    budget: Budget
    seed: int
    trials: tuple[Trial, ...]
    front: tuple[int, ...]
    chosen: int
    reason: str
    resumed: int = 0

    @property
    def best(self) -> Trial:
        return self.trials[self.chosen]

    def to_dict(self) -> dict[str, Any]:
        """The `search` object of docs/JSON.md. The same search gives the same object, resumed or not."""
        facts = dataclasses.asdict(self)
        del facts["resumed"]
        for trial in facts["trials"]:
            trial["choices"]["wide"] = list(trial["choices"]["wide"])
        return facts

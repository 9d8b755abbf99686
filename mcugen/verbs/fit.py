"""`mcugen fit`: which boards a model fits, by how much it misses the others, and which layers are to blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mcugen import __version__
from mcugen.flow.within import takes_trust
from mcugen.text import Brief
from mcugen.verbs.options import loading
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.boards.types import Board
    from mcugen.builder.blame import Peak, Weight
    from mcugen.builder.fit import Fit
    from mcugen.cost.estimate import Estimate
    from mcugen.flow.model import Model
    from mcugen.names import Goal
    from mcugen.progress import Progress

Dimension = Literal["width", "input"]

FACTORS = (0.75, 0.5, 0.35, 0.25)
"""Tried by --scale: the width multipliers that MobileNets are published with."""

_NAMED = 3
"""Layers that are named as the heaviest."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model, or an untrained one of its architecture with another width or input size, on all boards.

    Attributes:
        factor: 1 for the model itself.
        problem: why it could not be built so; the rest is empty then.
        weights, macs: bytes of constants, multiply-accumulates.
        peaks: by board, the op that decides the arena.
        estimates: by board, cycles, time and energy of an inference; empty where they were not asked for.
    """

    factor: float
    problem: str = ""
    fits: tuple[Fit, ...] = ()
    weights: int = 0
    macs: int = 0
    heaviest: tuple[Weight, ...] = ()
    peaks: tuple[Peak, ...] = ()
    estimates: tuple[Estimate, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Brief):
    """What `fit` found. `candidates[0]` is the model itself."""

    model: Model
    dimension: Dimension | None
    candidates: tuple[Candidate, ...]
    max_ms: float | None = None

    def in_time(self, position: int) -> bool:
        """Whether an inference of the model is known to keep to the limit on a board; True without a limit."""
        if self.max_ms is None:
            return True
        time = self.candidates[0].estimates[position].time_ms
        return time is not None and time.nominal <= self.max_ms

    @property
    def good(self) -> tuple[str, ...]:
        """The boards that the model fits, in size and in time."""
        return tuple(each.board for n, each in enumerate(self.candidates[0].fits) if each.fits and self.in_time(n))

    @property
    def quantized_here(self) -> bool:
        """The model came as float: sizes are those of its int8 form."""
        return self.model.quantized_here

    @property
    def exit_code(self) -> int:
        """1 if the model fits none of the boards, or is too slow on all that it fits."""
        return 0 if self.good else 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.fit/1",
            "mcugen": __version__,
            "model": {"name": self.model.graph.name, "sha256": self.model.graph.sha256, "source": self.model.source},
            "trusted": self.model.trusted,
            "quantized_here": self.quantized_here,
            "scaled": self.dimension,
            "max_ms": self.max_ms,
            "good": list(self.good),
            "candidates": [_candidate_facts(candidate) for candidate in self.candidates],
        }


def _candidate_facts(candidate: Candidate) -> dict[str, Any]:
    return {
        "factor": candidate.factor,
        "trained": candidate.factor == 1,
        "problem": candidate.problem,
        "weights": candidate.weights,
        "macs": candidate.macs,
        "heaviest": [asdict(weight) for weight in candidate.heaviest],
        "boards": [
            {
                **fit.to_dict(),
                "flash_missing": fit.flash_missing,
                "ram_missing": fit.ram_missing,
                "peak": {**asdict(peak), "tensors": [{"name": n, "bytes": size} for n, size in peak.tensors]},
                "cost": candidate.estimates[position].to_dict() if candidate.estimates else None,
            }
            for position, (fit, peak) in enumerate(zip(candidate.fits, candidate.peaks, strict=True))
        ],
    }


@takes_trust
def fit(
    model: object,
    *,
    boards: Sequence[str] = (),
    scale: Dimension | None = None,
    optimize: Goal | None = None,
    cycles: bool = True,
    max_ms: float | None = None,
    data: Any = None,
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Plan a model for boards, and report what each board lacks and why, and how long an inference takes on it.

    Args:
        model: a model file, a SavedModel folder, or a Keras object; of a float model its int8 form.
        boards: board names; all by default.
        scale: also size a Keras model's architecture with its "width" or "input" times 0.75, 0.5, 0.35 and 0.25, with
            new weights: sizes, not accuracy.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram".
        cycles: build the model for an emulated twin of every core with a timing, and tell cycles, time and energy
            (docs/TIMING.md); False only sizes it.
        max_ms: the longest that an inference may take, in milliseconds; where its time is not known, it is too long.
        data: calibration data for a float model. Default: none, sizes follow from the shapes. Only with real data are
            channels left out that never change.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: the model cannot be read, or has an op that cannot run; `scale` without a Keras model.
    """
    from mcugen.convert.load import load_scaled
    from mcugen.convert.sources import identify
    from mcugen.errors import BoardError, ConversionError
    from mcugen.flow.boards import known_boards, named_board
    from mcugen.flow.model import load_model
    from mcugen.names import DEFAULT_GOAL
    from mcugen.progress import no_progress

    if max_ms is not None and not (cycles and max_ms > 0):
        wrong = f"{max_ms:g} ms is no time" if cycles else "times are not told with `cycles=False`"
        raise BoardError(wrong, where="`max_ms`", hint="Give milliseconds above 0, and let cycles be counted")
    report = progress or no_progress
    chosen = [named_board(name) for name in boards] or known_boards()
    loaded = load_model(model, data, progress, sizes_only=True, front_ends="needed" if scale else "always")
    if scale is not None and loaded.first is not None:
        raise ConversionError(
            "becomes a front end, and only a network can be scaled",
            where=loaded.first.leading.names,
            hint="Omit `scale`, or pass the model without it",
        )
    candidates = [_candidate(1, loaded, chosen, optimize or DEFAULT_GOAL, report if cycles else None)]
    for factor in FACTORS if scale is not None else ():
        assert scale is not None
        report(f"{scale} × {factor:g}", -1.0)
        try:
            scaled = load_model(load_scaled(identify(model), scale, factor), sizes_only=True)
        except ConversionError as error:
            candidates.append(Candidate(factor, problem=str(error)))
        else:
            candidates.append(_candidate(factor, scaled, chosen, optimize or DEFAULT_GOAL))
    return FitResult(loaded, scale, tuple(candidates), max_ms)


def _candidate(
    factor: float, model: Model, boards: Sequence[Board], goal: Goal, estimating: Progress | None = None
) -> Candidate:
    """A model on all boards; with `estimating` also its cycles, whose progress it is told."""
    from mcugen.builder import fit_report
    from mcugen.builder.blame import heaviest_layers, peak
    from mcugen.flow.estimating import estimate_planned
    from mcugen.flow.model import plan_per_board

    planned = plan_per_board(model, boards, goal)
    _, first = planned[0]
    return Candidate(
        factor,
        "",
        tuple(fit_report(plan, board) for board, plan in planned),
        sum(first.constant_sizes()),
        first.macs,
        tuple(heaviest_layers(first)[:_NAMED]),
        tuple(peak(plan) for _, plan in planned),
        tuple(estimate_planned(model, planned, progress=estimating)) if estimating is not None else (),
    )


def command(
    model: options.Model,
    board: Annotated[
        list[str] | None,
        typer.Option("--board", "-b", metavar="BOARD", show_default=False, help="Only this board. Repeatable."),
    ] = None,
    scale: Annotated[
        Dimension | None,
        typer.Option(
            "--scale",
            metavar="width|input",
            show_default=False,
            help="Also size untrained versions of the Keras model with fewer channels or smaller images.",
        ),
    ] = None,
    optimize: options.Optimize = None,
    no_cycles: options.NoCycles = False,
    max_ms: options.MaxMs = None,
    data: options.Data = None,
    trust_model: options.TrustModel = False,
    custom_objects: options.CustomObjects = None,
    input_shape: options.InputShape = None,
    signature: loading.Signature = None,
    json: options.Json = False,
) -> int:
    """Show which boards a model fits, what the others lack, and which layers are to blame."""
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    with terminal.progress() as progress:
        result = fit(
            model,
            boards=board or (),
            scale=scale,
            optimize=optimize,
            cycles=not no_cycles,
            max_ms=max_ms,
            data=data,
            trust_model=trust_model,
            custom_objects=custom_objects,
            input_shape=input_shape,
            signature=signature,
            progress=progress,
        )
    return terminal.show(result, lambda console: _show(console, result))


def _show(console: Console, result: FitResult) -> None:
    from mcugen.text import enumerated, number, share, size
    from mcugen.ui.terminal import columns, grid, say_note, say_verdict

    own = result.candidates[0]
    heaviest = "; ".join(f"{w.layer} {number(w.bytes)} B, {share(w.bytes, own.weights)}" for w in own.heaviest)
    console.print(
        grid(
            [
                ("model", f"{result.model.graph.name}, {number(own.macs)} MACs"),
                ("weights", f"{size(own.weights)}: {heaviest}" if heaviest else size(own.weights)),
            ]
        )
    )
    console.print()
    times: list[tuple[str, ...]] = [_time(each) for each in own.estimates] or [()] * len(own.fits)
    headings = ("", "board", "flash, about", "RAM, about", *(("time", "energy") if own.estimates else ()), "missing")
    rows = [(*row[:4], *time, row[4]) for row, time in zip(map(_board_row, own.fits), times, strict=True)]
    console.print(columns(headings, rows, whole=(0, 1, len(headings) - 1)))
    for reason, boards in _untimed(own.estimates).items():
        say_note(console, f"no time of {enumerated(boards)}: {reason}")
    for blamed in dict.fromkeys(_blame(f, p) for f, p in zip(own.fits, own.peaks, strict=True) if f.ram_missing):
        say_note(console, blamed)
    if result.dimension is not None:
        console.print()
        headings = (result.dimension, "MACs", "weights", "arena", "fits")
        console.print(columns(headings, [_candidate_row(c) for c in result.candidates], right=(0, 1, 2, 3)))
        say_note(console, "scaled models are untrained: only their sizes are meaningful, not their accuracy")
    if result.quantized_here and not result.model.trusted:
        say_note(console, "a float model: sizes are those of its int8 form")
    count = len(result.good)
    said = f"fits {count} of {len(own.fits)} boards"
    if result.max_ms is not None:
        said = f"fits, and takes at most {result.max_ms:g} ms, on {count} of {len(own.fits)} boards"
    say_verdict(console, count > 0, said)


def _board_row(fit: Fit) -> tuple[str, ...]:
    from mcugen.text import memory, number

    missing = [
        f"{number(count)} B {name}" for name, count in (("flash", fit.flash_missing), ("RAM", fit.ram_missing)) if count
    ]
    return (
        "fits" if fit.fits else "–",
        fit.board,
        f"{number(fit.flash_needed)} B of {memory(fit.flash_available)}",
        f"{number(fit.ram_needed)} B of {memory(fit.ram_available)}",
        ", ".join(missing),
    )


def _time(found: Estimate) -> tuple[str, str]:
    from mcugen.ui.cost import energy_text, spread

    time = spread(found.time_ms, " ms", bounds=False) if found.time_ms is not None else ""
    return time, energy_text(found.energy_uj, bounds=False) if found.energy_uj is not None else ""


def _untimed(estimates: Sequence[Estimate]) -> dict[str, list[str]]:
    """Boards without a time, by the reason."""
    found: dict[str, list[str]] = {}
    for each in estimates:
        if each.time_ms is None:
            found.setdefault(each.why, []).append(each.board)
    return found


def _blame(fit: Fit, peak: Peak) -> str:
    from mcugen.text import number

    blocks = " + ".join(f"{number(size)} ({name})" for name, size in peak.tensors if size)
    return f"{fit.board}: most RAM is in use in {peak.kind} {peak.layer}: {blocks} B"


def _candidate_row(candidate: Candidate) -> tuple[str, ...]:
    from mcugen.text import number

    label = f"× {candidate.factor:g}"
    if candidate.problem:
        return label, "", "", "", candidate.problem
    arenas = {fit.arena for fit in candidate.fits}
    spread = number(min(arenas)) if len(arenas) == 1 else f"{number(min(arenas))} … {number(max(arenas))}"
    names = [fit.board for fit in candidate.fits if fit.fits]
    all_of_them = len(names) == len(candidate.fits)
    return (
        label,
        number(candidate.macs),
        f"{number(candidate.weights)} B",
        f"{spread} B",
        ("all" if all_of_them else ", ".join(names) or "none"),
    )

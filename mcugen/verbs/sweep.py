"""`mcugen sweep`: many models on many boards, verified in parallel, as one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.sweep.engines import EngineName
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.names import Goal
    from mcugen.progress import Progress
    from mcugen.sweep.jobs import Outcome


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Brief):
    """All outcomes, models first, boards within.

    Attributes:
        reused: how many were known from an earlier run in the same folder.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path
    reused: int

    @property
    def exit_code(self) -> int:
        """1 if a device differs from the oracle, or a job has no verdict for another reason than size or ops."""
        return 1 if any(outcome.status in ("differs", "failed") for outcome in self.outcomes) else 0

    def counts(self) -> dict[str, int]:
        """How many outcomes have each status."""
        return dict(Counter(outcome.status for outcome in self.outcomes))

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.sweep/1",
            "mcugen": __version__,
            "folder": str(self.folder),
            "reused": self.reused,
            "counts": self.counts(),
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
        }


def sweep(
    models: Sequence[str | Path],
    *,
    boards: Sequence[str] | None = None,
    out: str | Path = "sweep",
    jobs: int = 1,
    engine: EngineName = "local",
    scheduler: str | None = None,
    samples: int = 4,
    seed: int = 0,
    optimize: Goal | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Verify every model on every board.

    Args:
        models: `.tflite` files.
        boards: names of boards with an emulator; all of them by default.
        out: folder of the outcomes. Outcomes of an earlier sweep there for the same model, board and options are
            reused.
        jobs: number of parallel jobs.
        engine: "local" processes, or "dask".
        scheduler: address of a running Dask cluster. Default: start one locally.
        samples, seed, optimize: as :func:`mcugen.api.verify` takes them.

    Raises:
        McugenError: nothing to do, a model that cannot be read, a board without emulator, or another sweep in the
            folder.
    """
    from mcugen.errors import ModelError
    from mcugen.outputs import write_file
    from mcugen.progress import no_progress
    from mcugen.sweep.engines import run_jobs
    from mcugen.sweep.jobs import make_jobs
    from mcugen.sweep.record import TABLE, Record, table_csv

    report = progress or no_progress
    if not models:
        raise ModelError("no models were given", hint="mcugen sweep models/*.tflite")
    arguments = ["--samples", str(samples), "--seed", str(seed), *(["--optimize", optimize] if optimize else [])]
    wanted = make_jobs([Path(model) for model in models], _boards(boards), arguments)
    with Record(Path(out)) as record:
        outcomes = {job.key: record.known[job.key] for job in wanted if job.key in record.known}
        reused = len(outcomes)
        missing = {job: model for job, model in wanted.items() if job.key not in outcomes}
        for outcome in run_jobs(missing, engine, max(1, jobs), scheduler) if missing else ():
            record.add(outcome)
            outcomes[outcome.key] = outcome
            report(f"{outcome.model} on {outcome.board}: {outcome.status}", len(outcomes) / len(wanted))
        ordered = tuple(outcomes[job.key] for job in wanted)
        write_file(Path(out) / TABLE, table_csv(ordered).encode())
    return SweepResult(ordered, Path(out), reused)


def _boards(names: Sequence[str] | None) -> list[str]:
    """The boards' names, all of which have an emulator."""
    from mcugen.boards.shipped import load_boards
    from mcugen.errors import BoardError
    from mcugen.flow.boards import named_board

    if names is None:
        return [board.name for board in load_boards().values() if board.emulator is not None]
    chosen = [named_board(name) for name in names]
    for board in chosen:
        if board.emulator is None:
            raise BoardError("has no emulator", where=board.name, hint="`api.boards()` lists those with one")
    return list(
        dict.fromkeys(name if name.endswith(".toml") else board.name for name, board in zip(names, chosen, strict=True))
    )


def command(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL…", help="int8 .tflite files.", show_default=False)],
    boards: Annotated[str, typer.Option("--boards", metavar="all|A,B,…", help="Emulated boards to run on.")] = "all",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the outcomes.")] = Path("sweep"),
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=1024, help="Number of parallel jobs.")] = 1,
    engine: Annotated[EngineName, typer.Option("--engine", help="Local processes, or a Dask cluster.")] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            show_default=False,
            help="Address of a running Dask cluster, such as tcp://host:8786. Default: start one locally.",
        ),
    ] = None,
    samples: options.Samples = 4,
    seed: options.Seed = 0,
    optimize: options.Optimize = None,
    json: options.Json = False,
) -> int:
    """Verify many models on many boards in parallel; a second run continues the first."""
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    names = None if boards == "all" else [name.strip() for name in boards.split(",") if name.strip()]
    with terminal.progress() as progress:
        result = sweep(
            models,
            boards=names,
            out=out,
            jobs=jobs,
            engine=engine,
            scheduler=scheduler,
            samples=samples,
            seed=seed,
            optimize=optimize,
            progress=progress,
        )
    return terminal.show(result, lambda console: _show(console, result))


_CELLS = {"exact": "✔", "differs": "✖ differs", "does not fit": "–", "unsupported": "no kernel", "failed": "✖ failed"}


def _show(console: Console, result: SweepResult) -> None:
    from mcugen.text import number
    from mcugen.ui.cost import count, rounded
    from mcugen.ui.terminal import columns, say_note, say_verdict

    rows = []
    for outcome in result.outcomes:
        exact = outcome.status == "exact"
        figures = [number(value) if exact else "" for value in (outcome.cost, outcome.flash, outcome.ram)]
        figures[1:1] = [
            count(outcome.cycles) if outcome.cycles else "",
            rounded(outcome.time_ms) if outcome.time_ms else "",
        ]
        rows.append((outcome.model, outcome.board, _CELLS[outcome.status], *figures))
    headings = ("model", "board", "", "instructions", "cycles", "ms", "flash B", "RAM B")
    console.print(columns(headings, rows, right=(3, 4, 5, 6, 7), whole=(1, 2)))
    for outcome in result.outcomes:
        if outcome.status in ("differs", "failed", "unsupported"):
            say_note(console, f"{outcome.model} on {outcome.board}: {outcome.text}")
    counts = result.counts()
    parts = [f"{counts[status]} {status}" for status in _CELLS if status in counts]
    parts += [f"{result.reused} of them from an earlier run"] if result.reused else []
    say_verdict(console, result.exit_code == 0, f"{', '.join(parts)}; kept in {result.folder}")

"""Many models on many boards: outcomes, what a second run does, and a cluster that loses a worker."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mcugen import api
from mcugen.errors import McugenError
from mcugen.sweep import engines, jobs
from mcugen.sweep.jobs import Job, Outcome, make_jobs, run_job
from mcugen.sweep.record import OUTCOMES, TABLE, Record, table_csv
from tests.cli.conftest import BOARD, Cli, int8_model
from tests.cli.test_fit import wide_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    contents = {
        "small": int8_model(),
        "wide": wide_model(),
        "broken": b"\0" * 40,
    }
    for name, data in contents.items():
        (folder / f"{name}.tflite").write_bytes(data)
    return {name: folder / f"{name}.tflite" for name in contents}


@pytest.mark.emulator
def test_every_kind_of_outcome(models: Mapping[str, Path], tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    result = api.sweep(list(models.values()), boards=["microbit"], out=out, jobs=2, samples=2)
    statuses = {outcome.model: outcome.status for outcome in result.outcomes}
    assert statuses == {"small": "exact", "wide": "does not fit", "broken": "failed"}
    small = result.outcomes[0]
    assert small.unit == "instructions"
    assert min(small.cost, small.flash, small.ram, small.arena) > 0
    assert result.exit_code == 1, "one has no verdict"
    table = (out / TABLE).read_text().splitlines()
    assert table[0].startswith("model,board,status,cost")
    assert table[1].startswith(f"small,microbit,exact,{small.cost},instructions")
    # Again: what is known is not run, what failed is.
    ran = cli("sweep", *models.values(), "--boards", "microbit", "-o", out, "--samples", 2, "--json")
    assert ran.code == 1
    assert ran.json["reused"] == 2
    assert ran.json["counts"] == {"exact": 1, "does not fit": 1, "failed": 1}
    shown = cli("sweep", models["small"], "--boards", "microbit", "-o", out, "--samples", 2)
    assert shown.code == 0
    assert "1 exact, 1 of them from an earlier run" in shown.out


def test_jobs_are_told_apart(models: Mapping[str, Path], tmp_path: Path) -> None:
    twin = tmp_path / "small.tflite"
    twin.write_bytes(models["small"].read_bytes() + b"\0")
    made = make_jobs([models["small"], twin, models["small"]], ["a", "b"], ["--seed", "1"])
    assert len(made) == 4, "the same model on the same board is one job"
    assert {job.model for job in made} == {str(models["small"]), str(twin)}, "equal names get their folders"
    other = make_jobs([models["small"]], ["a"], ["--seed", "2"])
    assert len({job.key for job in [*made, *other]}) == 5


def test_a_record_survives_a_kill_and_is_one_writers(tmp_path: Path) -> None:
    first = Outcome("k1", "m", "b", "exact", 10, "instructions", 1, 2, 3)
    failed = Outcome("k2", "m", "c", "failed", text="gone")
    with Record(tmp_path) as record:
        record.add(first)
        record.add(failed)
        with pytest.raises(McugenError, match="another sweep is running"), Record(tmp_path):
            pass
    path = tmp_path / OUTCOMES
    path.write_text(path.read_text() + '{"key": "k3", "mod')
    with Record(tmp_path) as record:
        assert record.known == {"k1": first}
        record.add(Outcome("k4", "m", "d", "differs"))
    with Record(tmp_path) as record:
        assert set(record.known) == {"k1", "k4"}
    assert table_csv([first]) == (
        "model,board,status,cost,unit,flash,ram,arena,text,cycles,time_ms\nm,b,exact,10,instructions,1,2,3,,0,0.0\n"
    )


@pytest.mark.parametrize("line", ["[]", "{}", '{"key": 1}', "nan", "[" * 5000])
def test_a_record_ignores_what_is_no_outcome(line: str, tmp_path: Path) -> None:
    (tmp_path / OUTCOMES).write_text(line + "\n")
    with Record(tmp_path) as record:
        assert record.known == {}


def test_wrong_arguments(models: Mapping[str, Path], tmp_path: Path) -> None:
    for arguments, said in (
        ({"models": []}, "no models"),
        ({"models": [tmp_path / "none.tflite"], "boards": [BOARD]}, "cannot be read"),
        ({"models": [models["small"]], "boards": ["mps9"]}, "unknown board"),
        ({"models": [models["small"]], "boards": ["pico"]}, "has no emulator"),
    ):
        with pytest.raises(McugenError, match=said):
            api.sweep(out=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_job_that_hangs(models: Mapping[str, Path]) -> None:
    (job,) = make_jobs([models["small"]], ["microbit"], [])
    outcome = run_job(job, models["small"].read_bytes(), timeout=0.05)
    assert outcome.status == "failed"
    assert "no verdict after" in outcome.text


def _lose_a_worker(job: Job, model: bytes) -> Outcome:
    """Stands for a verification; the worker that gets the third job dies, once."""
    mark = Path(model.decode()) / "died"
    if job.board == "board2" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job.board == "board3":
        os.kill(os.getpid(), signal.SIGKILL)
    with (mark.parent / "ran").open("a") as file:
        file.write(f"{job.board}\n")
    return Outcome(job.key, job.model, job.board, "exact", len(job.board))


@pytest.fixture
def cluster_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Job, bytes]:
    pytest.importorskip("distributed")
    monkeypatch.setattr(engines, "run_job", _lose_a_worker)
    monkeypatch.setattr(engines, "_LOSSES", 1)
    return {Job("m", "0" * 64, f"board{n}", ()): str(tmp_path).encode() for n in range(10)}


def test_dask_does_a_lost_workers_jobs_again(cluster_jobs: dict[Job, bytes], tmp_path: Path) -> None:
    outcomes = {outcome.board: outcome for outcome in engines.run_jobs(cluster_jobs, "dask", 2)}
    assert len(outcomes) == 10
    assert (tmp_path / "died").exists(), "a worker was killed"
    lost = outcomes.pop("board3")
    assert lost.status == "failed", "a job that kills every worker that takes it ends, too"
    assert "lost" in lost.text
    assert {outcome.status for outcome in outcomes.values()} == {"exact"}


def test_dask_without_a_scheduler(models: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(engines, "_CONNECT", "1s")
    found: list[Any] = []
    with pytest.raises(McugenError, match="no Dask scheduler responds"):
        found += engines.run_jobs(make_jobs([models["small"]], [BOARD], []), "dask", 1, "tcp://127.0.0.1:9")


def test_verdicts_and_errors_become_outcomes() -> None:
    job = Job("m", "0" * 64, "b", ())
    error = {"error": {"kind": "UnsupportedOpError", "what": "no kernel", "where": "op 3", "hint": "rewrite it"}}
    assert jobs._outcome(job, error) == Outcome(job.key, "m", "b", "unsupported", text="op 3: no kernel")
    timed = {"cycles": {"low": 8, "nominal": 9, "high": 10}, "time_ms": {"low": 0.1, "nominal": 0.25, "high": 1}}
    figures = {
        "cost": {"invoke": 5, "unit": "instructions", **timed},
        "flash": {"total": 6},
        "ram": {"total": 7, "arena": 8},
    }
    verdict = {"bit_exact": False, "passed": False, "first_divergent_op": {"op": 2, "kind": "ADD"}}
    outcome = jobs._outcome(job, {**figures, "verify": verdict})
    assert outcome == Outcome(job.key, "m", "b", "differs", 5, "instructions", 6, 7, 8, "first in op 2 ADD", 9, 0.25)
    untimed = {**figures, "cost": {"invoke": 5, "unit": "instructions", "cycles": None, "time_ms": None}}
    outcome = jobs._outcome(job, {**untimed, "verify": {**verdict, "passed": True}})
    assert (outcome.status, outcome.cycles, outcome.time_ms) == ("exact", 0, 0.0)


def test_outcomes_are_plain_json() -> None:
    outcome = Outcome("k", "m\n", "b", "differs", text="first in op 3 ADD")
    assert jobs.parse_outcome(json.loads(json.dumps(outcome.to_dict()))) == outcome
    assert jobs.parse_outcome({**outcome.to_dict(), "cost": True}) is None
    assert jobs.parse_outcome({**outcome.to_dict(), "status": "splendid"}) is None

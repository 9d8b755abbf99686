"""One pair of model and board: what has to be done, how it is done, and what comes out."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from mcugen import __version__
from mcugen.children import running_tree
from mcugen.errors import ModelError
from mcugen.outputs import temporary_folder

Status = Literal["exact", "differs", "does not fit", "unsupported", "failed"]
"""`exact`: the device equals the oracle. `failed`: no verdict, for another reason than the model's size or ops."""

STATUSES: tuple[Status, ...] = get_args(Status)

_REASONS: dict[str, Status] = {"DoesNotFitError": "does not fit", "UnsupportedOpError": "unsupported"}
_TIMEOUT_S = 1800
_MAX_TEXT = 500


@dataclass(frozen=True)
class Job:
    """A model on a board.

    Attributes:
        model: the model's name in tables.
        sha256: of the model file.
        options: what `mcugen verify` gets besides model and board.
    """

    model: str
    sha256: str
    board: str
    options: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for jobs that give the same outcome."""
        text = json.dumps([__version__, self.sha256, self.board, self.options])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Outcome:
    """What a job gave. Sizes in bytes; 0 and "" where there is no verdict.

    Attributes:
        key: of the job.
        cost, unit: of one inference.
        text: what was wrong, or "".
        cycles, time_ms: nominal, of one inference (docs/TIMING.md); 0 where they are not known.
    """

    key: str
    model: str
    board: str
    status: Status
    cost: int = 0
    unit: str = ""
    flash: int = 0
    ram: int = 0
    arena: int = 0
    text: str = ""
    cycles: int = 0
    time_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_outcome(data: object) -> Outcome | None:
    """An outcome out of JSON; None if that holds something else."""
    if not isinstance(data, dict) or set(data) != {field.name for field in fields(Outcome)}:
        return None
    kinds = {"cost": int, "cycles": int, "time_ms": float, "flash": int, "ram": int, "arena": int}
    if any(type(data[name]) is not kinds.get(name, str) for name in data) or data["status"] not in STATUSES:
        return None
    return Outcome(**data)


def make_jobs(models: Sequence[Path], boards: Sequence[str], options: Sequence[str]) -> dict[Job, bytes]:
    """Every model on every board, with the model's bytes, in the given order; equal jobs once.

    Raises:
        ModelError: a model that cannot be read.
    """
    jobs: dict[Job, bytes] = {}
    names = _short_names(models)
    for path, name in zip(models, names, strict=True):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}", where=str(path), hint="Pass .tflite files") from error
        digest = hashlib.sha256(data).hexdigest()
        for board in boards:
            jobs.setdefault(Job(name, digest, board, tuple(options)), data)
    return jobs


def _short_names(models: Sequence[Path]) -> list[str]:
    """File names without endings, or with their folders where that leaves two alike."""
    stems = [path.stem for path in models]
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, models, strict=True)]


def run_job(
    job: Job,
    model: bytes,
    timeout: float = _TIMEOUT_S,
    started: Callable[[subprocess.Popen[Any]], object] | None = None,
) -> Outcome:
    """Verify in a process and a folder of its own, so that jobs neither share files nor die together.

    Args:
        started: gets the process, to end it early.

    Never raises for what a model or a tool does: that is the outcome.
    """
    with temporary_folder("mcugen-sweep-") as folder:
        path = folder / "model.tflite"
        path.write_bytes(model)
        package_root = str(Path(__file__).resolve().parents[2])
        python_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        with running_tree(
            [sys.executable, "-m", "mcugen", "verify", str(path), "--board", job.board, "--json", *job.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env={**os.environ, "PYTHONPATH": python_path, "TMPDIR": str(folder)},
        ) as process:
            if started is not None:
                started(process)
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                return Outcome(job.key, job.model, job.board, "failed", text=f"no verdict after {timeout:.0f} s")
    try:
        facts = json.loads(stdout)
        return _outcome(job, facts)
    except (ValueError, KeyError, TypeError):
        said = stderr.strip().splitlines()
        text = f"mcugen verify ended with code {process.returncode}{': ' + said[-1] if said else ''}"
        return Outcome(job.key, job.model, job.board, "failed", text=text[:_MAX_TEXT])


def _outcome(job: Job, facts: Mapping[str, Any]) -> Outcome:
    if "error" in facts:
        error = facts["error"]
        text = ": ".join(filter(None, (error["where"], error["what"])))
        status = _REASONS.get(error["kind"], "failed")
        return Outcome(job.key, job.model, job.board, status, text=text[:_MAX_TEXT])
    verdict = facts["verify"]
    divergent = verdict["first_divergent_op"]
    text = f"first in op {divergent['op']} {divergent['kind']}" if divergent else ""
    good = verdict.get("passed", verdict["bit_exact"])
    cost = facts["cost"]
    cycles, time_ms = (cost[name]["nominal"] if cost[name] else 0 for name in ("cycles", "time_ms"))
    return Outcome(
        job.key,
        job.model,
        job.board,
        "exact" if good else "differs",
        cost["invoke"],
        cost["unit"],
        facts["flash"]["total"],
        facts["ram"]["total"],
        facts["ram"]["arena"],
        text,
        cycles,
        float(time_ms),
    )

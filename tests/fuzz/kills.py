"""Verbs that write, killed at random moments: nothing half-written, no process left, no traceback."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mcugen.monitor.record import read_recording
from tests import zoo

MARK = "MCUGEN_TEST_MARK"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: (-9,), signal.SIGTERM: (143, -15), signal.SIGINT: (130, -2)}
"""Python has not yet set its own handler while it starts: then the signal itself ends it."""
BOARD = "mps2-an386"
_STARTING_S = 0.1


@dataclass
class Kills:
    """What a campaign found."""

    count: int = 0
    killed: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Victim:
    """A command that writes, and how its output is judged.

    Attributes:
        arguments: of mcugen, made for the output's path.
        whole: whether an output that is there is whole.
        needs_project: works on a project at the output's path.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    whole: Callable[[Path], bool]
    needs_project: bool = False


def _is_project(folder: Path) -> bool:
    manifest = json.loads((folder / "mcugen.json").read_text())
    return all((folder / name).is_file() for name in manifest["files"])


def _is_table(folder: Path) -> bool:
    """Every line but a last one that was cut off is an outcome."""
    lines = (folder / "outcomes.jsonl").read_text().split("\n") if (folder / "outcomes.jsonl").exists() else [""]
    return all(json.loads(line) for line in lines[:-1])


def _is_recording(file: Path) -> bool:
    """A last line that was cut off is left out when it is read."""
    return file.stat().st_size == 0 or all(read_recording(file))


def _builds(folder: Path) -> bool:
    """What an ended build left does not stand in the way of the next, nor does it end up in the firmware."""
    code, _, _ = _run(["build", str(folder)], folder.parent, None, 120)
    return code == 0 and _is_project(folder)


def _repository(folder: Path) -> Path:
    """A folder for `ci init` that holds its model."""
    folder.mkdir()
    shutil.copy(zoo.path("sine"), folder / "sine.tflite")
    return folder / "sine.tflite"


def _is_job(folder: Path) -> bool:
    """What is there of the job and its test is there to the end."""
    files = [each for each in folder.rglob("*") if each.suffix in (".py", ".yml", ".toml")]
    return all(each.read_text().endswith("\n") and len(each.read_text()) > 100 for each in files)


def victims(folder: Path) -> list[Victim]:
    """The verbs that write, with inputs in `folder`."""
    model, floats, data = zoo.path("sine"), zoo.float_path("sine"), folder / "data.npy"
    np.save(data, zoo.samples("sine", 40, seed=1))
    return [
        Victim(
            "quantize",
            lambda out: ["quantize", str(floats), "--data", str(data), "-o", f"{out}.tflite"],
            lambda out: out.read_bytes()[4:8] == b"TFL3",
        ),
        Victim("generate", lambda out: ["generate", str(model), "--board", BOARD, "-o", str(out)], _is_project),
        Victim(
            "deploy",
            lambda out: ["deploy", str(model), "--board", BOARD, "-o", str(out), "--report", f"{out}.html"],
            _is_project,
        ),
        Victim(
            "run",
            lambda out: ["run", str(model), "--board", BOARD, "--inputs", str(data), "-o", f"{out}.npy"],
            lambda out: np.load(out).ndim > 0,
        ),
        Victim(
            "sweep",
            lambda out: ["sweep", str(model), "--boards", f"{BOARD},microbit", "--jobs", "2", "-o", str(out)],
            _is_table,
        ),
        Victim("build", lambda out: ["build", str(out)], _builds, needs_project=True),
        Victim(
            "monitor",
            lambda out: ["monitor", str(model), "--board", BOARD, "-n", "300", "--record", f"{out}.csv"],
            _is_recording,
        ),
        Victim(
            "ci",
            lambda out: [
                *("ci", "init", str(_repository(out)), "--board", BOARD, "--folder", str(out)),
                *("--install", "wheels/mcugen.whl"),
            ],
            _is_job,
        ),
    ]


def attack(folder: Path, seed: int, count: int, longest: float = 6.0) -> Kills:
    """Start and kill `count` times.

    Args:
        folder: an empty one.
        longest: seconds after which the last of them are killed.
    """
    rng, found = random.Random(seed), Kills()
    chosen = victims(folder)
    for number in range(count):
        victim, sent = rng.choice(chosen), rng.choice(SIGNALS)
        delay = rng.uniform(0, 1) ** 2 * longest  # most things happen early
        place = folder / f"run{number}"
        place.mkdir()
        had_one = victim.needs_project or (rng.random() < 0.5 and victim.name in ("generate", "deploy"))
        if had_one:
            _run(["generate", str(zoo.path("ds_cnn")), "--board", BOARD, "-o", str(place / "out")], place, None, 60)
        what = f"seed {seed}, run {number}: {victim.name}, {sent.name} after {delay:.2f} s"
        found.faults += [f"{what}: {fault}" for fault in _kill(victim, sent, delay, place, found, had_one=had_one)]
        found.count += 1
        shutil.rmtree(place)
    return found


def _kill(
    victim: Victim, sent: signal.Signals, delay: float, place: Path, found: Kills, *, had_one: bool
) -> Iterator[str]:
    out = place / "out"
    code, said, mark = _run(victim.arguments(out), place, sent, delay)
    if code in CODES[sent]:
        found.killed += 1
    elif code not in (0, 1):
        yield f"exit code {code}: {said[-300:]}"
    # What Python says of a signal while it starts itself is not ours to change.
    if ("Traceback" in said and delay > _STARTING_S) or "this is a bug" in said:
        yield f"said {said[-400:]!r}"
    if left := _left(mark):
        yield f"left running: {left}"
    for written in place.iterdir():
        if written.name == "temporary":
            if sent != signal.SIGKILL and any(written.iterdir()):
                yield f"left in the temporary folder: {sorted(each.name for each in written.iterdir())}"
            continue
        if written.suffix in (".html", ".json"):
            continue  # the page stands beside its facts, each whole
        if written.name.startswith("."):
            if sent != signal.SIGKILL:
                yield f"left {written.name}"
            continue
        try:
            if not victim.whole(written):
                yield f"{written.name} is not whole"
        except (OSError, ValueError, KeyError) as error:
            if not (had_one and not out.exists()):
                yield f"{written.name} is not whole: {error}"
    if had_one and not out.exists() and not list(place.glob(".out.old-*")):
        yield "what was there before is lost"


def _run(arguments: list[str], place: Path, sent: signal.Signals | None, delay: float) -> tuple[int, str, str]:
    """Run mcugen, and kill it after `delay` seconds (or wait so long at most). Its code, its errors, its mark."""
    mark = uuid.uuid4().hex
    temporary = place / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, MARK: mark, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "mcugen", *arguments]
    with (place / "temporary.log").open("w+") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment, cwd=place
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        if sent is not None and process.poll() is None:
            process.send_signal(sent)
        code = process.wait(120)
        log.seek(0)
        said = log.read()
    (place / "temporary.log").unlink()
    return code, said, mark


def _left(mark: str, seconds: float = 10.0) -> list[str]:
    """Commands that still run with this mark in their environment; they get some seconds to end."""
    until = time.monotonic() + seconds
    while True:
        found = []
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                if process.name.isdigit() and f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)

"""Mutated models, a short run of each kind; `make fuzz` does a hundred thousand."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mcugen.errors import McugenError
from mcugen.runtimes.aot.emit.host import host_compiler
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.tflm.view import read_view
from tests import zoo
from tests.fuzz import models
from tests.kernels.single_op import Node, TensorSpec, build_graph, options


@pytest.mark.parametrize("seed", range(4))
def test_mutated_models_are_taken_or_refused(seed: int) -> None:
    found = models.attack(seed, 700)
    assert found.faults == []
    assert 0.2 < found.taken / found.tried < 0.8, "mutants that are all alike prove nothing"


@pytest.mark.parametrize("seed", range(2))
def test_what_is_taken_equals_the_oracle(seed: int) -> None:
    found = models.attack(100 + seed, 60, compare=0.5)
    assert found.faults == []
    assert found.compared["EQUAL"] > 5


@pytest.mark.parametrize("path", models.corpus(), ids=lambda path: path.stem)
def test_models_that_broke_it_once(path: Path) -> None:
    data = path.read_bytes()
    taken = True
    try:
        make_plan(optimize(read_graph(data)))
    except McugenError:
        taken = False
    with suppress(McugenError):
        read_view(data)
    if taken:
        outcomes = {models.compared(data, target) for target in models.TARGETS}
        assert outcomes <= {"EQUAL", "REFUSED_LATER", "UNDEFINED"}


def test_differences_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: a wrong oracle and a crash are told from equality."""
    x = TensorSpec((1, 4), scale=0.5)
    y = TensorSpec((1, 4), scale=0.5)
    data = build_graph([Node("ADD", options("AddOptions"), [x, x], [y])], [y])
    assert models.compared(data, models.TARGETS[0]) == "EQUAL"
    with monkeypatch.context() as patch:
        patch.setattr(models.Oracle, "run", lambda _oracle, _sample: [np.full((1, 4), 77, np.int8)])
        assert models.compared(data, models.TARGETS[0]) == "DIFFERS for portable"

    def crash(*_unused: object) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(models.HostModel, "run", crash)
    assert models.compared(data, models.TARGETS[0]) == "signal SIGSEGV for portable"


def test_undefined_behaviour_ends_the_process(tmp_path: Path) -> None:
    source, program = tmp_path / "overflow.c", tmp_path / "overflow"
    source.write_text(
        "#include <limits.h>\nint main(int n, char **v) { (void)v; return (INT_MAX - 1 + n + n) == 0; }\n"
    )
    subprocess.run([host_compiler(), *models.SANITIZED, str(source), "-o", str(program)], check=True)
    assert subprocess.run([str(program)]).returncode in (-signal.SIGILL, -signal.SIGTRAP)


def test_wrong_addresses_are_watched_for(tmp_path: Path) -> None:
    assert models.watched(zoo.model("sine"), models.TARGETS[0], tmp_path) == "EQUAL"
    source, program = tmp_path / "beyond.c", tmp_path / "beyond"
    source.write_text(
        "static char a[4];\nint main(int n, char **v) { char *volatile p = a; (void)v; return p[n + 3]; }\n"
    )
    subprocess.run([host_compiler(), *models.ADDRESSES, str(source), "-o", str(program)], check=True)
    ended = subprocess.run([str(program)], capture_output=True, text=True)
    assert ended.returncode != 0
    assert "global-buffer-overflow" in ended.stderr

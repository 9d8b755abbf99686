"""Every oracle has a process of its own, a copy of one that is started once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mcugen.errors import ModelError, ToolError
from mcugen.oracle import Oracle, copies
from tests.cli.conftest import int8_model

pytest.importorskip("tflite_micro")

X = np.zeros((1, 6), np.int8)


def status(pid: int) -> dict[str, str]:
    """What Linux says of a process; its state is X if there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {"State": "X"}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def parent(oracle: Oracle) -> int:
    return int(status(oracle._process.pid)["PPid"])


def await_end(*pids: int) -> None:
    """Linux kills them, a moment later."""
    for _ in range(6000):
        if all(status(pid)["State"][0] in "XZ" for pid in pids):
            return
        time.sleep(0.01)
    pytest.fail("they live on")


def test_they_are_copies_of_one() -> None:
    with Oracle(int8_model()) as first, Oracle(int8_model()) as second:
        pids = [oracle._process.pid for oracle in (first, second)]
        assert pids[0] != pids[1]
        assert parent(first) == parent(second)
        np.testing.assert_array_equal(first.run([X])[0], second.run([X])[0])
    assert [status(pid)["State"] for pid in pids] == ["X", "X"]


def test_what_happens_to_one_happens_to_no_other() -> None:
    with Oracle(int8_model()) as first, Oracle(int8_model()) as second:
        os.kill(first._process.pid, signal.SIGSEGV)
        with pytest.raises(ModelError, match="TensorFlow Lite Micro crashed on this model"):
            first.run([X])
        assert len(second.run([X])) == 1


def test_the_original_is_started_again() -> None:
    with Oracle(int8_model()) as oracle:
        os.kill(parent(oracle), signal.SIGKILL)
        await_end(oracle._process.pid)
        with pytest.raises(ModelError, match="TensorFlow Lite Micro crashed on this model"):
            oracle.run([X])
    with Oracle(int8_model()) as oracle:
        assert len(oracle.run([X])) == 1


def test_a_fork_has_its_own() -> None:
    """The two would take each other's answers."""
    with Oracle(int8_model()) as oracle:
        ours = parent(oracle)
        child = os.fork()
        if child == 0:
            try:
                with Oracle(int8_model()) as own:
                    os._exit(0 if parent(own) != ours else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(oracle.run([X])) == 1


def test_all_end_with_who_started_them(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(int8_model())
    program = "import sys; from pathlib import Path; from mcugen.oracle import Oracle\n"
    program += "oracle = Oracle(Path(sys.argv[1]).read_bytes()); print(oracle._process.pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "model.tflite")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdout is not None
        copy = int(user.stdout.readline())
        original = int(status(copy)["PPid"])
        user.kill()
    await_end(original, copy)


def test_a_tflm_that_cannot_be_loaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tflite_micro"
    package.mkdir()
    (package / "__init__.py").write_text("import os; print('no such instruction', file=__import__('sys').stderr)\n")
    (package / "runtime.py").write_text("import os; os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(copies, "_original", None)
    with pytest.raises(ToolError, match=r"tflite-micro, cannot be loaded: no such instruction\. Install it again"):
        Oracle(int8_model())

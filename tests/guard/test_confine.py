"""What a process can no longer do once it is confined. Each try is one that works before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIES = {
    "write beside": "open(sys.argv[1] + '/../beside', 'w')",
    "truncate a file of others": "os.truncate(sys.argv[2], 0)",
    "remove a file of others": "os.remove(sys.argv[2])",
    "rename a file of others into its folder": "os.rename(sys.argv[2], sys.argv[1] + '/mine')",
    "start a program": "subprocess.run(['/bin/true'], check=True)",
    "start a shell": "assert os.system('true') == 0, 'shell'",
    "reach a network": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "send a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "reach a network by IPv6": "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
    "take much memory": "import mmap; mmap.mmap(-1, 9 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()",
    "write a huge file": "f = open(sys.argv[1] + '/own', 'w'); f.truncate(5 << 30)",
    "send a signal": "os.kill(int(sys.argv[3]), 0)",
}
ALLOWED = {
    "write in its folder": "open(sys.argv[1] + '/own', 'w').write('x')",
    "write in a folder of its own": "os.makedirs(sys.argv[1] + '/a/b'); open(sys.argv[1] + '/a/b/c', 'w').close()",
    "rename in its folder": "open(sys.argv[1] + '/x', 'w').close(); os.rename(sys.argv[1] + '/x', sys.argv[1] + '/y')",
    "throw away": "open('/dev/null', 'w').write('x')",
    "read": "open(sys.argv[2]).read()",
    "make temporary files": "import tempfile; tempfile.NamedTemporaryFile().write(b'x')",
    "start threads": "import threading; t = threading.Thread(target=int); t.start(); t.join()",
    "talk to itself": "socket.socketpair()",
}
SCRIPT = """\
import json, os, signal, socket, subprocess, sys
folder, actions, outcomes = sys.argv[1], json.loads(sys.argv[2]), {}
for name, action in actions.items():
    sys.argv[1:] = folder, f"{folder}/../others/{name}", sys.argv[3]
    try:
        exec(action)
    except BaseException as error:
        outcomes[name] = type(error).__name__
    else:
        outcomes[name] = "done"
print(json.dumps(outcomes))
"""
"""Makes all tries one after the other, each with a file of others to itself."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, str]]:
    """By whether it was confined: what became of each try."""
    found: dict[bool, dict[str, str]] = {}
    actions = {**TRIES, **ALLOWED}
    for confined in (True, False):
        place = tmp_path_factory.mktemp("tries")
        folder, others = place / "folder", place / "others"
        folder.mkdir()
        others.mkdir()
        for name in actions:
            (others / name).write_text("of others")
        (place / "attempt.py").write_text(SCRIPT)
        enter = ["mcugen.guard.enter", str(folder), "0"] if confined else []
        command = [sys.executable, "-m", *enter, "attempt", str(folder), json.dumps(actions), str(os.getpid())]
        path = os.pathsep.join([str(place), str(Path(__file__).parents[2])])
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
        assert done.returncode == 0, done.stderr
        found[confined] = json.loads(done.stdout)
        if confined:
            found[confined]["walls"] = (folder / "walls.json").read_text()
    return found


@pytest.fixture
def walls(outcomes: dict[bool, dict[str, str]]) -> set[str]:
    return set(json.loads(outcomes[True]["walls"]))


NEEDS = {
    "write beside": "files", "truncate a file of others": "files", "remove a file of others": "files",
    "rename a file of others into its folder": "files", "start a program": "system calls",
    "start a shell": "system calls", "reach a network": "system calls", "send a datagram": "system calls",
    "reach a network by IPv6": "system calls", "take much memory": "memory", "write a huge file": "memory",
    "send a signal": "files",
}  # fmt: skip
"""Try → the wall that stops it, where the system has that."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these walls")
@pytest.mark.parametrize("name", TRIES)
def test_a_confined_process_cannot(name: str, outcomes: dict[bool, dict[str, str]], walls: set[str]) -> None:
    if NEEDS[name] not in walls:
        pytest.skip(f"this kernel has no wall for {NEEDS[name]}")
    assert outcomes[False][name] in ("done", "MemoryError"), "the try itself is broken"
    assert outcomes[True][name] in ("PermissionError", "MemoryError", "OSError", "AssertionError"), outcomes[True][name]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_confined_process_can(name: str, outcomes: dict[bool, dict[str, str]]) -> None:
    assert outcomes[True][name] == outcomes[False][name] == "done"


def test_all_walls_stand_on_a_current_linux(walls: set[str]) -> None:
    """Where CI runs, none may go missing unnoticed."""
    if sys.platform != "linux" or tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12):
        pytest.skip("an older kernel, or another system")
    assert walls == {"files", "system calls", "memory"}


def test_no_thread_runs_before(tmp_path: Path) -> None:
    """A thread that runs already would stay free; NumPy starts some when it is imported."""
    script = "import threading, sys; threading.Thread(target=sys.stdin.read, daemon=True).start()\n"
    script += "sys.argv = ['enter', sys.argv[1], '0', 'this']\nfrom mcugen.guard.enter import main\nmain()\n"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "a thread runs already" in process.stderr.read()
    assert not (tmp_path / "home").exists()


def test_entering_imports_nothing_that_starts_threads() -> None:
    code = "import sys, mcugen.guard.enter; print('numpy' in sys.modules, 'mcugen.convert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

"""`mcugen monitor` with emulated boards: counted, recorded, stopped, and brought back when they die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.emulators.qemu import find_qemu
from mcugen.errors import McugenError
from mcugen.monitor.record import read_recording
from mcugen.monitor.state import State
from mcugen.monitor.types import Message, Note, Reading
from tests.cli.conftest import BOARD, ROOT, Cli, int8_model
from tests.cli.test_json import assert_documented
from tests.kernels.single_op import make_samples, oracle
from tests.schemas import check

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="session")
def firmware(project: Path) -> Path:
    return api.build(project).firmware.elf


def test_lines_json_recording_and_replay_agree(cli: Cli, project: Path, tmp_path: Path) -> None:
    samples = make_samples(int8_model(), 3)[:3]
    np.save(tmp_path / "x.npy", np.concatenate([sample[0] for sample in samples]))
    ran = cli(
        "monitor",
        project,
        "-i",
        tmp_path / "x.npy",
        "-n",
        4,
        "--record",
        tmp_path / "run.csv",
        "--json",
        "--labels",
        "a,b,c,d",
    )
    assert ran.code == 0, ran.err
    facts = ran.json["devices"][0]
    assert ran.json["schema"] == "mcugen.monitor/1"
    assert (facts["samples"], facts["reconnects"], facts["cost"]["unit"]) == (4, 0, "instructions")
    expected = [outputs[0] for outputs in oracle(int8_model(), samples)]
    readings = [m for m in read_recording(tmp_path / "run.csv") if isinstance(m, Reading)]
    assert [m.sample.number for m in readings] == [0, 1, 2, 0]
    for taken in readings:
        np.testing.assert_array_equal(taken.outputs[0], expected[taken.sample.number])
    assert_documented(ran.json)
    again = check(api.replay(tmp_path / "run.csv").to_dict())
    assert (again["schema"], again["devices"]) == ("mcugen.replay/1", ran.json["devices"])
    lines = cli("replay", tmp_path / "run.csv").out.splitlines()
    best = "abcd"[int(np.argmax(expected[0]))]
    assert lines[0].split()[:4] == ["1", "sample", "0", best]


@pytest.mark.parametrize("board", [BOARD, "netduinoplus2", "microbit", "qemu-virt-rv32"])
def test_a_killed_emulator_of_ours_is_started_again(board: str, tmp_path: Path) -> None:
    """On three families and two architectures: deployed, proved, watched; killed meanwhile, started again."""
    model = tmp_path / "small.tflite"
    model.write_bytes(int8_model())
    assert api.deploy(model, board=board, out=tmp_path / "firmware", samples=2).verdict.bit_exact
    killed: list[int] = []

    def kill_once(message: Message | None, _state: State) -> None:
        if isinstance(message, Reading) and message.number == 3 and not killed:
            killed.extend(_our_emulators())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    before = _our_emulators()
    assert not before
    seen = api.monitor(tmp_path / "firmware", count=8, rate=20, show=kill_once)
    device = seen.state.devices[0]
    assert len(killed) == 1
    assert (device.count, device.reconnects) == (8, 1)
    assert [note.kind for note in device.log] == ["lost", "back"]
    assert not _our_emulators()


def _our_emulators() -> list[int]:
    """QEMU processes that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and b"qemu-system" in command.split(b"\0")[0]:
            found.append(int(folder.name))
    return found


def test_a_restarted_emulator_behind_the_same_socket(firmware: Path, tmp_path: Path) -> None:
    """Somebody else's device dies and comes back: told both times, and the recording has all of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = [_listen(firmware, port)]

    def restart(message: Message | None, _state: State) -> None:
        if isinstance(message, Reading) and message.number == 3:
            running[0].kill()
            running[0].wait(10)
        if isinstance(message, Note) and message.kind == "lost":
            running.append(_listen(firmware, port))

    try:
        seen = api.monitor(
            ports=[f"socket://127.0.0.1:{port}"], count=6, rate=20, record=tmp_path / "run.csv", show=restart
        )
    finally:
        for process in running:
            process.kill()
            process.wait(10)
    assert len(running) == 2
    assert (seen.state.devices[0].count, seen.state.devices[0].reconnects) == (6, 1)
    recorded = list(read_recording(tmp_path / "run.csv"))
    assert [m.number for m in recorded if isinstance(m, Reading)] == [1, 2, 3, 4, 5, 6]
    notes = [m for m in recorded if isinstance(m, Note)]
    assert [m.kind for m in notes] == ["lost", "back"]
    assert "begins anew" in notes[1].text


def _listen(firmware: Path, port: int) -> subprocess.Popen[bytes]:
    board = load_board(BOARD)
    assert board.emulator is not None
    process = subprocess.Popen(
        [
            find_qemu(),
            "-M",
            board.emulator.machine,
            *board.emulator.args,
            "-icount",
            f"shift={board.emulator.icount_shift},align=off,sleep=off",
            "-nodefaults",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on",
            "-kernel",
            str(firmware),
        ],
        stdin=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        listening = Path("/proc/net/tcp").read_text().upper()
        if f"0100007F:{port:04X} 00000000:0000 0A" in listening:  # without connecting, which QEMU would notice
            return process
        time.sleep(0.05)
    raise AssertionError("QEMU does not listen")


def test_ctrl_c_ends_cleanly_and_leaves_a_whole_recording(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "mcugen", "monitor", str(project), "--record", str(path), "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 120
        while not path.exists() or path.read_text().count("reading") < 5:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    facts = json.loads(out)
    assert facts["stopped"] is True
    recorded = sum(isinstance(m, Reading) for m in read_recording(path))
    assert recorded == facts["devices"][0]["samples"] >= 5


def test_several_devices(project: Path, tmp_path: Path) -> None:
    seen = api.monitor([project, project], count=2, record=tmp_path / "run.csv")
    names = [device.facts.device for device in seen.state.devices.values()]
    assert names == [f"{BOARD} (emulator 1)", f"{BOARD} (emulator 2)"]
    assert {m.device for m in read_recording(tmp_path / "run.csv")} == {0, 1}


@pytest.mark.parametrize(
    ("targets", "options", "what"),
    [
        (0, {}, "nothing to watch"),
        (2, {"ports": [f"socket://127.0.0.1:{n}" for n in (1, 2, 3)]}, "do not match"),
        (0, {"ports": ["socket://127.0.0.1:1"] * 2}, "listed twice"),
        (1, {"inputs": "device"}, "no loop of its own"),
        (1, {"record": "there.csv"}, "exists already"),
        (1, {"record": "run.txt"}, "recordings are written as"),
        (1, {"count": -1}, "negative"),
    ],
)
def test_what_cannot_be_watched(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: int, options: dict[str, Any], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(McugenError, match=what):
        api.monitor([project] * targets, **{"count": 1, **options})
    assert (tmp_path / "there.csv").read_text() == "mine"

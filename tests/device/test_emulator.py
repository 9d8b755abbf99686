"""The harness and board support in QEMU, on every board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.builder.identity import build_id
from mcugen.cores.architectures import RISCV
from mcugen.device import connecting, open_device
from mcugen.device.emulated import EmulatedBoard
from mcugen.emulators.qemu import find_qemu
from mcugen.errors import BoardError, DeviceError, ToolError
from tests.device.build import build_double, double_answer

pytestmark = pytest.mark.emulator

UNDEFINED, OVERFLOW, FAIL, LOOP, USE_STACK, TIMER = 100, 101, 103, 104, 105, 106
"""First input bytes with which the test double misbehaves."""

Build = Callable[[str], tuple[Path, Board]]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Build:
    built: dict[str, tuple[Path, Board]] = {}

    def build(name: str) -> tuple[Path, Board]:
        if name not in built:
            board = load_board(name)
            built[name] = (build_double(board, tmp_path_factory.mktemp(name)), board)
        return built[name]

    return build


def sample(first: int = 0, argument: int = 0) -> np.ndarray:
    array = np.arange(64, dtype=np.int8).reshape(1, 64)
    array[0, 0] = first
    array[0, 1:5] = np.frombuffer(np.uint32(argument).tobytes(), np.int8)
    return array


EMULATED = [name for name, board in load_boards().items() if board.emulator]
FIRST_OF_CORE = {load_boards()[name].core.name: name for name in reversed(EMULATED)}.values()
"""Boards of one core count alike: the first of them tries every length around an overflow."""


@pytest.mark.parametrize("name", EMULATED)
def test_a_board_runs_and_measures(firmware: Build, name: str) -> None:
    elf, board = firmware(name)
    with open_device(elf, board, timeout=120) as device:
        assert device.hello.board == name
        assert device.hello.stack_bytes == board.stack_bytes
        assert device.cost_unit == "instructions"
        assert device.hello.build_id == build_id(elf)
        assert len(device.hello.build_id) == 40
        x = sample()
        (answer,), cost = device.run([x])
        np.testing.assert_array_equal(answer, double_answer(x))
        assert 20 < cost < 3000
        assert [device.run([x])[1] for _ in range(20)] == [cost] * 20
        per_op = device.profile([x])
        assert len(per_op) == 2
        assert abs(sum(per_op) - cost) < 60
        assert device.profile([x]) == per_op
        assert 0 <= device.init_cost < 20

        # The loop's length is known: an independent count. At 20 M instructions SysTick has overflowed several times,
        # and lengths around one overflow hit its edge.
        empty = device.run([sample(LOOP, 1)])[1] - 2
        assert board.emulator is not None
        overflow = board.emulator.instructions(1 << 24)
        around = range(-3, 4) if name in FIRST_OF_CORE else range(-1, 2)
        for length in (1000, 100_000, *(overflow + 10 * i for i in around), 10_000_000, 20_000_000):
            assert device.run([sample(LOOP, length // 2)])[1] - empty == length // 2 * 2

        stack = device.stack_used([sample()])
        deep = device.stack_used([sample(USE_STACK, 100)])
        assert 0 < stack < 300
        assert stack + 250 < deep < stack + 600

        with pytest.raises(DeviceError, match="inference failed: error -5"):
            device.run([sample(FAIL)])
        fault = "an illegal instruction" if board.architecture is RISCV else "a HardFault"
        with pytest.raises(DeviceError, match=rf"{fault}.*in run_trouble \(mcg_model\.c:\d+\)"):
            device.run([sample(UNDEFINED)])
        with pytest.raises(DeviceError, match=fault):  # it stays so until it is reset
            device.run([x])
        device.reset()
        np.testing.assert_array_equal(device.run([x])[0][0], double_answer(x))
        with pytest.raises(DeviceError, match="stack overflow"):
            device.run([sample(OVERFLOW)])


def test_the_timer_of_parts_without_dwt_and_systick(tmp_path: Path) -> None:
    """nRF51 has no SysTick, though QEMU gives it one. Its TIMER0 must count as well as SysTick does there."""
    board = load_board("microbit")
    elf = build_double(board, tmp_path, extra=("-DMODEL_TIMER",))
    assert board.emulator is not None
    with open_device(elf, board) as device:
        for length in (10_000, 5_000_000):
            (answer,), _ = device.run([sample(TIMER, length)])
            nibbles = (answer.view(np.uint8)[0, 1:9] // 2 - 1).astype(int)
            ticks = sum(nibble << 4 * i for i, nibble in enumerate(nibbles.tolist()))
            assert abs(board.emulator.instructions(ticks) - length) < 60


def test_large_tensors(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    elf = build_double(board, tmp_path, size=10_000, inputs=2)
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (1, 10_000), dtype=np.int8) for _ in range(2))
    a[0, 0] = 0
    with open_device(elf, board) as device:
        (answer,), _ = device.run([a, b])
        np.testing.assert_array_equal(answer, double_answer(a, b))
        layers = list(device.layers([a, b]))
        assert layers == [(0, (a + b + np.int8(1)).tobytes()), (1, answer.tobytes())]


def test_an_overflow_that_does_not_fault_is_noticed(firmware: Build) -> None:
    """The double uses the whole stack to its last words, but not more."""
    elf, board = firmware("mps2-an385")
    with open_device(elf, board) as device:
        free = board.stack_bytes - device.stack_used([sample()])
        assert device.stack_used([sample(USE_STACK, free // 4 - 60)]) < board.stack_bytes

        def go_deeper() -> None:
            for words in range(free // 4 - 59, free // 4 + 60):
                x = sample(USE_STACK, words)
                np.testing.assert_array_equal(device.run([x])[0][0], double_answer(x))

        with pytest.raises(DeviceError, match="the stack of 4096 bytes overflowed"):
            go_deeper()


def test_parallel_runs_do_not_collide(firmware: Build) -> None:
    elf, board = firmware("mps2-an386")
    devices = [open_device(elf, board) for _ in range(3)]
    try:
        for shift, device in enumerate(devices):
            x = np.roll(sample(), shift)
            np.testing.assert_array_equal(device.run([x])[0][0], double_answer(x))
    finally:
        for device in devices:
            device.close()


def test_over_a_tcp_port(firmware: Build) -> None:
    """The same device reached by a pyserial URL, as a user would who starts QEMU by hand."""
    import socket

    elf, board = firmware("mps2-an386")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [
        find_qemu(),
        "-M",
        "mps2-an386",
        "-nodefaults",
        "-display",
        "none",
        "-icount",
        "shift=7,sleep=off",
        "-serial",
        f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on",
        "-kernel",
        str(elf),
    ]
    process = subprocess.Popen(command)
    try:
        for _ in range(100):
            try:
                device = open_device(elf, board, port=f"socket://127.0.0.1:{port}")
                break
            except DeviceError:
                time.sleep(0.05)
        with device:
            assert device.cost_unit == "instructions"  # its counter runs exactly as the board file says
            np.testing.assert_array_equal(device.run([sample()])[0][0], double_answer(sample()))
    finally:
        process.kill()
        process.wait()
    with pytest.raises(DeviceError, match="port cannot be opened"):
        open_device(elf, board, port=f"socket://127.0.0.1:{port}")


def test_a_killed_emulator_is_a_clear_error(firmware: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    elf, board = firmware("mps2-an386")
    started: list[EmulatedBoard] = []

    class Recorded(EmulatedBoard):
        def __init__(self, elf: Path, board: Board, emulator: str | None = None, **more: Any) -> None:
            super().__init__(elf, board, emulator, **more)
            started.append(self)

    monkeypatch.setattr(connecting, "EmulatedBoard", Recorded)
    with open_device(elf, board) as device:
        os.kill(started[0].pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="the emulator ended by signal SIGKILL"):
            device.run([sample()])
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)  # no zombie either


def test_the_emulator_ends_when_its_starter_is_killed(firmware: Build, tmp_path: Path) -> None:
    elf, _ = firmware("mps2-an386")
    script = tmp_path / "starter.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom mcugen.boards.shipped import load_board\n"
        "from mcugen.device.emulated import EmulatedBoard\n"
        f"emulator = EmulatedBoard(Path({str(elf)!r}), load_board('mps2-an386'))\n"
        "print(emulator.pid, flush=True)\ntime.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    with starter:
        pid = int(starter.stdout.readline())
        os.kill(pid, 0)
        time.sleep(0.5)  # let the child become QEMU
        starter.kill()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the emulator outlived its starter")


def test_what_the_emulator_says_is_in_the_error(firmware: Build) -> None:
    elf, board = firmware("mps2-an386")
    assert board.emulator is not None
    wrong = replace(board, models=(("qemu", replace(board.emulator, machine="no-such-machine")),))
    with pytest.raises(DeviceError, match=r"emulator ended with exit code 1: .*unsupported machine"):
        open_device(elf, wrong)


def test_a_counter_that_runs_otherwise_is_noticed(firmware: Build) -> None:
    elf, board = firmware("mps2-an386")
    assert board.emulator is not None
    wrong = replace(board, models=(("qemu", replace(board.emulator, counter_hz=20_000_000)),))
    with pytest.raises(DeviceError, match="counter is off"):
        open_device(elf, wrong)


def test_another_firmware_board_or_model_is_refused(firmware: Build) -> None:
    elf, board = firmware("mps2-an386")
    with pytest.raises(DeviceError, match="runs another model"):
        open_device(elf, board, model_sha256="ff" * 32)
    with pytest.raises(DeviceError, match="the device is a mps2-an386"):
        open_device(elf, replace(board, name="other"))


def test_missing_tools_and_files(firmware: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elf, board = firmware("mps2-an386")
    with pytest.raises(DeviceError, match="firmware does not exist"):
        open_device(tmp_path / "none.elf", board)
    with pytest.raises(BoardError, match="has no emulator"):
        open_device(elf, replace(board, models=()))
    with pytest.raises(DeviceError, match="port cannot be opened"):
        open_device(elf, board, port="/dev/does-not-exist")
    with pytest.raises(DeviceError, match="port cannot be opened"):
        open_device(elf, board, port="nonsense://")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt install qemu-system-arm"):
        open_device(elf, board)

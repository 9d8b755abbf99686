"""On emulated boards: inferences that a watchdog or a host has no patience for, faults in their midst, restarts."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.boards.shipped import load_board
from mcugen.device import open_device
from mcugen.device.emulated import EmulatedBoard
from mcugen.device.link import ConnectionLostError
from mcugen.errors import DeviceError
from tests.device.build import build_double, double_answer

pytestmark = pytest.mark.emulator

SLOW, LATE_FAULT = 107, 108
"""First input bytes: both ops take 2,000,000 instructions; op 1 faults."""


def sample(first: int = 0) -> np.ndarray:
    array = np.arange(64, dtype=np.int8).reshape(1, 64)
    array[0, 0] = first
    return array


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_double(load_board("lm3s6965evb"), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its watchdog resets after 0.2 s at 50 MHz; an op of a slow inference takes 0.128 s of the emulator's time."""
    folder = tmp_path_factory.mktemp("watched")
    return build_double(load_board("lm3s6965evb"), folder, extra=("-DMODEL_WATCHDOG=5000000u",))


def test_a_watchdog_is_fed_between_ops(watched: Path) -> None:
    board = load_board("lm3s6965evb")
    with open_device(watched, board) as device:
        assert device.hello.has_watchdog
        assert device.paced
        heard: list[float] = []
        (answer,), cost = device.run([sample(SLOW)], on_progress=heard.append)
        np.testing.assert_array_equal(answer, double_answer(sample(SLOW)))
        assert heard == [1 / 3, 2 / 3, 1.0]  # the input, and every op
        assert any("inferences go op by op" in text for text in device.warnings())
        assert 4_000_000 < cost < 4_001_000
        assert 0 < device.stack_used([sample(SLOW)]) < 300, "the stack of sending is not the model's"
        # Without pauses it is reset in the middle: an error, and no answer.
        device.paced = False
        with pytest.raises(ConnectionLostError, match="it was restarted"):
            device.run([sample(SLOW)])


def test_pacing_costs_some_instructions_per_op_and_changes_nothing_else(plain: Path) -> None:
    board = load_board("lm3s6965evb")
    with open_device(plain, board) as device:
        assert not device.paced
        (straight,), cost = device.run([sample()])
        device.paced = True
        (answer,), paced_cost = device.run([sample()])
        np.testing.assert_array_equal(answer, straight)
        assert cost < paced_cost < cost + 100
        assert device.run([sample()])[1] == paced_cost
        device.paced = False
        assert device.run([sample()])[1] == cost


def test_a_fault_in_the_middle_of_an_inference_is_found(plain: Path) -> None:
    board = load_board("lm3s6965evb")
    source = (Path(__file__).parent / "double" / "mcg_model.c").read_text().splitlines()
    line = next(n for n, text in enumerate(source, 1) if "trouble == LATE_FAULT" in text)
    for paced in (False, True):
        with open_device(plain, board, paced=paced) as device:
            message = rf"HardFault \(undefined instruction\): PC 0x[0-9a-f]+ in op1 \(mcg_model\.c:{line}\)"
            with pytest.raises(DeviceError, match=message):
                device.run([sample(LATE_FAULT)])
            device.reset()
            np.testing.assert_array_equal(device.run([sample()])[0][0], double_answer(sample()))


def test_a_killed_emulator_is_started_again(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("lm3s6965evb")
    started: list[EmulatedBoard] = []
    original = EmulatedBoard.__init__

    def recorded(self: EmulatedBoard, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        started.append(self)

    monkeypatch.setattr(EmulatedBoard, "__init__", recorded)
    with open_device(plain, board) as device:
        steps = device.layers([sample()])
        next(steps)
        os.kill(started[0].pid, signal.SIGKILL)
        with pytest.raises(ConnectionLostError, match="the emulator ended by signal SIGKILL"):
            next(steps)
        again = device.reconnect()
        assert not again.resumed
        np.testing.assert_array_equal(device.run([sample()])[0][0], double_answer(sample()))
        # An inference of the old session does not go on in the new one.
        left = device.layers([sample()])
        next(left)
        device.reconnect()
        with pytest.raises(DeviceError, match="re-established during an inference"):
            next(left)
    assert len(started) == 3
    with pytest.raises(ProcessLookupError):
        os.kill(started[-1].pid, 0)

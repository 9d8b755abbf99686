"""Host and device over links that drop, repeat, reorder, corrupt and delay: no wrong answer, and no end without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcugen.device import device as device_module
from mcugen.device.device import Device
from mcugen.device.link import ConnectionLostError, Link
from tests.device.build import build_loaded_double, double_answer
from tests.device.simulated import BadLink, Faults, LoadedDouble

SIZE = 300
"""Bytes per tensor: two frames."""
TIMEOUT_S = 60.0
FRAMES = 100_000

LINKS = {
    "drop": Faults(drop=0.1),
    "repeat": Faults(repeat=0.3),
    "delay": Faults(delay=0.15),
    "corrupt": Faults(corrupt=0.1),
    "truncate": Faults(truncate=0.1),
    "garbage": Faults(garbage=0.3),
    "split": Faults(split=0.2),
    "bytes": Faults(byte_drop=0.0005, byte_repeat=0.0005, byte_swap=0.0005),
    "slow": Faults(repeat=0.05, delay=0.05, slow_op=0.8 * TIMEOUT_S),
    "everything": Faults(
        drop=0.03,
        repeat=0.05,
        delay=0.05,
        corrupt=0.03,
        truncate=0.02,
        garbage=0.05,
        split=0.05,
        byte_drop=0.0001,
        byte_repeat=0.0001,
        byte_swap=0.0001,
        slow_op=1.0,
    ),
    "resets": Faults(drop=0.02, repeat=0.05, delay=0.02, corrupt=0.02, reset=0.01, unplug=0.01),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_loaded_double(tmp_path_factory.mktemp("double"), size=SIZE, inputs=2)


@contextmanager
def behind(library: Path, folder: Path, faults: Faults, seed: int) -> Iterator[tuple[BadLink, Callable[[], Link]]]:
    double = LoadedDouble(library, folder)
    wire = BadLink(double, faults, seed)
    try:
        yield wire, lambda: Link(wire.connect(), "bad link", clock=wire.clock)
    finally:
        double.close()


def one_inference(device: Device, rng: np.random.Generator, kind: int) -> None:
    """Run one inference in one of four ways, and check every byte of its answer."""
    inputs = [rng.integers(-128, 128, (1, SIZE), dtype=np.int8) for _ in range(2)]
    inputs[0][0, 0] = 0  # the double's first byte asks for trouble
    expected = double_answer(*inputs)
    if kind == 0:
        layers = dict(device.layers(inputs))
        assert layers[0] == (inputs[0] + inputs[1] + np.int8(1)).tobytes()
        assert layers[1] == expected.tobytes()
    elif kind == 1:
        assert len(device.profile(inputs)) == 2
    else:
        device.paced = kind == 2
        heard: list[float] = []
        (answer,), cost = device.run(inputs, on_progress=heard.append)
        np.testing.assert_array_equal(answer, expected)
        assert cost == 0  # this port's clock moves only when it is read, and that is taken off
        assert heard == sorted(set(heard)), "progress is told once and in order"
        assert heard[-1] == 1.0


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "RETRY_S", 0.0)


@pytest.mark.parametrize("name", LINKS)
def test_no_wrong_answer_and_no_hang(
    library: Path, name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    share = FRAMES // len(LINKS) + 1
    seed = list(LINKS).index(name)
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    with behind(library, tmp_path, LINKS[name], seed) as (wire, connect):
        with Device(connect(), timeout=TIMEOUT_S, reopen=connect) as device:
            while wire.frames < share:
                resets = wire.device.resets
                try:
                    one_inference(device, rng, seen["inferences"] % 4)
                    seen["inferences"] += 1
                except ConnectionLostError:
                    assert LINKS[name].reset, "this link loses frames, but not the device"
                    reconnection = device.reconnect()
                    seen["reconnections"] += 1
                    assert not (reconnection.resumed and wire.device.resets > resets), "a restart must be noticed"
                    seen["resumed"] += reconnection.resumed
        seen.update(frames=wire.frames, damaged=wire.damaged, resets=wire.device.resets, unplugged=wire.unplugged)
        seen["virtual seconds"] = int(wire.now)
    assert seen["inferences"] > 100
    if LINKS[name].reset:
        assert min(seen["resets"], seen["unplugged"], seen["resumed"], seen["reconnections"] - seen["resumed"]) > 3
    figures = ", ".join(f"{value:,} {key}" for key, value in seen.items() if value)
    print(f"{name}: {figures}; no wrong answer")
    record_property("bad_link", {"frames": seen["frames"], "inferences": seen["inferences"]})

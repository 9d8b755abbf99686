"""A device that is none, for what needs no emulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mcugen.device.device import Device, Reconnection
from mcugen.device.faults import FaultError
from mcugen.device.link import ConnectionLostError
from mcugen.device.protocol import TensorInfo
from mcugen.graph.types import DType
from mcugen.monitor.sources import Source, open_source
from mcugen.monitor.types import Facts, Reading, Sample
from mcugen.monitor.watch import Feeding, Known, Watched
from mcugen.tflite.types import TensorSpec

INPUT = TensorSpec("sound", (1, 8), "int8", 0.02, 0)
SCORES = TensorSpec("scores", (1, 3), "int8", 1 / 256, -128)


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "device": "fake",
        "board": "mps2-an386",
        "runtime": "aot",
        "model": "tiny",
        "sha256": "ab" * 32,
        "unit": "instructions",
        "hz": 0,
        "labels": ("no", "yes", "maybe"),
        "inputs": (INPUT,),
        "outputs": (SCORES,),
        "ranges": (None,),
        "arena_bytes": 128,
        "feed": "noise, seed 0",
    }
    return Facts(**{**given, **changes})


def reading(
    outputs: Sequence[NDArray[Any]],
    *,
    number: int = 1,
    inputs: Sequence[NDArray[Any]] | None = None,
    outside: float = 0.0,
    cost: int = 1000,
    time: float = 1000.0,
    device: int = 0,
) -> Reading:
    given = inputs if inputs is not None else [np.full((1, 8), number % 100, np.int8)]
    return Reading(device, number, time, Sample(tuple(given), number - 1, outside), tuple(outputs), cost, 0.01)


def scores(*values: int) -> NDArray[np.int8]:
    return np.array([values], np.int8)


class FakeDevice:
    """Answers with the sample's first three values; fails where `fail` says so, by the number of the call."""

    def __init__(
        self, fail: Callable[[int], Exception | None] = lambda _call: None, away: int = 0, stopped: bool = False
    ) -> None:
        self._fail, self._away, self._stopped = fail, away, stopped
        self.calls = self.forgotten = self.resets = self.closed = 0
        self.cost_unit = "instructions"
        self.hello = SimpleNamespace(
            board="mps2-an386", runtime="aot", model="tiny", model_sha256="ab" * 32, counter_hz=0, arena_bytes=128
        )

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        return (_info(INPUT, 8),), (_info(SCORES, 3),)

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], int]:
        self.calls += 1
        error = self._fail(self.calls)
        if error is not None:
            raise error
        return [inputs[0][:, :3]], 1000 + self.calls

    def profile(self, _inputs: Sequence[NDArray[Any]]) -> list[int]:
        return [700, 300]

    def warnings(self) -> tuple[str, ...]:
        return ()

    def reconnect(self, _wait: float) -> Reconnection:
        self._away -= 1
        if self._away >= 0:
            raise ConnectionLostError("nobody answers", where="fake")
        if self._stopped:
            raise FaultError("the program stopped")
        return Reconnection(0.0, resumed=False)

    def reset(self) -> None:
        self.resets += 1

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        self.closed += 1


def _info(spec: TensorSpec, nbytes: int) -> TensorInfo:
    return TensorInfo(spec.name, DType(spec.dtype), spec.shape, nbytes, spec.scale, spec.zero_point)


def watched(device: FakeDevice, *, name: str = "fake", stateful: bool | None = None) -> Watched:
    """The fake as something to watch; with `stateful`, as a project's device that is known."""
    known = None
    if stateful is not None:
        known = Known(
            model="tiny",
            inputs=(INPUT,),
            outputs=(SCORES,),
            labels=("no", "yes", "maybe"),
            ranges=(None,),
            indices=(None,),
            ops=(("hidden", "CONV_2D"), ("scores", "SOFTMAX")),
            blocks=(),
            stateful=stateful,
        )
    return Watched(name, lambda: cast(Device, device), known)


def feeding(**options: Any) -> Feeding:
    def source(specs: Sequence[TensorSpec], ranges: Any, indices: Any) -> Source:
        return open_source("noise", specs, ranges, indices)

    return Feeding(source, **options)

"""Firmware that speaks MLPerf Tiny's protocol, driven over the emulator's UART as the benchmark's runner does."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.convert import convert
from mcugen.device.emulated import EmulatedBoard
from mcugen.errors import McugenError
from mcugen.numerics.affine import quantize
from mcugen.oracle import Oracle
from mcugen.runtimes.aot.graph import read_graph
from tests.cli.conftest import BOARD, int8_model
from tests.models import model_bytes, real
from tests.zoo.layers import Net

pytestmark = pytest.mark.emulator

BYTES_PER_COMMAND = 31
"""What the runner sends at once."""


class Runner:
    """The benchmark's side of the protocol."""

    def __init__(self, emulator: EmulatedBoard) -> None:
        self._transport, self._pending = emulator.transport, ""
        self.greeting = self._answer()

    def ask(self, command: str) -> list[str]:
        """The lines of an answer before "m-ready"."""
        self._transport.write(f"{command}%".encode())
        return self._answer()

    def _answer(self) -> list[str]:
        lines: list[str] = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._pending += self._transport.read(0.1).decode("ascii")
            while "\r\n" in self._pending:
                line, self._pending = self._pending.split("\r\n", 1)
                if line == "m-ready":
                    return lines
                lines.append(line)
        raise AssertionError(f"no m-ready after {lines}")

    def load(self, data: bytes) -> None:
        assert self.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for at in range(0, len(data), BYTES_PER_COMMAND):
            answer = self.ask(f"db {data[at : at + BYTES_PER_COMMAND].hex()}")
            assert answer == (["m-load-done"] if at + BYTES_PER_COMMAND >= len(data) else [])


@contextmanager
def firmware(model: Path, folder: Path) -> Iterator[Runner]:
    api.generate(model, board=BOARD, out=folder, protocol="mlperf")
    built = api.build(folder)
    with EmulatedBoard(built.firmware.elf, load_board(BOARD)) as emulator:
        yield Runner(emulator)


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "own model.tflite"
    path.write_bytes(int8_model())
    return path


def results(lines: list[str]) -> list[str]:
    found = [match[1] for line in lines if (match := re.fullmatch(r"m-results-\[(.*)\]", line))]
    assert len(found) == 1, lines
    return found[0].split(",")


def oracle(model: Path, sample: NDArray[Any]) -> NDArray[Any]:
    with Oracle(model.read_bytes()) as reference:
        return reference.run([sample])[0].reshape(-1)


def test_conversation(own_model: Path, tmp_path: Path) -> None:
    sample = np.array([[-128, 127, 3, 0, -7, 50]], np.int8)
    expected = [f"{(int(q) + 128) / 256:.3f}" for q in oracle(own_model, sample)]
    with firmware(own_model, tmp_path / "project") as runner:
        greeting = runner.greeting
        assert greeting[0] == "m-timestamp-mode-performance"
        assert greeting[-1] == "m-init-done"
        assert runner.ask("name") == [f"m-name-dut-[{BOARD}]"]
        assert runner.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[own_model]"]
        assert runner.ask("\r\nname") == [f"m-name-dut-[{BOARD}]"], "line ends of a terminal are nothing"
        assert runner.ask("infer 1 0") == ["e-[The input is not complete: send 'db load N' and its bytes first]"]
        runner.load(sample.tobytes())
        assert runner.ask("db print") == ["m-buffer-80-7f-03-00-f9-32"]
        lines = runner.ask("infer 3 2")
        assert [line for line in lines if not line.startswith(("m-lap-us-", "m-results-"))] == [
            "m-warmup-start-2",
            "m-warmup-done",
            "m-infer-start-3",
            "m-infer-done",
        ]
        assert results(lines) == expected
        assert results(runner.ask("results")) == expected
        laps = [int(line[len("m-lap-us-") :]) for line in lines if line.startswith("m-lap-us-")]
        assert len(laps) == 2
        assert laps[1] >= laps[0]


def test_what_a_runner_may_get_wrong(own_model: Path, tmp_path: Path) -> None:
    with firmware(own_model, tmp_path / "project") as runner:
        for command, error in (
            ("bogus", "Unknown command: bogus"),
            ("", "Unknown command: "),
            ("db", "requires a subcommand"),
            ("db 00", "No bytes are expected"),
            ("db load", "requires the # of bytes"),
            ("db load -1", "requires the # of bytes"),
            ("db load 7", "longer than the model's"),
            ("db load 99999999999999999999", "requires the # of bytes"),
            ("infer 0", "Inference iterations must be >0"),
            ("infer 1 -1", "Inference warmup must be >=0"),
            ("db " + "0" * 78, "too long"),
            ("db " + "0" * 1000, "too long"),
        ):
            (line,) = runner.ask(command)
            assert line.startswith("e-["), command
            assert error in line
        runner.ask("db load 6")
        assert runner.ask("db 0") == ["e-[Insufficient number of hex digits]"]
        assert runner.ask("db zz") == ["e-[Invalid hex digit]"]
        assert runner.ask("db 0102030405060708") == ["m-load-done"], "digits beyond the last byte are ignored"
        assert runner.ask("db print") == ["m-buffer-01-02-03-04-05-06"]
        assert results(runner.ask("infer"))


def of_the_size_of(benchmark: str) -> bytes:
    """A small int8 network with the inputs and outputs by which the benchmark's models are known."""
    net, rng = Net(1), np.random.default_rng(2)
    shape = {"kws01": (49, 10, 1), "vww01": (96, 96, 3), "ic01": (32, 32, 3), "ad01": (640,)}[benchmark]
    x = net.input((1, *shape), "input")
    if benchmark == "ad01":
        data = rng.normal(-20, 15, (20, *shape)).astype(np.float32)
        y = net.dense(net.dense(x, 8, activation="RELU", name="down"), 640, name="up")
    else:
        low, high = (-100, 100) if benchmark == "kws01" else (0, 255)
        data = rng.uniform(low, high, (20, *shape)).astype(np.float32)
        y = net.conv(x, 4, (5, 5), (6, 5), name="first")
        y = net.dense(y, {"kws01": 12, "vww01": 2, "ic01": 10}[benchmark], gain=0.02, name="last")
        y = net.softmax(y)
    return convert(net.build(y), data).tflite


BENCHMARKS = {"kws_ref_model": "kws01", "pretrainedResnet_quant": "ic01", "ad01_int8": "ad01"}


@pytest.mark.parametrize(
    ("name", "benchmark"),
    [
        *(("", benchmark) for benchmark in ("kws01", "vww01", "ic01", "ad01")),
        *(pytest.param(name, benchmark, marks=real(name)) for name, benchmark in BENCHMARKS.items()),
    ],
)
def test_the_benchmarks_models(name: str, benchmark: str, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(model_bytes(name) if name else of_the_size_of(benchmark))
    graph = read_graph(model.read_bytes())
    source, result = (graph.tensor(ids[0]) for ids in (graph.inputs, graph.outputs))
    rng = np.random.default_rng(1)
    with firmware(model, tmp_path / "project") as runner:
        assert runner.ask("profile")[1] == f"m-model-[{benchmark}]"
        if benchmark == "kws01":
            sample = rng.integers(-128, 128, source.shape).astype(np.int8)
            runner.load(sample.tobytes())
        elif benchmark in ("ic01", "vww01"):
            pixels = rng.integers(0, 256, source.shape).astype(np.uint8)
            runner.load(pixels.tobytes())
            sample = (pixels.astype(np.int16) - 128).astype(np.int8)
        else:
            features = rng.normal(-20, 15, source.shape).astype(np.float32)
            runner.load(features.tobytes())
            sample = quantize(features, source)
            restored = (oracle(model, sample).astype(np.float32) - result.zero_point) * np.float32(result.scale)
            error = float(np.mean((restored - features.reshape(-1)) ** 2))
            (printed,) = results(runner.ask("infer 1 0"))
            assert float(printed) == pytest.approx(error, rel=1e-5)
            return
        expected = [f"{(int(q) + 128) / 256:.3f}" for q in oracle(model, sample)]
        assert len(set(expected)) > 1
        # Halves of a thousandth are printed away from zero, Python prints them to the nearest even digit.
        for printed, wanted in zip(results(runner.ask("infer 1 0")), expected, strict=True):
            assert abs(float(printed) - float(wanted)) < 0.00101


def test_verbs_that_need_the_other_protocol_say_so(own_model: Path, tmp_path: Path) -> None:
    api.generate(own_model, board=BOARD, out=tmp_path / "project", protocol="mlperf")
    with pytest.raises(McugenError, match="speaks the MLPerf Tiny protocol"):
        api.verify(tmp_path / "project")

"""Firmware in somebody's own test suite: what the fixtures of :mod:`mcugen.pytest_plugin` give, and budgets.

    from mcugen.testing import assert_flash_below, assert_instructions_below

    def test_firmware(mcugen_firmware, mcugen_device, mcugen_oracle):
        assert mcugen_device.run(x) == mcugen_oracle(x)
        assert_flash_below(mcugen_firmware, 64 * 1024)
        assert_instructions_below(mcugen_device, 4_000_000)

`x` is one array with a sample per row (or one per model input), as :func:`mcugen.api.run` takes it: values of the
input's own type as they are, floats to be quantized.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcugen.cost.limit import limited
from mcugen.flow.inputs import InputSource, Sample, read_inputs

if TYPE_CHECKING:
    from mcugen.builder import Firmware
    from mcugen.cost.estimate import Estimate
    from mcugen.device.device import Device
    from mcugen.flow.ready import Ready
    from mcugen.graph import Graph
    from mcugen.oracle import Oracle

_SHOWN = 5
"""Differing values that a failed comparison lists."""


class Outputs:
    """The outputs of some samples. Equal to others only in every bit, shape and type.

    `outputs[k]` is the k-th model output: one row per sample, each in the output's own shape and dtype.
    """

    def __init__(self, samples: Sequence[Sequence[NDArray[Any]]]) -> None:
        self._outputs = tuple(np.stack(values) for values in zip(*samples, strict=True))

    def __getitem__(self, position: int) -> NDArray[Any]:
        return self._outputs[position]

    def __len__(self) -> int:
        return len(self._outputs)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter(self._outputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outputs) and not self.differences(other)

    __hash__ = None  # type: ignore[assignment]  # arrays can be changed

    def __repr__(self) -> str:
        shapes = ", ".join(f"{values.dtype}{list(values.shape)}" for values in self)
        return f"<Outputs {shapes}>"

    def differences(self, other: Outputs) -> list[str]:
        """What differs, one line each; empty where all bits are equal."""
        if len(self) != len(other):
            return [f"{len(self)} outputs against {len(other)}"]
        found = []
        for number, (left, right) in enumerate(zip(self, other, strict=True)):
            if left.shape != right.shape or left.dtype != right.dtype:
                found.append(
                    f"output {number} is {left.dtype}{list(left.shape)} against {right.dtype}{list(right.shape)}"
                )
            elif left.tobytes() != right.tobytes():
                places = np.argwhere(_bits(left) != _bits(right))
                found.append(f"output {number}: {len(places)} of {left.size} values differ")
                for place in map(tuple, places[:_SHOWN]):
                    found.append(f"  at {[int(i) for i in place]}: {left[place]} against {right[place]}")
        return found


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """The values as unsigned integers, so that NaN equals NaN and 0.0 is not -0.0."""
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


class DeviceUnderTest:
    """A running device. `device` is the whole interface (profile, layers, stack)."""

    def __init__(self, device: Device, graph: Graph, ready: Ready | None = None) -> None:
        self.device, self._graph, self._ready = device, graph, ready

    def accuracy(self, data: Any, samples: int = 100) -> tuple[float, int]:
        """The share of labelled samples that the device gets right, 0 … 1, and of how many samples.

        Args:
            data: samples with labels: a file or mapping with "x" and "y", as `--eval-data` takes it.
            samples: at most so many run, drawn with a fixed seed.

        Raises:
            DataError: samples or labels that do not fit the model. DeviceError: the device failed.
        """
        from mcugen.flow.judging import score_on_device

        assert self._ready is not None, "the fixture mcugen_device knows the model"

        def run(sample: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
            if self._graph.sequences:
                self.device.forget()
            return self.device.run(sample)[0]

        ready = self._ready
        found = score_on_device(ready.model, ready.plan, data, run, samples=samples, metric="accuracy")
        return found.value, found.samples

    def run(self, x: InputSource) -> Outputs:
        """The outputs of every sample, in order. Where samples are whole sequences, each begins afresh.

        Raises:
            DataError: `x` does not fit the model's inputs. DeviceError: the device failed.
        """
        results = []
        for sample in read_inputs(x, self._graph).samples:
            if self._graph.sequences:
                self.device.forget()
            results.append(self.device.run(sample)[0])
        return Outputs(results)

    def reset(self) -> None:
        """Start the model afresh: it forgets what it kept between inferences."""
        self.device.forget()

    def cost(self, x: InputSource | None = None) -> int:
        """The most that one inference costs over the samples of `x`, or over a random one; after a warm call."""
        from mcugen.oracle import make_inputs

        samples: list[Sample] = make_inputs(self._graph, 1, 0) if x is None else read_inputs(x, self._graph).samples
        self.device.run(samples[0])
        return max(self.device.run(sample)[1] for sample in samples)

    def estimate(self, x: InputSource | None = None) -> Estimate:
        """Cycles, time and energy of one inference with the first sample of `x`, or a random one (docs/TIMING.md).

        On a board they are measured, else made of a trace; `method` and `why` say what they rest on.
        """
        from mcugen.flow.estimating import estimate_emulated, measured_estimate
        from mcugen.flow.proof import measure
        from mcugen.oracle import make_inputs

        assert self._ready is not None, "the fixture mcugen_device knows the model"
        sample = make_inputs(self._graph, 1, 0)[0] if x is None else read_inputs(x, self._graph).samples[0]
        if self.device.cost_unit == "instructions":
            return estimate_emulated(self._ready, sample)
        return measured_estimate(self._ready.board, measure(self.device, sample))


class OracleUnderTest:
    """TensorFlow Lite Micro on the host, as a function from inputs to outputs."""

    def __init__(self, oracle: Oracle, graph: Graph) -> None:
        self._oracle, self._graph = oracle, graph

    def __call__(self, x: InputSource) -> Outputs:
        """The right outputs of every sample, in order.

        Raises:
            DataError: `x` does not fit the model's inputs.
        """
        return Outputs([self._oracle.run(sample) for sample in read_inputs(x, self._graph).samples])

    def reset(self) -> None:
        """Start the model afresh: it forgets what it kept between inferences."""
        self._oracle.forget()


def assert_flash_below(firmware: Firmware | Ready, limit: int) -> None:
    """Fail if the firmware takes more than `limit` bytes of flash, with what takes them."""
    __tracebackhide__ = True
    flash = _firmware(firmware).flash
    _assert_below(
        "flash", flash.total, limit, "B", f"code {flash.code:,}, weights {flash.weights:,}, harness {flash.harness:,}"
    )


def assert_ram_below(firmware: Firmware | Ready, limit: int) -> None:
    """Fail if the firmware takes more than `limit` bytes of RAM, the reserved stack included."""
    __tracebackhide__ = True
    ram = _firmware(firmware).ram
    _assert_below("RAM", ram.total, limit, "B", f"arena {ram.arena:,}, static {ram.static:,}, stack {ram.stack:,}")


def assert_instructions_below(device: DeviceUnderTest, limit: int, x: InputSource | None = None) -> None:
    """Fail if an inference takes more than `limit` instructions. Exact and repeatable on an emulator."""
    __tracebackhide__ = True
    _assert_cost_below(device, "instructions", limit, x)


def assert_cycles_below(device: DeviceUnderTest, limit: int, x: InputSource | None = None) -> None:
    """Fail if an inference takes more than `limit` cycles: measured on a board, else the nominal ones of a trace.

    Exact and repeatable on an emulator, where the core's timing is published (docs/TIMING.md); else it fails, too.
    """
    __tracebackhide__ = True
    if device.device.cost_unit != "instructions":
        return _assert_cost_below(device, "cycles", limit, x)
    found = device.estimate(x)
    if found.cycles is None:
        raise AssertionError(f"the cycles of an inference are not known: {found.why}")
    cycles = found.cycles
    parts = f"nominal, {cycles.low:,.0f} to {cycles.high:,.0f}"
    _assert_below("an inference", round(cycles.nominal), limit, "cycles", parts)


def assert_time_below(device: DeviceUnderTest, limit_ms: float, x: InputSource | None = None) -> None:
    """Fail if an inference takes more than `limit_ms` milliseconds on the board, or if that is not known."""
    __tracebackhide__ = True
    found = limited(limit_ms, device.estimate(x))
    assert found is not None
    if not found.passed:
        raise AssertionError(found.text)


def assert_accuracy_above(device: DeviceUnderTest, limit: float, data: Any, samples: int = 100) -> None:
    """Fail if the device gets a smaller share of labelled samples right than `limit`, as 0.95 for 95 %.

    Args:
        data, samples: see :meth:`DeviceUnderTest.accuracy`.
    """
    __tracebackhide__ = True
    if not 0 <= limit <= 1:
        raise ValueError(f"{limit} is not a share of samples: 0.95 means 95 %")
    accuracy, count = device.accuracy(data, samples)
    if accuracy < limit:
        raise AssertionError(
            f"the device gets {100 * accuracy:.2f} % of {count:,} samples right, not {100 * limit:.2f} %"
        )


def _assert_cost_below(device: DeviceUnderTest, unit: str, limit: int, x: InputSource | None) -> None:
    __tracebackhide__ = True
    counted = device.device.cost_unit
    if counted != unit:
        raise AssertionError(f"this device counts {counted}, not {unit}")
    _assert_below("an inference", device.cost(x), limit, unit, "the most over the given samples")


def _firmware(built: Firmware | Ready) -> Firmware:
    from mcugen.builder import Firmware

    return built if isinstance(built, Firmware) else built.firmware


def _assert_below(what: str, figure: int, limit: int, unit: str, parts: str) -> None:
    __tracebackhide__ = True
    if figure > limit:
        raise AssertionError(f"{what} takes {figure:,} {unit}, {figure - limit:,} more than {limit:,} ({parts})")

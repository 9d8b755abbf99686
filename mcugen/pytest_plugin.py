"""The pytest plugin: a model's firmware and device as fixtures (entry point `mcugen`, found by itself).

What is tested comes from the options `--mcugen-model`, `--mcugen-board` and `--mcugen-port`, from settings of the same
names in pytest's ini file, or from a fixture `mcugen_model` of the user's own. docs/TESTING.md shows a whole example.

Importing this costs nothing: every pytest run on a machine with mcugen does it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mcugen.flow.ready import Ready
    from mcugen.testing import DeviceUnderTest, OracleUnderTest

SETTINGS = {
    "model": "model (.tflite, .keras, …) or generated project that the mcugen fixtures build",
    "board": "board to build for; its emulator is started",
    "emulator": "the emulator that runs the board; the default is qemu",
    "port": "URL of a flashed board that runs the firmware, instead of the emulator",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mcugen")
    for name, meaning in SETTINGS.items():
        group.addoption(f"--mcugen-{name}", metavar=name.upper(), help=meaning)
        parser.addini(f"mcugen_{name}", meaning)


def _setting(config: pytest.Config, name: str) -> str | None:
    value = config.getoption(f"--mcugen-{name}") or config.getini(f"mcugen_{name}")
    return str(value) if value else None


@contextlib.contextmanager
def _errors_as_failures() -> Iterator[None]:
    """A user's error is one clear sentence here as well, without a traceback through mcugen."""
    from mcugen.errors import McugenError

    try:
        yield
    except McugenError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def mcugen_model(pytestconfig: pytest.Config) -> Any:
    """The model or project folder to test, a path or a Keras model. Define your own to give it in code."""
    model = _setting(pytestconfig, "model")
    if model is None:
        pytest.fail("no model: give --mcugen-model, or define a fixture mcugen_model", pytrace=False)
    return model


@pytest.fixture(scope="session")
def mcugen_options() -> dict[str, Any]:
    """How the model is built, as `mcugen.api.generate` takes it (data, optimize, runtime, tflm). To be defined anew."""
    return {}


@pytest.fixture(scope="session")
def mcugen_firmware(pytestconfig: pytest.Config, mcugen_model: Any, mcugen_options: dict[str, Any]) -> Iterator[Ready]:
    """The model, built for the board: `.firmware` (flash, ram, elf), `.plan`, `.board`. Built once per session."""
    from mcugen.flow.ready import built
    from mcugen.flow.runtime import Choice

    if unknown := set(mcugen_options) - {"data", "runtime", "optimize", "tflm"}:
        pytest.fail(f"mcugen_options does not take {', '.join(sorted(map(str, unknown)))}", pytrace=False)
    options = mcugen_options.get
    with contextlib.ExitStack() as stack:
        with _errors_as_failures():
            choice = Choice(runtime=options("runtime"), goal=options("optimize"), tflm=options("tflm"))
            board = _setting(pytestconfig, "board")
            ready = stack.enter_context(built(mcugen_model, board, data=options("data"), choice=choice))
        yield ready


@pytest.fixture(scope="session")
def mcugen_device(pytestconfig: pytest.Config, mcugen_firmware: Ready) -> Iterator[DeviceUnderTest]:
    """The firmware, running: on the board's emulator, or behind `--mcugen-port`. Started once per session."""
    from mcugen.device.connecting import open_device
    from mcugen.emulators import emulators
    from mcugen.flow.prove import device_options
    from mcugen.testing import DeviceUnderTest

    ready, port, emulator = mcugen_firmware, _setting(pytestconfig, "port"), _setting(pytestconfig, "emulator")
    if emulator is not None and emulator not in emulators():
        pytest.fail(f"--mcugen-emulator is {emulator!r}, not {' or '.join(emulators())}", pytrace=False)
    options = device_options(ready, port, emulator)
    with contextlib.ExitStack() as stack:
        with _errors_as_failures():
            device = stack.enter_context(open_device(ready.firmware.elf, ready.board, **options))
        yield DeviceUnderTest(device, ready.plan.graph, ready)


@pytest.fixture(scope="session")
def mcugen_oracle(mcugen_firmware: Ready) -> Iterator[OracleUnderTest]:
    """TensorFlow Lite Micro on the host: `mcugen_oracle(x)` is what the device must answer."""
    from mcugen.oracle import Oracle
    from mcugen.testing import OracleUnderTest

    with contextlib.ExitStack() as stack:
        with _errors_as_failures():
            oracle = stack.enter_context(Oracle(mcugen_firmware.model.data))
        yield OracleUnderTest(oracle, mcugen_firmware.plan.graph)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Where two outputs differ, for `assert device.run(x) == oracle(x)`."""
    testing = sys.modules.get("mcugen.testing")  # not loaded: then neither is one of its outputs
    if op != "==" or testing is None or not isinstance(left, testing.Outputs) or not isinstance(right, testing.Outputs):
        return None
    return ["the outputs differ", *left.differences(right)]

"""The Arduino port: compiled against a small Arduino on the host, where it serves a real model over the protocol."""

from __future__ import annotations

import contextlib
import runpy
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mcugen.boards.shipped import load_board
from mcugen.builder.identity import ID_MAGIC, build_id
from mcugen.device.device import Device
from mcugen.device.link import Link, SocketTransport
from mcugen.errors import BoardError
from mcugen.formats.emit import emit_project
from mcugen.resources import resource_dir
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.cli.conftest import int8_model
from tests.kernels.single_op import make_samples, oracle

SHIM = Path(__file__).parent / "shim"
STRICT = ("-Wall", "-Wextra", "-Werror", "-g")

needs_host = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="arm-none-eabi-g++ is not installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for the Pico of a small model."""
    board = load_board("pico-usb")
    plan = make_plan(optimize(read_graph(int8_model(), "small")), board.target())
    folder = tmp_path_factory.mktemp("arduino") / "project"
    emit_project(plan, board, folder, model_files=emit_model(plan))
    return folder


@pytest.fixture(scope="module")
def program(project: Path) -> Path:
    """The whole project, linked for the host and stamped as on a device."""
    objects = []
    includes = [f"-I{folder}" for folder in (SHIM, *sorted((project / "lib").iterdir()))]
    for source in [SHIM / "shim.cpp", *sorted(project.rglob("*.c")), *sorted(project.rglob("*.cpp"))]:
        compiler = ["g++", "-std=c++11"] if source.suffix == ".cpp" else ["gcc", "-std=c99"]
        objects.append(project / f"{source.name}.o")
        subprocess.run([*compiler, *STRICT, *includes, "-c", source, "-o", objects[-1]], check=True)
    linked = project / "program.elf"
    subprocess.run(["g++", *objects, "-o", linked], check=True)
    assert build_id(linked) == "", "an id of zeros would be the same for all firmware"
    runpy.run_path(str(project / "scripts" / "mcg_build.py"))["stamp"](linked)
    return linked


@contextlib.contextmanager
def running(program: Path) -> Iterator[Device]:
    ours, theirs = socket.socketpair()
    with theirs, subprocess.Popen([program], stdin=theirs, stdout=theirs) as process:
        try:
            with Device(Link(SocketTransport(ours), "host"), board=load_board("pico-usb"), timeout=10) as device:
                yield device
        finally:
            process.kill()


@needs_host
def test_the_port_serves_a_model(program: Path) -> None:
    samples = make_samples(int8_model(), 8)
    expected = oracle(int8_model(), samples)
    with running(program) as device:
        assert device.hello.board == "pico-usb"
        assert device.hello.build_id == build_id(program) != ""
        assert (device.hello.stack_bytes, device.stack_used(samples[0])) == (0, 0)
        for sample, (want,) in zip(samples, expected, strict=True):
            (got,), _cost = device.run(sample)
            np.testing.assert_array_equal(got, want)
        assert device.cost_unit == "ticks", "nothing is counted on the host, and nothing claims to be"


@needs_host
def test_another_program_has_another_id(program: Path, tmp_path: Path) -> None:
    stamp = runpy.run_path(str(resource_dir("firmware") / "arduino" / "mcg_build.py"))["stamp"]
    first = build_id(program)
    copy = tmp_path / "copy.elf"
    shutil.copy(program, copy)
    stamp(copy)
    assert build_id(copy) == first, "stamping again changes nothing"
    copy.write_bytes(copy.read_bytes() + b"\0")
    stamp(copy)
    assert build_id(copy) not in (first, "")
    copy.write_bytes(program.read_bytes() + ID_MAGIC)
    with pytest.raises(SystemExit, match="2 places for a build id"):
        stamp(copy)


@needs_host
@pytest.mark.parametrize("arch", ["ARDUINO_ARCH_ESP32", "ARDUINO_ARCH_RP2040"])
def test_it_compiles_for_cores_with_counters_of_their_own(project: Path, arch: str, tmp_path: Path) -> None:
    compile_port("g++", project, tmp_path, f"-D{arch}")
    symbols = subprocess.run(["nm", tmp_path / "port.o"], capture_output=True, text=True, check=True).stdout
    assert "getCycleCount" in symbols
    assert ("disableCore0WDT" in symbols) == (arch == "ARDUINO_ARCH_ESP32")


@needs_arm
@pytest.mark.parametrize(("core", "has_dwt"), [("cortex-m0plus", False), ("cortex-m4", True), ("cortex-m7", True)])
def test_it_compiles_for_arm(project: Path, core: str, has_dwt: bool, tmp_path: Path) -> None:
    compile_port("arm-none-eabi-g++", project, tmp_path, f"-mcpu={core}", "-mthumb")
    dump = ["arm-none-eabi-objdump", "-d", tmp_path / "port.o"]
    code = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    assert ("c5acce55" in code) == has_dwt, "the key of DWT's lock"
    assert "05fa0004" in code, "the key of the reset request"


def compile_port(compiler: str, project: Path, out: Path, *flags: str) -> None:
    libraries = project / "lib"
    includes = [f"-I{folder}" for folder in (SHIM, libraries / "mcg_harness", libraries / "mcg_arduino")]
    source = libraries / "mcg_arduino" / "mcg_port_arduino.cpp"
    subprocess.run(
        [compiler, "-std=c++11", "-O1", *STRICT, *includes, *flags, "-c", source, "-o", out / "port.o"], check=True
    )


def test_the_tflm_runtime_is_refused(tmp_path: Path) -> None:
    from tests.tflm.support import program as tflm_program

    program = tflm_program("sine", "mps2-an386")
    with pytest.raises(BoardError, match="TFLM runtime does not support arduino"):
        emit_project(program, load_board("pico-usb"), tmp_path / "x", model_files={})

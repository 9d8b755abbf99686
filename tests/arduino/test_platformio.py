"""Projects for frameworks, as PlatformIO sees them. Its registry is out of reach: a pretended platform stands for the
real ones, with the Arduino shim for their framework and GCC for their compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from platformio.project.config import ProjectConfig

from mcugen.boards.shipped import load_board, load_boards
from mcugen.builder import Firmware, build_project, fit_report
from mcugen.builder.framework import platform_name
from mcugen.builder.identity import build_id
from mcugen.builder.platformio import ensure_core_dir
from mcugen.errors import DeviceError, ToolError
from mcugen.flash import flash_board
from mcugen.formats.emit import emit_project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.cli.conftest import int8_model
from tests.flash.fakes import fake_tool

pytestmark = pytest.mark.usefixtures("cold")

HERE = Path(__file__).parent
FRAMEWORK_BOARDS = [name for name, board in load_boards().items() if board.framework]

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="arm-none-eabi-g++ is not installed")


def plan_for(name: str) -> Plan:
    return make_plan(optimize(read_graph(int8_model(), "small")), load_board(name).target())


def emit(name: str, folder: Path) -> Path:
    plan = plan_for(name)
    emit_project(plan, load_board(name), folder, model_files=emit_model(plan))
    return folder


@pytest.mark.parametrize("name", FRAMEWORK_BOARDS)
def test_platformio_reads_the_configuration(name: str, tmp_path: Path) -> None:
    folder = emit(name, tmp_path / "project")
    framework = load_board(name).framework
    assert framework is not None
    config = ProjectConfig(str(folder / "platformio.ini"))
    config.validate([name])
    assert config.warnings == [], "options that PlatformIO does not know"
    assert config.default_envs() == [name]
    env = f"env:{name}"
    assert config.get(env, "platform") == framework.platform
    assert config.get(env, "board") == framework.board
    assert config.get(env, "framework") == ["arduino"]
    assert config.get(env, "extra_scripts") == ["post:scripts/mcg_build.py"]
    assert (folder / "scripts" / "mcg_build.py").is_file()
    for option, value in framework.options:
        assert config.get(env, option) == value
    for library in config.get(env, "lib_deps"):
        assert (folder / "lib" / library / "library.json").is_file()


def test_names_of_platforms() -> None:
    names = {
        board.framework.platform: platform_name(board.framework) for board in load_boards().values() if board.framework
    }
    assert names["espressif32"] == "espressif32"
    assert names["https://github.com/maxgerhardt/platform-raspberrypi.git"] == "raspberrypi"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PlatformIO core folder as a user has it, with the pretended platform."""
    root = tmp_path_factory.mktemp("platformio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCUGEN_CACHE_DIR", str(root / "cache"))
        shutil.copytree(ensure_core_dir(), root / "core")
    shutil.copytree(HERE / "platform", root / "core" / "platforms" / "teensy")
    return root / "core"


@pytest.fixture
def user(core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    monkeypatch.setenv("ARDUINO_SHIM", str(HERE / "shim"))
    monkeypatch.setenv("UPLOADER", str(tmp_path / "uploader"))


@needs_arm
@pytest.mark.usefixtures("user")
def test_build_and_upload(tmp_path: Path) -> None:
    folder = emit("teensy41", tmp_path / "project")
    firmware = build_project(folder)
    assert len(build_id(firmware.elf)) == 40
    flash, ram = firmware.flash, firmware.ram
    assert flash.total == flash.code + flash.weights + flash.harness
    assert (ram.arena, ram.stack) == (plan_for("teensy41").arena_bytes, 0)
    assert 1000 < ram.static < 20_000
    assert flash.weights >= 4 * 6 + 4 * 4
    parts = {symbol.name: symbol.part for symbol in firmware.symbols}
    assert (parts["mcg_model_invoke"], parts["mcg_port_getc"]) == ("code", "harness")
    first = build_id(firmware.elf)
    config = folder / "lib" / "mcg_arduino" / "mcg_arduino_config.h"
    config.write_text(config.read_text().replace("115200", "9600"))
    again = build_project(folder)
    assert build_id(again.elf) not in (first, "")
    upload(again, tmp_path)


def upload(firmware: Firmware, tmp_path: Path) -> None:
    uploader = fake_tool(tmp_path, "uploader")
    board = load_board("teensy41")
    assert flash_board(firmware, board, port="/dev/ttyACM9").tool == "platformio"
    assert uploader.calls == [["/dev/ttyACM9"]]
    fake_tool(tmp_path, "uploader", "error opening port: [Errno 16] Device or resource busy\n", 1)
    with pytest.raises(DeviceError, match="another program holds the port"):
        flash_board(firmware, board, port="/dev/ttyACM9")


@pytest.mark.usefixtures("user")
def test_a_platform_that_is_not_installed_is_named(tmp_path: Path) -> None:
    folder = emit("esp32-s3", tmp_path / "project")
    with pytest.raises(
        ToolError, match=r"platform espressif32, .* is not installed.*pio pkg install -g -p espressif32"
    ):
        build_project(folder)


@needs_arm
@pytest.mark.usefixtures("user")
def test_a_firmware_without_its_id_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's change of platformio.ini may leave it."""
    folder = emit("teensy41", tmp_path / "project")
    output = folder / ".pio" / "build" / "teensy41"
    output.mkdir(parents=True)
    command = ["arm-none-eabi-gcc", "-nostdlib", "-xc", "-", "-o", output / "firmware.elf"]
    subprocess.run(command, input=b"void _start(void) {}", check=True)
    monkeypatch.setattr("mcugen.builder.builder.run_pio", lambda *_arguments, **_options: "")
    with pytest.raises(ToolError, match="the firmware has no build id"):
        build_project(folder)


def test_what_the_framework_takes_counts_for_the_fit() -> None:
    board = load_board("pico-usb")
    assert board.framework is not None
    fit = fit_report(plan_for("pico-usb"), board)
    assert fit.harness > board.framework.flash_bytes
    assert fit.static > board.framework.ram_bytes
    assert fit.fits

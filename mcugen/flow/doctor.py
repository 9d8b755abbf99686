"""What this computer has of the tools that mcugen uses, and how to get what is missing."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.cores.architectures import ARM, RISCV, Architecture
from mcugen.emulators import emulators
from mcugen.errors import McugenError
from mcugen.flow.installers import how_to_install
from mcugen.flow.origin import direct_url
from mcugen.oracle.changes import version_date
from mcugen.runtimes.tflm.library import (
    ARCHIVE,
    CXX_LIBRARY,
    HOW,
    MAKEFILE,
    NEEDS,
    TFLM_DIR,
    checkout_of,
    default_variant,
)

_SECONDS = 20.0  # for one call of a tool


@dataclass(frozen=True)
class Finding:
    """One tool.

    Attributes:
        found: it is there and good for what it is needed for.
        required: the main job (build, emulate, verify) does not work without it.
        version, path: of what was found; "" where nothing was, or where it has none.
        needed_for: what uses it.
        problem: why a tool that is there is not good; "" otherwise.
        install: what to type, or to read, to get it.
    """

    name: str
    found: bool
    required: bool
    version: str
    path: str
    needed_for: str
    problem: str
    install: str


@dataclass(frozen=True)
class _Tool:
    name: str
    needed_for: str
    required: bool
    apt: str = ""
    brew: str = ""
    pip: str = ""
    note: str = ""

    def finding(self, *, version: str = "", path: str = "", problem: str = "") -> Finding:
        found = bool(path or version) and not problem
        return Finding(self.name, found, self.required, version, path, self.needed_for, problem, install_line(self))


def install_line(tool: _Tool) -> str:
    """How to install a tool on this system."""
    if tool.pip:
        return f"{sys.executable} -m pip install '{_here(tool.pip)}'"
    return how_to_install(tool.apt, tool.brew) if tool.apt else tool.note


def _here(package: str) -> str:
    """A package as pip finds it: of mcugen the folder that it runs from, if it is one. Indexes do not have it."""
    url = str((direct_url() or {}).get("url", ""))
    if not package.startswith("mcugen[") or not url.startswith("file:"):
        return package
    return unquote(urlsplit(url).path) + package.removeprefix("mcugen")


def doctor() -> list[Finding]:
    """Look for every tool. Never raises: what goes wrong with a tool is its finding's `problem`."""
    return [_guarded(tool, check) for tool, check in _checks()]


Check = Callable[[_Tool], Finding]


def _guarded(tool: _Tool, check: Check) -> Finding:
    try:
        return check(tool)
    except McugenError as error:
        return tool.finding(problem=str(error))
    except Exception as error:  # a broken tool or environment must not hide the state of the others
        return tool.finding(problem=f"looking at it failed: {type(error).__name__}: {error}")


def _run(command: Sequence[str], text: str = "") -> str:
    """What a tool prints, stdout and stderr together."""
    result = subprocess.run(
        command, input=text, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
    )
    return result.stdout + result.stderr


def _version_in(text: str) -> str:
    """The first thing that looks like a version, in the first lines; brackets hold the packager's own."""
    first = re.sub(r"\([^)]*\)", "", "\n".join(text.splitlines()[:3]))
    found = re.search(r"\d+\.\d+(?:[.\w+-]*\w)?", first)
    return found.group() if found else ""


def _program(tool: _Tool) -> Finding:
    # A tool installed with pip beside mcugen need not be in PATH.
    path = shutil.which(tool.name) or shutil.which(tool.name, path=str(Path(sys.executable).parent))
    if path is None:
        return tool.finding()
    return tool.finding(version=_version_in(_run([path, "--version"])), path=path)


def _cross_compiler(tool: _Tool, architecture: Architecture) -> Finding:
    path = shutil.which(tool.name)
    if path is None:
        return tool.finding()
    version = _version_in(_run([path, "--version"]))
    preprocess = [path, *architecture.compile_flags, "-E", "-o", "/dev/null", "-x", "c", "-"]
    if "error" in _run(preprocess, "#include <stdint.h>\n#include <string.h>\n"):
        problem = f"the C library's headers ({architecture.library}) are missing"
        return tool.finding(version=version, path=path, problem=problem)
    bare_metal = [board for board in _boards_of(architecture) if board.framework is None]
    lacking = [board.name for board in bare_metal if not _has_library(path, board)]
    problem = f"it has no C library for the cores of {', '.join(lacking)}" if lacking else ""
    return tool.finding(version=version, path=path, problem=problem)


def _has_library(compiler: str, board: Board) -> bool:
    # The name comes back alone where no such file exists for these flags.
    found = _run([compiler, *board.cpu_flags(), f"-print-file-name={board.architecture.library_file}"]).strip()
    return "/" in found


def _boards_of(architecture: Architecture) -> list[Board]:
    return [board for board in load_boards().values() if board.architecture is architecture]


def _emulator(tool: _Tool, architecture: Architecture) -> Finding:
    path = shutil.which(tool.name)
    if path is None:
        return tool.finding()
    machines = {line.split(" ")[0] for line in _run([path, "-machine", "help"]).splitlines()}
    wanted = {board.name: board.emulator.machine for board in _boards_of(architecture) if board.emulator}
    lacking = [f"{machine} (board {name})" for name, machine in wanted.items() if machine not in machines]
    problem = f"it does not support the machines {', '.join(lacking)}" if lacking else ""
    return tool.finding(version=_version_in(_run([path, "--version"])), path=path, problem=problem)


def _host_compiler(tool: _Tool) -> Finding:
    from mcugen.runtimes.aot.emit.host import host_compiler

    try:
        path = host_compiler()
    except McugenError:
        return tool.finding()
    return tool.finding(version=_version_in(_run([path, "--version"])), path=path)


def _counting(tool: _Tool) -> Finding:
    """Compiles QEMU's plugin, if that was not done yet, and lets QEMU load it."""
    from mcugen.cost.plugin import plugin, qemu_version
    from mcugen.emulators.qemu import find_qemu

    path = plugin()
    return tool.finding(version=f"with QEMU {_version_in(qemu_version(find_qemu()))}", path=str(path))


def _platformio(tool: _Tool) -> Finding:
    from mcugen.builder.platformio import check_pin, installed_versions

    if not _python_version("platformio"):
        return tool.finding()
    versions = installed_versions()
    shown = f"{versions.platformio} with SCons {versions.scons}"
    try:
        check_pin(versions)
    except McugenError as error:
        return tool.finding(version=shown, problem=str(error))
    return tool.finding(version=shown)


def _python_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _python_package(tool: _Tool) -> Finding:
    return tool.finding(version=_python_version(tool.name))


def _reference(tool: _Tool) -> Finding:
    version = _python_version(tool.name)
    made = version_date(version)
    return tool.finding(version=f"{version}, of {made}" if made else version)


def _tflm(tool: _Tool) -> Finding:
    named = os.environ.get(TFLM_DIR, "")
    if not named:
        return tool.finding()
    root = Path(named).expanduser()
    if not (root / MAKEFILE).is_file():
        return tool.finding(path=named)  # a library for PlatformIO, which only a build can judge
    built = sorted(path.parent.parent.name for path in root.glob(f"gen/*/{ARCHIVE}"))
    if not built:
        command = default_variant(load_board(_TFLM_EXAMPLE)).how_to_build()
        return tool.finding(
            path=named,
            version=str(checkout_of(root)),
            problem=f"no library is built in it; for {_TFLM_EXAMPLE}: {command}",
        )
    return tool.finding(path=named, version=f"{checkout_of(root)}, {len(built)} built: {', '.join(built)}")


def _cxx(tool: _Tool) -> Finding:
    """The C++ headers and library of Arm's compiler."""
    compiler = shutil.which("arm-none-eabi-g++")
    if compiler is None:
        return tool.finding()
    flags = load_board(_TFLM_EXAMPLE).cpu_flags()
    found = _run([compiler, *flags, "-print-file-name=libstdc++_nano.a"]).strip()
    return tool.finding(path=found if "/" in found else "")


def _serial_ports(tool: _Tool) -> Finding:
    from serial.tools.list_ports import comports

    ports = sorted(f"{port.device} ({port.description})" for port in comports())
    return tool.finding(path=", ".join(ports))


_TFLM_EXAMPLE = "mps2-an386"


def _tools_of(architecture: Architecture) -> tuple[tuple[_Tool, Check], ...]:
    """What an architecture's boards need. Only Arm's is the main job."""
    required = architecture is ARM
    whose = "" if required else f" for {architecture.name}"
    apt, brew = architecture.compiler_apt, architecture.compiler_brew
    compiler = _Tool(architecture.compiler, f"building firmware{whose}", required, apt=apt, brew=brew)
    qemu = _Tool(architecture.qemu, f"running emulated boards{whose}", required, apt=architecture.qemu_apt, brew="qemu")
    lines = _Tool(architecture.addr2line, f"naming the line of a fault{whose}", False, apt=apt, brew=brew)
    return (
        (compiler, functools.partial(_cross_compiler, architecture=architecture)),
        (qemu, functools.partial(_emulator, architecture=architecture)),
        (lines, _program),
    )


def _oracle() -> _Tool:
    """TFLM's interpreter: needed where there is a wheel of it. Elsewhere mcugen's own reference stands in for it."""
    has_wheel = (sys.platform, platform.machine()) == ("linux", "x86_64")
    note = "" if has_wheel else "no wheel for this system: results are compared with mcugen's own reference"
    return _Tool(
        "tflite-micro", "the reference for results", has_wheel, pip="tflite-micro" if has_wheel else "", note=note
    )


def _checks() -> tuple[tuple[_Tool, Check], ...]:
    return (
        *_tools_of(ARM),
        (_Tool("platformio", "building firmware", True, pip="platformio>=6.1,<7"), _platformio),
        (_oracle(), _reference),
        (_Tool("host C compiler", "running emitted models on the host", False, apt="gcc", brew="gcc"), _host_compiler),
        (_Tool("counting plugin", "cycles, time and energy (QEMU's plugin)", False, apt="gcc", brew="gcc"), _counting),
        *_tools_of(RISCV),
        (_Tool("tensorflow", "converting Keras models and SavedModels", False, pip="mcugen[tf]"), _python_package),
        (_Tool("tf_keras", "converting Keras 2 .h5 files", False, pip="mcugen[tf]"), _python_package),
        (_Tool("TensorFlow Lite Micro", "the TFLM runtime (--runtime tflm)", False, note=f"{HOW}. {NEEDS}"), _tflm),
        (
            _Tool("C++ library", "the TFLM runtime (--runtime tflm)", False, apt=CXX_LIBRARY, brew="gcc-arm-embedded"),
            _cxx,
        ),
        *(
            (_Tool(emulator.program, f"--emulator {emulator.name}", False, note=emulator.where), _program)
            for emulator in emulators().values()
            if emulator.program
        ),
        *(
            (_Tool(emulator.package, f"--emulator {emulator.name}", False, pip=emulator.package), _python_package)
            for emulator in emulators().values()
            if emulator.package
        ),
        (_Tool("openocd", "flashing with ST-Link or CMSIS-DAP", False, apt="openocd", brew="openocd"), _program),
        (
            _Tool("picotool", "flashing RP2040 and RP2350", False, note="github.com/raspberrypi/picotool/releases"),
            _program,
        ),
        (_Tool("pyocd", "flashing with CMSIS-DAP, ST-Link or J-Link", False, pip="pyocd"), _program),
        (_Tool("esptool", "flashing ESP chips", False, pip="esptool"), _program),
        (
            _Tool("serial ports", "talking to boards", False, note="connect a board; on Linux, join the group dialout"),
            _serial_ports,
        ),
    )

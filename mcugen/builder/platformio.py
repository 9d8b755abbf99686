"""PlatformIO, run without its registry.

PlatformIO builds with a package `tool-scons` that it would fetch from its registry. The same SCons is on PyPI and
is a dependency of mcugen, so a private core folder is made with a `tool-scons` that only calls it. Nothing
in the user's own `~/.platformio` is read or written.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcugen.builder.locks import file_lock
from mcugen.children import running_tree
from mcugen.cores.architectures import BARE_METAL, Architecture
from mcugen.environment import UNWRITABLE_CACHE, cache_dir
from mcugen.errors import DoesNotFitError, McugenError, ToolError

_SCONS_PY = """import sys
from SCons.Script import main
sys.exit(main())
"""

# Variables that change what the compiler, SCons or PlatformIO do.
_UNWANTED_PREFIXES = ("PLATFORMIO_", "SCONS")
_UNWANTED = frozenset(
    {"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "LIBRARY_PATH"}
    | {"DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "LD_RUN_PATH", "GNUTARGET", "LDEMULATION"}
)

_OVERFLOW = re.compile(r"region [`'](\w+)' overflowed by (\d+) bytes?")
_COMPILER_ERROR = re.compile(
    r"^(?:\S.*?:\d+(?::\d+)?: (?:fatal )?error: .*|.*undefined reference to .*|.*multiple definition of .*"
    r"|.*: not found$|Error: .*|.*\bld: .*(?:cannot|not).*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Versions:
    """What the running environment has, and what PlatformIO demands of SCons (None: nothing)."""

    platformio: str
    scons: str
    scons_pin: str | None

    @property
    def scons_package(self) -> str:
        """SCons 4.11.1 as PlatformIO numbers its package: 4.41101.0."""
        parts = [*self.scons.split("."), "0", "0"][:3]
        major, minor, patch = (int(re.sub(r"\D.*", "", part) or 0) for part in parts)
        return f"4.{major}{minor:02}{patch:02}.0"


def installed_versions() -> Versions:
    """Versions of PlatformIO and SCons beside the running Python.

    Raises:
        ToolError: one of them is not installed.
    """
    found = {}
    for package in ("platformio", "scons"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise ToolError(
                f"the Python package {package} is not installed in mcugen's environment",
                where=sys.executable,
                hint=f"Install it: {sys.executable} -m pip install {package}",
            ) from None
    from platformio.dependencies import get_core_dependencies

    return Versions(found["platformio"], found["scons"], get_core_dependencies().get("tool-scons"))


def check_pin(versions: Versions) -> None:
    """Refuse if PlatformIO asks for another SCons than the one installed.

    Raises:
        ToolError: the two do not go together.
    """
    import semantic_version  # type: ignore[import-untyped]

    pin = versions.scons_pin
    if pin is None:
        raise ToolError(
            f"PlatformIO {versions.platformio} no longer builds with tool-scons, which mcugen relies on",
            hint="Install the PlatformIO that this mcugen was tested with: pip install 'platformio>=6.1,<7'",
        )
    if semantic_version.Version(versions.scons_package) not in semantic_version.SimpleSpec(pin):
        raise ToolError(
            f"PlatformIO {versions.platformio} asks for tool-scons {pin}, "
            f"but SCons {versions.scons} (tool-scons {versions.scons_package}) is installed",
            hint=f"Install the SCons that belongs to it: pip install 'scons=={_scons_of(pin)}'",
        )


def _scons_of(pin: str) -> str:
    """The SCons release that a pin such as ~4.41101.0 means."""
    found = re.search(r"\d+\.(\d)(\d\d)(\d\d)\.", pin)
    return ".".join(str(int(part)) for part in found.groups()) if found else "?"


def ensure_core_dir() -> Path:
    """The private PlatformIO core folder, made on first use.

    Several processes may call this at once: one makes the folder, under a lock and by renaming a finished copy
    into place; so the folder is either absent or whole.

    Raises:
        ToolError: PlatformIO or SCons is missing, they do not go together, or the cache cannot be written.
    """
    versions = installed_versions()
    check_pin(versions)
    name = f"platformio-{versions.platformio}-scons-{versions.scons}"
    core = cache_dir() / name
    if _is_whole(core, versions):
        return core
    with file_lock(
        cache_dir() / f"{name}.lock",
        timeout=60,
        busy="another process is creating this folder",
        unwritable=UNWRITABLE_CACHE,
    ):
        if _is_whole(core, versions):
            return core
        try:
            shutil.rmtree(core, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_dir()))
            try:
                _write_tool_scons(staging / "packages" / "tool-scons", versions)
                staging.chmod(0o755)
                staging.rename(core)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise ToolError(
                f"cannot make PlatformIO's folder: {error.strerror}",
                where=str(core),
                hint="Set MCUGEN_CACHE_DIR to a folder that you can write",
            ) from error
    return core


def _tool_files(versions: Versions) -> dict[str, str]:
    package = {
        "name": "tool-scons",
        "version": versions.scons_package,
        "description": f"Calls SCons {versions.scons} of the Python that runs PlatformIO",
    }
    # Without an owner of this name PlatformIO does not take the package for its own and asks the registry.
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None, "uri": None}
    metadata = {"type": "tool", "name": "tool-scons", "version": versions.scons_package, "spec": spec}
    return {
        "package.json": json.dumps(package, indent=2) + "\n",
        "scons.py": _SCONS_PY,
        ".piopm": json.dumps(metadata),
    }


def _write_tool_scons(folder: Path, versions: Versions) -> None:
    folder.mkdir(parents=True)
    for name, text in _tool_files(versions).items():
        (folder / name).write_text(text)


def _is_whole(core: Path, versions: Versions) -> bool:
    folder = core / "packages" / "tool-scons"
    try:
        return all((folder / name).read_text() == text for name, text in _tool_files(versions).items())
    except (OSError, UnicodeDecodeError):
        return False


def pio_environment(core: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables for PlatformIO: the caller's without those that would change the build,
    and with those that keep it off the network."""
    source = os.environ if base is None else base
    kept = {
        name: value
        for name, value in source.items()
        if name not in _UNWANTED and not name.startswith(_UNWANTED_PREFIXES)
    }
    return kept | {
        "PLATFORMIO_CORE_DIR": str(core),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
        "PYTHONEXEPATH": sys.executable,
        "PYTHONUTF8": "1",
        "LC_ALL": "C",  # the compiler's messages are read below
    }


def run_pio(
    arguments: Sequence[str],
    project: Path,
    *,
    timeout: float = 900.0,
    variables: Mapping[str, str] | None = None,
    core: Path | None = None,
) -> str:
    """Run a PlatformIO command on a project's folder, with further environment variables. Gives what it printed.

    Everything it started is ended with it, also on a timeout and on Ctrl-C.

    Args:
        core: PlatformIO's core folder; None for the private one.

    Raises:
        ToolError: PlatformIO or the compiler failed or took longer than `timeout` seconds.
        DoesNotFitError: the linker found that the firmware does not fit into a memory region.
    """
    core = core or ensure_core_dir()
    command = [sys.executable, "-m", "platformio", *arguments, "--project-dir", str(project)]
    temporary = project / ".pio" / "temporary"  # what a killed compiler leaves lies there, and goes with the next build
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True, exist_ok=True)
    environment = pio_environment(core) | {"TMPDIR": str(temporary)} | dict(variables or {})
    with tempfile.TemporaryFile() as log:  # a file: a pipe would fill up if nobody reads it
        with running_tree(
            command,
            cwd=core,  # Python looks for modules here: not in a folder that came from elsewhere
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                code = process.wait(timeout=timeout)
            except subprocess.TimeoutExpired:
                raise ToolError(
                    f"PlatformIO did not finish in {timeout:.0f} s",
                    where=str(project),
                    hint="Is the machine very busy, or does something in the project wait for input?",
                ) from None
        log.seek(0)
        output = log.read().decode("utf-8", errors="replace")
    if code != 0:
        log_path = project / ".pio" / "build.log"
        with contextlib.suppress(OSError):  # the error is worth more than its log
            log_path.write_text(output)
        raise build_error(output, project, log_path)
    return output


def build_error(output: str, project: Path, log_path: Path) -> McugenError:
    """The error in a failed build's output. `log_path` holds the whole output."""
    overflows = dict(_OVERFLOW.findall(output))
    if overflows:
        numbers = ", ".join(f"region {name} overflowed by {count} bytes" for name, count in overflows.items())
        return DoesNotFitError(
            f"the firmware does not fit: {numbers}",
            where=str(project),
            hint="Choose a board with more memory, or a smaller model",
        )
    for architecture in BARE_METAL:
        tools = architecture.tools
        if re.search(rf"{tools}\w+(: command)?:? not found|No such file or directory: '{tools}", output):
            return missing_compiler(architecture)
    lines = list(dict.fromkeys(line.strip() for line in _COMPILER_ERROR.findall(output)))
    if not lines:
        lines = [line for line in output.splitlines() if line.strip()][-6:]
    shown = "\n  ".join(line.replace(f"{project}{os.sep}", "")[:300] for line in lines[:6])
    more = f"\n  and {len(lines) - 6} more errors" if len(lines) > 6 else ""
    return ToolError(
        f"the build failed:\n  {shown}{more}\n",
        where=str(project),
        hint=f"The whole output is in {log_path}",
    )


def missing_compiler(architecture: Architecture) -> ToolError:
    """The error for a computer without the architecture's cross compiler."""
    return ToolError(f"{architecture.compiler} was not found", hint=architecture.how_to_install_compiler())

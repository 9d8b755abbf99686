"""QEMU's plugin that counts, compiled for this computer once."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mcugen.cores.architectures import ARM, Architecture
from mcugen.emulators.qemu import find_qemu
from mcugen.environment import UNWRITABLE_CACHE, cache_dir, find_host_compiler
from mcugen.errors import ToolError

SOURCE = Path(__file__).with_name("mcg_trace.c")

FLAGS = ("-std=c99", "-O2", "-shared", "-fPIC")

VERSIONS = (1, 2, 3, 4, 5)
"""Of QEMU's interface for plugins: 1 up to QEMU 8, later ones want a higher one."""

_SECONDS = 60.0
_MAC = ("-undefined", "dynamic_lookup")  # QEMU has the functions; elsewhere linkers leave them open anyhow

NO_COMPILER = "no C compiler for this computer was found, and QEMU's plugin that counts is compiled once"


def host_compiler() -> str:
    """Path of this computer's C compiler.

    Raises:
        ToolError: there is none.
    """
    found = find_host_compiler()
    if found is None:
        raise ToolError(NO_COMPILER, hint="Install one: apt-get install gcc")
    return found


@functools.cache
def qemu_version(program: str) -> str:
    """What QEMU says of its version, e.g. "7.2.22 (Debian 1:7.2+dfsg-7)".

    Raises:
        ToolError: it does not run.
    """
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError("QEMU does not tell its version", where=program) from error
    found = re.search(r"version (.+)", said.stdout)
    return found[1].strip() if found else said.stdout.strip()


def plugin(architecture: Architecture = ARM) -> Path:
    """The compiled plugin, which an architecture's QEMU has loaded at least once.

    Raises:
        ToolError: there is no compiler, it refuses, QEMU does not load plugins, or the cache cannot be written.
    """
    program = find_qemu(architecture)
    content = SOURCE.read_bytes()
    told = "\0".join(
        (platform.machine(), platform.system(), program, qemu_version(program), *FLAGS, str(VERSIONS))
    ).encode()
    path = cache_dir() / "plugins" / f"mcg_trace-{hashlib.sha256(content + told).hexdigest()[:16]}.so"
    if not path.is_file():
        _make(path, lambda temporary: _compile_and_try(temporary, program))
    return path


def _make(path: Path, make: Callable[[Path], None]) -> None:
    """Make a file beside its place, and move it there: another run never sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".so", dir=path.parent)
        os.close(handle)
    except OSError as error:
        where = str(path.parent)
        raise ToolError(f"cannot write there: {error.strerror}", where=where, hint=UNWRITABLE_CACHE) from error
    temporary = Path(name)
    try:
        make(temporary)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _compile_and_try(path: Path, program: str) -> None:
    """Compile it with the first version of the interface that this QEMU takes."""
    compiler = host_compiler()
    refused = ""
    for version in VERSIONS:
        _compile(path, compiler, version)
        said = _refusal(path, program)
        if said is None:
            return
        refused = refused or said
    raise ToolError(
        f"this QEMU does not load the plugin that counts: {refused}",
        where=f"{program} {qemu_version(program)}",
        hint="It has to be built with plugins (--enable-plugins), as Debian's is from version 7.2 on",
    )


def _compile(path: Path, compiler: str, version: int) -> None:
    more = _MAC if platform.system() == "Darwin" else ()
    command = [compiler, *FLAGS, *more, f"-DMCG_PLUGIN_API={version}", "-o", str(path), str(SOURCE)]
    try:
        built = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"the plugin that counts was not compiled: {error}", where=compiler) from error
    if built.returncode != 0:
        said = (built.stderr.strip().splitlines() or ["it gave no reason"])[0]
        raise ToolError(f"the plugin that counts does not compile: {said}", where=compiler)


def _refusal(path: Path, program: str) -> str | None:
    """What QEMU says if it does not load the plugin; None where it does. It has no machine, and ends by itself."""
    option = f"{_value(str(path))},out={os.devnull}"
    command = [program, "-machine", "none", "-display", "none", "-nodefaults", "-monitor", "stdio", "-plugin", option]
    try:
        tried = subprocess.run(
            command, input="quit\n", capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"QEMU did not load the plugin that counts: {error}", where=program) from error
    if tried.returncode == 0:
        return None
    return (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[0]


def _value(text: str) -> str:
    """A text as QEMU's options take it."""
    return text.replace(",", ",,")


def plugin_arguments(path: Path, out: Path, arguments: Sequence[tuple[str, str]]) -> list[str]:
    """QEMU's arguments that load the plugin.

    Args:
        out: the file that it writes.
        arguments: the others, which may repeat.
    """
    given = ",".join(f"{key}={_value(value)}" for key, value in [("out", str(out)), *arguments])
    return ["-plugin", f"{_value(str(path))},{given}"]

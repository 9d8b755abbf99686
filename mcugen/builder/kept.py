"""Firmware that was built before: the same files, by the same tools, give the same bytes, and PlatformIO need not run.

What was built is kept in the user's cache under all that a build depends on: the project's files, the versions of
PlatformIO and SCons, and which compiler there is. With it stands what that compiler brought along (its programs,
headers and libraries, by size and time), which is looked at again before anything is taken. Projects that somebody
changed, that need TensorFlow Lite Micro or a framework are always built.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcugen.builder.platformio import pio_environment
from mcugen.cache import find_files, keep_files
from mcugen.project.folder import differences
from mcugen.project.manifest import MANIFEST_NAME
from mcugen.project.project import Project

KEEP_VARIABLE = "MCUGEN_KEEP_BUILT"
"""0 keeps nothing, and looks for nothing."""

MOST_BYTES = 256 << 20

_KIND, _TOOLS = "built", "tools.json"
_FILES = ("firmware.elf", "firmware.map", "firmware.bin")
_PROGRAMS = ("cc1", "as", "collect2", "ld")
"""What the compiler calls."""
_BESIDE = ("ar", "ranlib", "objcopy", "size")
"""What SCons calls beside it."""

Stamp = tuple[int, int]
"""Size and time of a file."""


def build_key(project: Project) -> str:
    """What a build of this project depends on, as one name; "" where it is always built."""
    manifest, architecture = project.manifest, project.board.architecture
    if os.environ.get(KEEP_VARIABLE) == "0" or manifest.library or project.board.framework is not None:
        return ""
    changed, added = differences(project.folder, {**manifest.files, MANIFEST_NAME: ""})
    if added or changed != [MANIFEST_NAME] or not all((project.folder / path).is_file() for path in manifest.files):
        return ""
    tools = [shutil.which(architecture.tools + name) for name in ("gcc", *_BESIDE)]
    versions = _versions()
    if None in tools or not versions:
        return ""
    settings = {name: value for name, value in pio_environment(Path()).items() if name.startswith(("GCC_", "SOURCE_"))}
    facts = [
        sorted(manifest.files.items()),
        project.board.name,
        versions,
        [[tool, os.path.realpath(str(tool))] for tool in tools],
        sorted(settings.items()),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def take_built(key: str, output: Path) -> bool:
    """Put what was built under this name into a project's build folder, if it is there and its tools still are.

    What lies there already stays if it is the same. Else all of it goes, so that nothing belongs to another build.

    Args:
        output: the environment's folder in `.pio/build`.
    """
    kept = find_files(_KIND, key) if key else None
    if kept is None or not {*_FILES[:2]} <= kept.keys() or not _tools_are_the_same(kept.pop(_TOOLS, b"")):
        return False
    if all(_content(output / name) == content for name, content in kept.items()):
        return True
    shutil.rmtree(output.parent, ignore_errors=True)
    output.mkdir(parents=True)
    for name, content in kept.items():
        (output / name).write_bytes(content)
    return True


def keep_built(key: str, project: Project, output: Path) -> None:
    """Keep what was just built, if its files are still those that `key` was made from."""
    if not key or build_key(project) != key:
        return
    tools = _tools_of(project, output / "firmware.map")
    files = {name: content for name in _FILES if (content := _content(output / name)) is not None}
    if tools:
        keep_files(_KIND, key, {**files, _TOOLS: json.dumps(tools).encode()}, most_bytes=MOST_BYTES)


def _versions() -> list[str]:
    """Of PlatformIO and SCons; empty where one is not installed, which the build tells."""
    try:
        return [importlib.metadata.version(name) for name in ("platformio", "scons")]
    except importlib.metadata.PackageNotFoundError:
        return []


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _stamp(path: str) -> Stamp:
    facts = Path(path).stat()
    return facts.st_size, facts.st_mtime_ns


def _tools_are_the_same(text: bytes) -> bool:
    try:
        stamps = json.loads(text)
        return bool(stamps) and all(_stamp(path) == tuple(stamp) for path, stamp in stamps.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _tools_of(project: Project, map_file: Path) -> dict[str, Stamp]:
    """What a build took from outside the project; nothing if the compiler does not say."""
    compiler = project.board.architecture.compiler
    build = json.loads((project.folder / f"platform/boards/{project.board.name}.json").read_text())["build"]
    specs = [flag.partition("=")[2] for flag in build["link_flags"] if flag.startswith("--specs=")]
    asked = [f"-print-prog-name={name}" for name in _PROGRAMS] + [f"-print-file-name={name}" for name in specs]
    try:
        paths = [shutil.which(_say(compiler, [question]).strip()) or "" for question in asked[: len(_PROGRAMS)]]
        paths += [_say(compiler, [question]).strip() for question in asked[len(_PROGRAMS) :]]
        paths += [str(shutil.which(project.board.architecture.tools + name)) for name in ("gcc", *_BESIDE)]
        paths += _headers(_say(compiler, [*build["compile_flags"], "-E", "-v", "-x", "c", os.devnull]))
        paths += re.findall(r"^LOAD (/.+)$", map_file.read_text(errors="replace"), re.MULTILINE)
        return {path: _stamp(path) for path in sorted(set(paths))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _say(compiler: str, arguments: Sequence[str]) -> str:
    ran = subprocess.run(
        [compiler, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        env=pio_environment(Path()),
    )
    return ran.stdout


def _headers(verbose: str) -> Iterator[str]:
    """All headers of C in the folders where the compiler looks for them."""
    listed = verbose.partition("search starts here:\n#include <...> search starts here:\n")[2].partition("End of")[0]
    for folder in listed.split("\n"):
        for root, folders, names in os.walk(folder.strip()) if folder.strip() else ():
            folders[:] = [name for name in folders if name != "c++"]
            yield from (f"{root}/{name}" for name in names if name.endswith(".h"))

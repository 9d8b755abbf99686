"""The plugin is compiled once for each QEMU; where it cannot be, the reason is said."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen.cost import plugin as module
from mcugen.cost.plugin import FLAGS, SOURCE, host_compiler, plugin, plugin_arguments, qemu_version
from mcugen.emulators.qemu import find_qemu
from mcugen.errors import ToolError

pytestmark = pytest.mark.emulator


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    qemu_version.cache_clear()
    return tmp_path / "cache" / "plugins"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_compiled_once_and_again_for_another_qemu(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = plugin()
    assert first.parent == cache
    made = first.stat().st_mtime_ns
    assert plugin() == first
    assert first.stat().st_mtime_ns == made
    real = find_qemu()
    other = program(
        tmp_path / "bin" / "qemu-system-arm", f'[ "$1" = --version ] && echo version 99 || exec {real} "$@"'
    )
    monkeypatch.setenv("PATH", f"{other.parent}:{Path(real).parent}:/usr/bin:/bin")
    assert plugin() != first
    assert len(list(cache.iterdir())) == 2, "nothing half-made is left"


def test_without_a_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone = tmp_path / "bin"
    alone.mkdir()
    (alone / "qemu-system-arm").symlink_to(find_qemu())
    monkeypatch.setenv("PATH", str(alone))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolError, match="no C compiler for this computer was found"):
        plugin()
    assert not list(cache.iterdir())


def test_a_compiler_that_refuses(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = program(tmp_path / "cc", "echo 'no space left' >&2; exit 1")
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(ToolError, match="does not compile: no space left"):
        plugin()
    assert not list(cache.iterdir())


def test_a_qemu_without_plugins(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (
        '[ "$1" = --version ] && { echo QEMU emulator version 5.0; exit; }\necho "-plugin: invalid option" >&2; exit 1'
    )
    old = program(tmp_path / "bin" / "qemu-system-arm", text)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    with pytest.raises(ToolError, match="does not load the plugin that counts: -plugin: invalid option") as caught:
        plugin()
    assert "5.0" in caught.value.where
    assert not list(cache.iterdir())


def test_a_qemu_that_wants_a_later_interface(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """QEMU 10 refuses version 1. What is kept is the first plugin that it takes."""
    text = f"""[ "$1" = --version ] && {{ echo version 10.0; exit; }}
echo x >> {tmp_path}/tries
[ $(wc -l < {tmp_path}/tries) -ge 2 ] || {{ echo 'wants version 2' >&2; exit 1; }}"""
    new = program(tmp_path / "bin" / "qemu-system-arm", text)
    monkeypatch.setenv("PATH", f"{new.parent}:/usr/bin:/bin")
    taken = plugin()
    assert (tmp_path / "tries").read_text().count("x") == 2
    assert [taken] == list(cache.iterdir())
    version = ctypes.c_int.in_dll(ctypes.CDLL(str(taken), mode=os.RTLD_LAZY), "qemu_plugin_version")
    assert version.value == 2


def test_an_unwritable_cache(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="cannot write there"):
        plugin()


def test_the_source_is_clean_c99() -> None:
    strict = ("-Wall", "-Wextra", "-Werror", "-pedantic")
    for compiler in filter(None, (shutil.which("gcc"), shutil.which("clang"))):
        command = [compiler, *FLAGS, *strict, "-o", "/dev/null", str(SOURCE)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_an_argument_that_it_cannot_use_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "a,b=c"
    for argument in (("region", "12"), ("cache", "1:2:3"), ("cache", "3:8:2:0:8:1"), ("what", "1"), ("nth", "x")):
        command = [find_qemu(), "-machine", "none", "-display", "none", *plugin_arguments(plugin(), out, [argument])]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert result.returncode != 0
        assert f"cannot use the argument {argument[0]}={argument[1]}" in result.stderr


def test_host_compiler_is_what_cc_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = program(tmp_path / "mycc", "exit 0")
    monkeypatch.setenv("CC", str(mine))
    assert host_compiler() == str(mine)
    assert module.SOURCE.is_file()

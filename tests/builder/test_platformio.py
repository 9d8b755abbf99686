from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcugen.builder import platformio
from mcugen.builder.platformio import (
    Versions,
    build_error,
    check_pin,
    ensure_core_dir,
    installed_versions,
    pio_environment,
    run_pio,
)
from mcugen.environment import cache_dir
from mcugen.errors import DoesNotFitError, ToolError

pytestmark = pytest.mark.usefixtures("cold")


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_installed_versions_go_together() -> None:
    check_pin(installed_versions())


@pytest.mark.parametrize(("scons", "package"), [("4.11.1", "4.41101.0"), ("4.8.0", "4.40800.0"), ("4.10", "4.41000.0")])
def test_scons_versions_are_numbered_as_platformio_does(scons: str, package: str) -> None:
    assert Versions("6.2.0", scons, None).scons_package == package


@pytest.mark.parametrize(
    ("scons", "pin", "says"),
    [
        ("4.11.1", "~4.41200.0", "scons==4.12.0"),
        ("4.8.1", "~4.41101.0", "SCons 4.8.1"),
        ("4.11.1", None, "no longer builds with tool-scons"),
    ],
)
def test_another_pin_is_refused(scons: str, pin: str | None, says: str) -> None:
    with pytest.raises(ToolError, match=says):
        check_pin(Versions("6.2.0", scons, pin))


def test_bootstrap_refuses_a_mismatch_and_leaves_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "installed_versions", lambda: Versions("6.9.0", "4.11.1", "~4.49900.0"))
    with pytest.raises(ToolError, match=r"asks for tool-scons ~4\.49900\.0"):
        ensure_core_dir()
    assert not fresh.exists()


def test_platformio_takes_the_package_for_its_own(fresh: Path) -> None:
    core = ensure_core_dir()
    assert core.parent == fresh
    code = (
        "from platformio.package.manager.core import get_core_package_dir as d;"
        "print(d('tool-scons', auto_install=False))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env=pio_environment(core), capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(core / "packages" / "tool-scons")


def test_a_damaged_folder_is_made_again(fresh: Path) -> None:
    tool = ensure_core_dir() / "packages" / "tool-scons"
    (tool / "scons.py").write_text("broken")
    (tool / ".piopm").unlink()
    ensure_core_dir()
    assert "SCons.Script" in (tool / "scons.py").read_text()
    assert json.loads((tool / ".piopm").read_text())["spec"]["owner"] == "platformio"


def test_processes_may_bootstrap_at_once(fresh: Path) -> None:
    code = "from mcugen.builder.platformio import ensure_core_dir; print(ensure_core_dir())"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    results = [(*run.communicate(timeout=60), run.returncode) for run in runs]
    assert [code for _, _, code in results] == [0] * 4, results
    assert len({out for out, _, _ in results}) == 1
    assert sorted(path.name for path in fresh.iterdir() if path.name.startswith(".")) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="set MCUGEN_CACHE_DIR"):
        ensure_core_dir()


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MCUGEN_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "mcugen"


def test_the_users_variables_do_not_leak() -> None:
    user = {
        "PATH": "/bin",
        "PLATFORMIO_BUILD_FLAGS": "-DEVIL",
        "PLATFORMIO_SRC_DIR": "/elsewhere",
        "SCONSFLAGS": "--clean",
        "C_INCLUDE_PATH": "/usr/include",
        "GCC_EXEC_PREFIX": "/x",
    }
    made = pio_environment(Path("/core"), user)
    assert made["PATH"] == "/bin"
    assert made["PLATFORMIO_CORE_DIR"] == "/core"
    assert made["PLATFORMIO_SETTING_ENABLE_TELEMETRY"] == "no"
    assert made["PLATFORMIO_DISABLE_UPGRADE_CHECK"] == "true"
    assert not {
        "PLATFORMIO_BUILD_FLAGS",
        "PLATFORMIO_SRC_DIR",
        "SCONSFLAGS",
        "C_INCLUDE_PATH",
        "GCC_EXEC_PREFIX",
    } & set(made)


OVERFLOW = """Linking .pio/build/x/firmware.elf
/usr/bin/ld: .pio/build/x/firmware.elf section `.bss' will not fit in region `RAM'
/usr/bin/ld: region `RAM' overflowed by 1234 bytes
/usr/bin/ld: region `FLASH' overflowed by 1 byte
collect2: error: ld returned 1 exit status
"""


def test_overflow_becomes_does_not_fit() -> None:
    error = build_error(OVERFLOW, Path("/p"), Path("/p/log"))
    assert isinstance(error, DoesNotFitError)
    assert "region RAM overflowed by 1234 bytes, region FLASH overflowed by 1 bytes" in str(error)


def test_compiler_errors_are_shown_once_and_without_the_folder() -> None:
    line = "/p/src/main.c:3:1: error: unknown type name 'foo'"
    error = build_error(f"Compiling\n{line}\n{line}\n*** [x.o] Error 1\n", Path("/p"), Path("/p/log"))
    assert isinstance(error, ToolError)
    assert str(error).count("unknown type name") == 1
    assert "\n  src/main.c:3:1: error" in str(error)
    assert "/p/log" in str(error)


def test_undefined_references_are_shown() -> None:
    text = "ld: main.o: in function `main':\nmain.c:(.text.main+0x2): undefined reference to `nowhere'\n"
    assert "undefined reference to `nowhere'" in str(build_error(text, Path("/p"), Path("/l")))


@pytest.mark.parametrize("shell", ["sh: 1: arm-none-eabi-gcc: not found", "sh: arm-none-eabi-gcc: command not found"])
def test_missing_compiler_says_how_to_install(shell: str) -> None:
    assert "apt-get install gcc-arm-none-eabi" in str(build_error(shell, Path("/p"), Path("/l")))


def test_an_unknown_failure_shows_the_end_of_the_output() -> None:
    text = "\n".join(f"line {n}" for n in range(50))
    assert "line 49" in str(build_error(text, Path("/p"), Path("/l")))


def test_a_run_that_takes_too_long_is_ended_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import time; time.sleep(60)"
    script = tmp_path / "slow.py"
    script.write_text(
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))\n"
        "time.sleep(60)\n"
    )
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    fake.chmod(0o755)
    core = ensure_core_dir()
    monkeypatch.setattr(platformio, "ensure_core_dir", lambda: core)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(ToolError, match="did not finish in 2 s"):
        run_pio(["run"], tmp_path, timeout=2.0)
    state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("a child still runs")

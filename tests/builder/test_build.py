"""Real builds with PlatformIO and the Arm compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board, Region
from mcugen.builder import build_project
from mcugen.builder.in_use import using
from mcugen.builder.platformio import ensure_core_dir, pio_environment
from mcugen.errors import DoesNotFitError, ProjectError, ToolError
from mcugen.runtimes.aot.plan.types import Plan
from tests.builder.tiny import emit, needs_arm_gcc, tiny_plan

pytestmark = needs_arm_gcc


def sections(elf: Path) -> dict[str, int]:
    with elf.open("rb") as stream:
        return {s.name: s["sh_size"] for s in ELFFile(stream).iter_sections() if s["sh_flags"] & 2 and s["sh_size"]}


def symbols(elf: Path) -> set[tuple[str, int, int]]:
    """Name, address and size of functions and variables, as another reader has them."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        taken = {n for n, s in enumerate(file.iter_sections()) if s["sh_flags"] & 2}
        return {
            (s.name, s["st_value"] & ~(s["st_info"]["type"] == "STT_FUNC"), s["st_size"])
            for s in file.get_section_by_name(".symtab").iter_symbols()
            if s["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and s["st_size"] and s["st_shndx"] in taken
        }


@pytest.mark.parametrize("name", [n for n, board in load_boards().items() if board.flash.size and not board.framework])
def test_sizes_add_up_and_match_the_elf_file_on_every_board(name: str, plan: Plan, out: Path) -> None:
    board = load_boards()[name]
    emit(plan, board, out)
    steps: list[str] = []
    firmware = build_project(out, progress=lambda step, _done: steps.append(step))
    flash, ram = firmware.flash, firmware.ram
    found = sections(firmware.elf)
    in_ram = {".mcg_stack", ".mcg_arena", ".bss"}
    assert flash.code + flash.weights + flash.harness == flash.total
    assert flash.total == sum(size for section, size in found.items() if section not in in_ram)
    assert ram.arena + ram.static + ram.stack == ram.total
    assert ram.total == sum(found.get(section, 0) for section in (*in_ram, ".data"))
    assert ram.arena == plan.arena_bytes
    assert ram.stack == board.stack_bytes
    sizes = plan.constant_sizes()
    # The compiler may put a constant of one element into the code instead.
    assert sum(size for size in sizes if size > 4) <= flash.weights <= sum(sizes) + 15 * len(sizes)
    assert 100 < flash.code < 2000
    assert 1000 < flash.harness < 8000
    assert steps == [f"building for {name}"]
    assert "GCC" in firmware.toolchain
    assert firmware.board == name
    parts = {symbol.name: symbol.part for symbol in firmware.symbols}
    assert parts["mcg_model_invoke"] == "code"
    assert parts["mcg_arena"] == "arena"
    assert parts["mcg_harness_main"] == "harness"
    assert {part for symbol, part in parts.items() if symbol.startswith("mcg_const_")} == {"weights"}
    by_size = [symbol.size for symbol in firmware.symbols]
    assert by_size == sorted(by_size, reverse=True)
    assert {(symbol.name, symbol.address, symbol.size) for symbol in firmware.symbols} == symbols(firmware.elf)


def test_nothing_is_built_again_when_nothing_changed(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    first = build_project(out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.o")} | {first.elf: first.elf.stat().st_mtime_ns}
    assert build_project(out) == first
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # The same project written again keeps the build folder, and with it what was compiled.
    emit(plan, board, out)
    build_project(out)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_changed_model_is_built_again(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    first = build_project(out)
    emit(tiny_plan(units=8), board, out)
    second = build_project(out)
    assert second.flash.weights > first.flash.weights
    assert second.ram.arena != first.ram.arena


def test_a_changed_linker_script_links_again(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    build_project(out)
    script = out / "lib/mcg_bsp/mps2-an386.ld"
    script.write_text(script.read_text().replace(". += 4096;", ". += 8192;"))
    assert build_project(out).ram.stack == 8192


def test_the_folders_name_changes_nothing(
    plan: Plan, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCACHE_DISABLE", "1")  # it would take what was compiled in another folder
    names = ["plain", "with space", "ünï", "a;`touch pwned`&$(id)".replace("$", ""), "q'u\"o(t)e%b,=#@1"]
    built = []
    for name in names:
        emit(plan, board, tmp_path / name)
        built.append(build_project(tmp_path / name).elf.read_bytes())
    assert len(set(built)) == 1
    assert str(tmp_path).encode() not in built[0]
    assert not list(tmp_path.rglob("pwned"))


def test_a_folder_that_platformio_cannot_build_in_is_refused(plan: Plan, board: Board, tmp_path: Path) -> None:
    emit(plan, board, tmp_path / "a$HOME")
    with pytest.raises(ProjectError, match=r"holds a \$"):
        build_project(tmp_path / "a$HOME")


def test_the_users_platformio_settings_do_not_matter(
    plan: Plan, board: Board, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    emit(plan, board, out)
    quiet = build_project(out, clean=True).flash
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-DBROKEN -include nowhere.h")
    monkeypatch.setenv("PLATFORMIO_SRC_DIR", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    monkeypatch.setenv("SCONSFLAGS", "--nonsense")
    monkeypatch.setenv("C_INCLUDE_PATH", "/usr/include")
    assert build_project(out, clean=True).flash == quiet
    assert not (tmp_path / "core").exists()


@pytest.mark.usefixtures("cold")
def test_no_network_is_asked_for(plan: Plan, board: Board, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python starts every interpreter, PlatformIO's and SCons's as well, with this file: a look-up of a name or a
    # connection ends the build.
    trap = out.parent / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text(
        "import socket, sys\n"
        "def trap(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname'):\n"
        f"        open({str(trap / 'asked')!r}, 'a').write(f'{{event}} {{args}}\\n')\n"
        "sys.addaudithook(trap)\n"
        f"open({str(trap / 'loaded')!r}, 'a').write('x')\n"
    )
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{trap}{os.pathsep}{path}" if path else str(trap))
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(trap / "cache"))
    emit(plan, board, out)
    build_project(out)
    assert len((trap / "loaded").read_text()) >= 2, "PlatformIO and SCons"
    assert not (trap / "asked").exists(), (trap / "asked").read_text()


def test_plain_pio_run_builds_the_same_firmware(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    firmware = build_project(out)
    first = firmware.elf.read_bytes()
    shutil.rmtree(out / ".pio")
    pio = Path(sys.executable).with_name("pio")
    command = [str(pio)] if pio.exists() else [sys.executable, "-m", "platformio"]
    subprocess.run(
        [*command, "run"], cwd=out, env=pio_environment(ensure_core_dir()), check=True, capture_output=True, timeout=120
    )
    assert firmware.elf.read_bytes() == first
    assert firmware.elf.with_suffix(".bin").stat().st_size >= firmware.flash.total


def test_projects_are_built_side_by_side(plan: Plan, board: Board, tmp_path: Path) -> None:
    boards = [board, load_boards()["microbit"]]
    for number, each in enumerate(boards):
        emit(plan, each, tmp_path / str(number))
    with ThreadPoolExecutor() as pool:
        built = list(pool.map(build_project, [tmp_path / "0", tmp_path / "1", tmp_path / "0"]))
    assert [firmware.board for firmware in built] == [board.name, "microbit", board.name]
    assert built[0] == built[2]


def test_overflow_says_how_many_bytes_are_missing(board: Board, out: Path) -> None:
    small = replace(board, ram=Region("ram", board.ram.origin, 8192), flash=Region("flash", 0, 1024))
    emit(tiny_plan(inputs=8000), small, out)
    with pytest.raises(DoesNotFitError, match=r"region RAM overflowed by \d+ bytes") as caught:
        build_project(out)
    assert re.search(r"region FLASH overflowed by \d+ bytes", str(caught.value))


def test_a_compile_error_is_shown_with_file_and_line(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    (out / "src/main.c").write_text("int main(void) {\n  return undeclared;\n}\n")
    with pytest.raises(ToolError, match=r"src/main\.c:2:\d+: error: .undeclared. undeclared"):
        build_project(out)
    assert "undeclared" in (out / ".pio/build.log").read_text()


def test_a_copied_kernel_of_another_version_stops_the_build(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    common = out / "lib/mcg_model/kernels/mcg_common.h"
    common.write_text(re.sub(r"(#define MCG_RUNTIME_VERSION) \d+", r"\1 999", common.read_text()))
    with pytest.raises(ToolError, match="#error"):
        build_project(out)


def test_a_missing_compiler_is_named(plan: Plan, board: Board, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emit(plan, board, out)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolError, match=r"arm-none-eabi-gcc was not found.*apt-get install gcc-arm-none-eabi"):
        build_project(out)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a project of mcugen's"):
        build_project(tmp_path)


@needs_arm_gcc
@pytest.mark.parametrize("left", [b"", b"\x7fELF\x01\x01\x01" + bytes(20), None], ids=["empty", "head", "half"])
@pytest.mark.parametrize("pattern", ["firmware.elf", "**/mcg_model.o"])
def test_what_a_full_disk_left_is_built_again(pattern: str, left: bytes | None, out: Path) -> None:
    """To SCons, an output that is newer than its sources is up to date, whatever is in it."""
    emit(tiny_plan(), load_board("mps2-an386"), out)
    before = build_project(out).flash
    found = list((out / ".pio" / "build" / "mps2-an386").glob(pattern))
    assert found
    for path in found:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if left is None else left)
    if pattern != "firmware.elf":  # so that it is linked anew
        (out / ".pio" / "build" / "mps2-an386" / "firmware.elf").unlink()
    assert build_project(out).flash == before


def test_a_folder_that_is_written_is_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    said = r"project: another mcugen is using this folder\. Wait until it is done"
    with (  # readers share it
        using(folder),
        using(folder),
        pytest.raises(ProjectError, match=said),
        using(folder, writing=True),
    ):
        pass
    with using(folder, writing=True):
        with pytest.raises(ProjectError, match="another mcugen is using this folder"), using(folder):
            pass
        with using(tmp_path / "other", writing=True):
            pass
        (tmp_path / "link").symlink_to(folder)
        with pytest.raises(ProjectError, match="another mcugen is using"), using(tmp_path / "link"):
            pass
    with using(folder, writing=True):
        pass

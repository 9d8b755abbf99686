"""Firmware is built once of the same files by the same tools; whatever changes, it is built anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mcugen.boards.types import Board
from mcugen.builder import build_project, builder, kept
from mcugen.builder.platformio import run_pio
from mcugen.runtimes.aot.plan.types import Plan
from tests.builder.tiny import emit, needs_arm_gcc, tiny_plan

pytestmark = needs_arm_gcc


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(kept.KEEP_VARIABLE)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The projects that PlatformIO was called for."""
    found: list[Path] = []

    def counted(arguments: Sequence[str], project: Path, **options: Any) -> str:
        found.append(project)
        return run_pio(arguments, project, **options)

    monkeypatch.setattr(builder, "run_pio", counted)
    return found


def test_the_second_time_platformio_is_not_called(
    plan: Plan, board: Board, tmp_path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        emit(plan, board, folder)
    first, second = (build_project(folder) for folder in folders[:2])
    assert len(builds) == 1
    monkeypatch.setenv(kept.KEEP_VARIABLE, "0")
    third = build_project(folders[2])
    assert len(builds) == 2
    for name in ("firmware.elf", "firmware.bin"):
        contents = {(built.elf.parent / name).read_bytes() for built in (first, second, third)}
        assert len(contents) == 1, "what is taken from the cache is what is built"
    assert (second.flash, second.ram, second.symbols) == (third.flash, third.ram, third.symbols)


def test_what_is_changed_is_built(plan: Plan, board: Board, out: Path, builds: list[Path]) -> None:
    emit(plan, board, out)
    first = build_project(out)
    emit(tiny_plan(units=8), board, out)
    assert build_project(out).flash.weights > first.flash.weights
    script = out / "lib/mcg_bsp/mps2-an386.ld"
    script.write_text(script.read_text().replace(". += 4096;", ". += 8192;"))
    assert build_project(out).ram.stack == 8192
    emit(plan, board, out, force=True)
    (out / "src" / "mine.c").write_text("int mine(void) { return 7; }\n")
    build_project(out)
    (out / "src" / "mine.c").unlink()
    assert len(builds) == 4
    (out / "src" / "main.c").unlink()
    assert kept.build_key(builder.load_project(out)) == ""


def test_no_firmware_of_another_build_is_left(
    plan: Plan, board: Board, out: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SCons remembers is of its own builds: it must not take another firmware for the one it made."""
    other = tiny_plan(units=8)
    emit(other, board, out.with_name("other"))
    build_project(out.with_name("other"))
    emit(plan, board, out)
    mine = build_project(out).elf.read_bytes()
    emit(other, board, out)
    assert build_project(out).elf.read_bytes() != mine
    assert len(builds) == 2, "the other firmware came from the cache"
    monkeypatch.setenv(kept.KEEP_VARIABLE, "0")
    emit(plan, board, out)
    assert build_project(out).elf.read_bytes() == mine
    assert len(builds) == 3


@pytest.mark.parametrize("part", ["cc1", "libc_nano.a", "stdint.h", "gcc"])
def test_other_tools_build_again(
    part: str, plan: Plan, board: Board, tmp_path: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(plan, board, tmp_path / "first")
    build_project(tmp_path / "first")
    stamp = kept._stamp
    asked: list[str] = []

    def changed(path: str) -> tuple[int, int]:
        asked.append(path)
        size, time = stamp(path)
        return size, time + path.endswith(part)

    monkeypatch.setattr(kept, "_stamp", changed)
    emit(plan, board, tmp_path / "second")
    build_project(tmp_path / "second")
    assert any(path.endswith(part) for path in asked)
    assert len(builds) == 2


@pytest.mark.parametrize("name", ["firmware.elf", "tools.json", "index.json"])
def test_what_is_damaged_is_built_again(
    name: str, plan: Plan, board: Board, tmp_path: Path, builds: list[Path]
) -> None:
    for folder in ("first", "second", "third"):
        emit(plan, board, tmp_path / folder)
    build_project(tmp_path / "first")
    (damaged,) = (tmp_path / "cache" / "built").glob(f"*/{name}")
    damaged.write_bytes(damaged.read_bytes()[:-4])
    build_project(tmp_path / "second")
    build_project(tmp_path / "third")
    assert [project.name for project in builds] == ["first", "second"], "and kept again"


def test_on_request_all_is_built(plan: Plan, board: Board, out: Path, builds: list[Path]) -> None:
    emit(plan, board, out)
    build_project(out)
    build_project(out, clean=True)
    assert len(builds) == 2


def test_a_project_that_changes_while_it_is_built_is_not_kept(
    plan: Plan, board: Board, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edits(arguments: Sequence[str], project: Path, **options: Any) -> str:
        (project / "src" / "main.c").write_text("#include <mcg_harness.h>\nint main(void) { return 0; }\n")
        return run_pio(arguments, project, **options)

    monkeypatch.setattr(builder, "run_pio", edits)
    emit(plan, board, out)
    build_project(out)
    assert not (tmp_path / "cache" / "built").exists()

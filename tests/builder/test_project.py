from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen import __version__
from mcugen.boards.read import read_board
from mcugen.boards.shipped import load_boards
from mcugen.boards.text import board_toml
from mcugen.boards.types import Board
from mcugen.errors import BoardError, ProjectError
from mcugen.formats.emit import emit_project
from mcugen.formats.views import markdown
from mcugen.project import folder as folder_module
from mcugen.project import project as project_module
from mcugen.project.bsp import max_payload
from mcugen.project.project import changed_files, load_project
from mcugen.runtimes.aot.emit.host import host_compiler
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.plan.types import Plan
from tests.builder.tiny import emit, tiny_plan


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_has_the_documented_files(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    files = set(content(out))
    assert {
        "platformio.ini",
        "README.md",
        "mcugen.json",
        "src/main.c",
        "lib/mcg_model/library.json",
        "lib/mcg_model/mcg_model.h",
        "lib/mcg_model/mcg_model.c",
        "lib/mcg_model/kernels/mcg_common.h",
        "lib/mcg_harness/library.json",
        "lib/mcg_bsp/library.json",
        "lib/mcg_bsp/mps2-an386.ld",
        "platform/platform.json",
        "platform/platform.py",
        "platform/boards/mps2-an386.json",
        "platform/builder/main.py",
    } <= files
    kernels = {name for name in files if name.startswith("lib/mcg_model/kernels/")}
    assert not any("conv" in name for name in kernels), "only the kernels that are used"


def test_the_same_model_gives_the_same_bytes(plan: Plan, board: Board, tmp_path: Path) -> None:
    emit(plan, board, tmp_path / "a", command="mcugen generate m")
    emit(tiny_plan(), board, tmp_path / "deeper" / "b", command="mcugen generate m")
    first = content(tmp_path / "a")
    assert first == content(tmp_path / "deeper" / "b")
    assert not any(str(tmp_path).encode() in text for text in first.values())


def test_every_generated_file_says_where_it_came_from(plan: Plan, board: Board, out: Path) -> None:
    emit_project(
        plan, board, out, model_files=emit_model(plan, command="mcugen deploy m.h5"), command="mcugen deploy m.h5"
    )
    for name in ("platformio.ini", "src/main.c", "README.md", "lib/mcg_model/mcg_model.c", "lib/mcg_model/mcg_model.h"):
        head = (out / name).read_text()[:600]
        assert f"mcugen {__version__}" in head, name
        assert plan.graph.sha256 in head, name
        assert "mcugen deploy m.h5" in head, name


def test_it_reads_back(plan: Plan, board: Board, out: Path) -> None:
    made = emit(plan, board, out, labels=["yes", "no"])
    read = load_project(out)
    assert read == made
    assert read.board == board
    assert read.manifest.labels == ("yes", "no")
    assert changed_files(read) == []


@pytest.mark.parametrize("name", sorted(load_boards()))
def test_every_board_survives_the_way_through_the_project(name: str, tmp_path: Path) -> None:
    board = load_boards()[name]
    path = tmp_path / f"{name}.toml"
    path.write_text(board_toml(board))
    assert read_board(path) == board


def test_payload_shrinks_where_the_model_leaves_no_ram(plan: Plan) -> None:
    boards = load_boards()
    assert max_payload(plan, boards["mps2-an386"]) == 4096
    assert max_payload(plan, boards["stm32vldiscovery"]) == 256
    big = tiny_plan(inputs=64 * 1024 - 5000)
    assert max_payload(big, boards["lm3s6965evb"]) == 512


# ---- what is not mcugen's is not touched


def test_a_foreign_folder_is_refused(plan: Plan, board: Board, out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    with pytest.raises(ProjectError, match=r"not empty and not mcugen's"):
        emit(plan, board, out, force=True)
    assert content(out) == {"thesis.tex": b"x"}


def test_a_file_is_refused(plan: Plan, board: Board, out: Path) -> None:
    out.write_text("x")
    with pytest.raises(ProjectError, match="is a file"):
        emit(plan, board, out, force=True)
    assert out.read_text() == "x"


def test_a_foreign_manifest_is_refused(plan: Plan, board: Board, out: Path) -> None:
    out.mkdir()
    (out / "mcugen.json").write_text('{"schema": 1, "files": {"../../victim": ""}}')
    with pytest.raises(ProjectError, match="empty this one yourself"):
        emit(plan, board, out, force=True)
    assert list(content(out)) == ["mcugen.json"]


def test_an_empty_folder_is_used(plan: Plan, board: Board, out: Path) -> None:
    out.mkdir()
    emit(plan, board, out)
    assert (out / "platformio.ini").is_file()


def test_a_project_is_replaced_wholly(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, load_boards()["microbit"], out)
    emit(plan, board, out)
    assert not (out / "lib/mcg_bsp/microbit.ld").exists()
    assert load_project(out).board.name == "mps2-an386"
    assert [p.name for p in out.parent.iterdir()] == ["project"], "nothing is left beside it"


def test_changed_and_added_files_are_named_and_kept(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    (out / "src/main.c").write_text("my own program")
    (out / "src/mine.c").write_text("more of mine")
    (out / "README.md").unlink()
    before = content(out)
    with pytest.raises(ProjectError, match=r"src/main\.c \(changed\), src/mine\.c \(added\)"):
        emit(plan, board, out)
    assert content(out) == before
    assert changed_files(load_project(out)) == ["README.md", "src/main.c"]


def test_force_replaces_changed_files_and_keeps_added_ones(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    before = content(out)
    (out / "src/main.c").write_text("my own program")
    (out / "src/deep").mkdir()
    (out / "src/deep/mine.c").write_text("more of mine")
    emit(plan, board, out, force=True)
    assert content(out) == before | {"src/deep/mine.c": b"more of mine"}


def test_what_tools_put_there_stays(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    for name in (".git/config", ".pio/build/x.o", ".vscode/settings.json", ".gitignore"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    emit(plan, load_boards()["microbit"], out)
    assert (out / ".git/config").read_text() == ".git/config"
    assert (out / ".pio/build/x.o").exists()
    assert (out / ".gitignore").exists()


def test_what_python_compiled_is_neither_added_nor_kept(plan: Plan, board: Board, out: Path) -> None:
    """PlatformIO imports platform/platform.py."""
    emit(plan, board, out)
    (out / "platform/__pycache__").mkdir()
    (out / "platform/__pycache__/platform.cpython-311.pyc").write_bytes(b"old")
    emit(plan, board, out)
    assert not (out / "platform/__pycache__").exists()


def test_a_link_in_place_of_a_file_counts_as_changed(plan: Plan, board: Board, out: Path, tmp_path: Path) -> None:
    emit(plan, board, out)
    outside = tmp_path / "outside.c"
    outside.write_bytes((out / "src/main.c").read_bytes())
    (out / "src/main.c").unlink()
    (out / "src/main.c").symlink_to(outside)
    with pytest.raises(ProjectError, match=r"src/main\.c \(changed\)"):
        emit(plan, board, out)
    emit(plan, board, out, force=True)
    assert not (out / "src/main.c").is_symlink()
    assert outside.is_file()


def test_a_failure_leaves_the_old_project_as_it_was(
    plan: Plan, board: Board, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(plan, board, out)
    before = content(out)
    real = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError(28, "No space left on device", str(self))
        return real(self, target)

    monkeypatch.setattr(folder_module.Path, "rename", fail)
    with pytest.raises(ProjectError, match="No space left"):
        emit(plan, load_boards()["microbit"], out)
    assert content(out) == before
    assert [p.name for p in out.parent.iterdir()] == ["project"]


def test_a_path_through_a_file_is_named(plan: Plan, board: Board, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="file"):
        emit(plan, board, tmp_path / "file" / "x")


# ---- reading projects that are not sound


def test_absent_or_foreign_folders_are_no_projects(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no such folder"):
        load_project(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match="not a project of mcugen's"):
        load_project(tmp_path)


def rewrite(out: Path, **fields: object) -> None:
    path = out / "mcugen.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_another_versions_project_says_so(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    rewrite(out, mcugen="9.8.7")
    wanted = r"generated by mcugen 9\.8\.7; mcugen .* reads projects of .* only.*or install that version$"
    with pytest.raises(ProjectError, match=wanted):
        load_project(out)
    rewrite(out, mcugen="1; rm -rf ~")
    with pytest.raises(ProjectError, match=r"by another version of mcugen;.*again, or install that version$"):
        load_project(out)


def test_patch_versions_read_each_others_projects(
    plan: Plan, board: Board, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = emit(plan, board, out)
    monkeypatch.setattr(project_module, "__version__", "3.4.5")
    for version in ("3.4.5", "3.4.0", "3.4.12"):
        rewrite(out, mcugen=version)
        assert load_project(out).manifest == replace(made.manifest, mcugen=version)
    for version in ("3.5.5", "3.3.9", "2.4.5", "3.4", "3.4.6rc1", "3.4.5.1", "13.4.5", ""):
        rewrite(out, mcugen=version)
        with pytest.raises(ProjectError, match=r"reads projects of 3\.4 only"):
            load_project(out)
    rewrite(out, mcugen="3.4.0", schema=2)
    with pytest.raises(ProjectError, match="schema 2"):
        load_project(out)


def test_manifests_that_are_not_text_are_refused(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    (out / "mcugen.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="cannot be read"):
        load_project(out)
    (out / "mcugen.json").write_bytes(b" " * ((16 << 20) + 1))
    with pytest.raises(ProjectError, match="larger than"):
        load_project(out)


def test_a_hostile_board_file_is_refused(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    path = out / "platform/boards/mps2-an386.toml"
    path.write_text(path.read_text().replace('machine = "mps2-an386"', 'machine = "x -monitor stdio"'))
    with pytest.raises(BoardError, match="machine"):
        load_project(out)
    rewrite(out, board="other")
    with pytest.raises(BoardError, match="no board file"):
        load_project(out)


# ---- names from the model

EVIL = 'x*/ system("rm");\n[env:evil]\n# `$(id)` |a|b| <script>\\u0000 ??/ "\'%{}${PATH} é'


def test_names_cannot_leave_their_place(board: Board, out: Path) -> None:
    plan = tiny_plan(name=EVIL, tensor=EVIL)
    emit_project(plan, board, out, model_files=emit_model(plan, command=EVIL), command=EVIL, labels=[EVIL])
    ini = (out / "platformio.ini").read_text()
    assert re.findall(r"^\[.*", ini, re.M) == ["[platformio]", "[env:mps2-an386]"]
    main = (out / "src/main.c").read_text()
    assert main.count("*/") == 2, "the licence and the banner"
    readme = (out / "README.md").read_text()
    assert "<script>" not in readme
    assert "\n# `" not in readme
    assert "`$(id)`" not in readme
    manifest = load_project(out).manifest
    assert manifest.model_name == EVIL
    assert manifest.labels == (EVIL,)


@pytest.mark.parametrize("text", ["a`b", "a|b", "<b>", "[x](y)", "a\nb", "a*b*", "ä\u202e"])
def test_markdown_is_harmless(text: str) -> None:
    assert not re.search(r"[`|<>*\[\]\n]|[^\x20-\x7e]", markdown(text))


# ---- the README's promises


def test_the_readmes_program_compiles_with_the_readmes_command(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    readme = (out / "README.md").read_text()
    program = re.search(r"```c\n(.*?)```", readme, re.S)
    assert program is not None
    (out / "main.c").write_text(program[1])
    command = re.search(r"^gcc (-std=c99 .*)$", readme, re.M)
    assert command is not None
    subprocess.run(
        [host_compiler(), "-Wall", "-Wextra", "-Werror", *command[1].split()], cwd=out, check=True, timeout=60
    )
    subprocess.run([out / "model"], check=True, timeout=10)


def test_the_readme_names_the_real_numbers(plan: Plan, board: Board, out: Path) -> None:
    emit(plan, board, out)
    readme = (out / "README.md").read_text()
    assert f"arena of {plan.arena_bytes} bytes" in readme
    assert "Input 0 `in`: `int8[1,8]`, scale 0.1, zero point 3" in readme
    assert "mcg_model_quantize_input0" in readme
    assert "qemu-system-arm -M mps2-an386 " in readme

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board, load_boards
from mcugen.cores.architectures import ARM
from mcugen.errors import BoardError, ToolError
from mcugen.runtimes.tflm.library import (
    BUILD_TYPES,
    MAKEFILE,
    Variant,
    build_flags,
    check_archive,
    choose_library,
    members,
    named_library,
    parse_variant,
    require_library,
    tflm_arch,
)

M4 = Variant("cortex-m4+fp", "release", True)


@pytest.fixture(autouse=True)
def no_tflm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCUGEN_TFLM_DIR", raising=False)


CORTEX_M4F = "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16"


def checkout(folder: Path, *variants: Variant, flags: str = CORTEX_M4F) -> Path:
    """A folder that looks like a checkout with builds in it: objects of one function each."""
    (folder / MAKEFILE).parent.mkdir(parents=True)
    (folder / MAKEFILE).touch()
    for variant in variants:
        library = folder / variant.archive
        library.parent.mkdir(parents=True)
        kernels = ["arm_convolve_s8"] if variant.optimised else []
        names = ["micro_interpreter", *kernels, "a_name_of_more_than_16_bytes"]
        for name in names:
            source = library.parent / f"{name}.c"
            source.write_text(f"float {name}(float x) {{ return 2 * x; }}\n")
            compiler = ["arm-none-eabi-gcc", "-mthumb", *flags.split()]
            subprocess.run([*compiler, "-c", str(source), "-o", source.with_suffix(".o")], check=True)
        objects = [library.parent / f"{name}.o" for name in names]
        subprocess.run(["arm-none-eabi-ar", "rc", str(library), *objects], check=True)
    return folder


needs_gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


def test_every_board_has_a_build_of_tflms() -> None:
    boards = {name: board for name, board in load_boards().items() if not board.framework}
    archs = {name: tflm_arch(board) for name, board in boards.items() if board.architecture is ARM}
    assert archs["mps2-an386"] == archs["netduinoplus2"] == "cortex-m4+fp"
    assert archs["microbit"] == "cortex-m0"
    assert archs["mps3-an547"] == "cortex-m55"


@pytest.mark.parametrize("tflm", [None, "some/library"])
def test_cores_that_are_not_arms_are_refused(tflm: str | None) -> None:
    with pytest.raises(BoardError, match="the TFLM runtime supports Arm cores only; this one is RISC-V"):
        choose_library(load_board("qemu-virt-rv32"), tflm)


@pytest.mark.parametrize("build_type", BUILD_TYPES)
@pytest.mark.parametrize("optimised", [True, False])
def test_a_builds_folder_names_it(build_type: str, optimised: bool) -> None:
    variant = Variant("cortex-m4+fp", build_type, optimised)
    assert parse_variant(variant.folder) == variant
    assert ("CMSIS_NN" in variant.defines) == optimised
    assert ("TF_LITE_STRIP_ERROR_STRINGS" in variant.defines) == (build_type == "release")
    assert ("NDEBUG" in variant.defines) == build_type.startswith("release")


def test_other_names_are_no_builds() -> None:
    odd = ("gen/cortex_m_generic_cortex-m4_fast_gcc", "gen/../cortex_m_generic_x_release_gcc")
    for name in ("", "esp-tflite-micro", *odd):
        assert parse_variant(name) is None
    assert named_library("esp/esp-tflite-micro").lib_deps == "esp/esp-tflite-micro"
    assert named_library(M4.folder).variant == M4


def test_the_make_command_is_exact() -> None:
    assert M4.make_command("/usr/bin") == (
        "make -f tensorflow/lite/micro/tools/make/Makefile TARGET=cortex_m_generic TARGET_ARCH=cortex-m4+fp "
        "OPTIMIZED_KERNEL_DIR=cmsis_nn BUILD_TYPE=release TARGET_TOOLCHAIN_ROOT=/usr/bin/ microlite"
    )
    assert "OPTIMIZED_KERNEL_DIR" not in Variant("cortex-m0", "release", False).make_command()


def test_without_tflm_a_project_asks_for_the_best_build() -> None:
    library = choose_library(load_board("mps2-an386"))
    assert (library.variant, library.root) == (M4, None)
    assert choose_library(load_board("microbit")).variant == Variant("cortex-m0", "release", False)
    flags = build_flags(library, "${sysenv.MCUGEN_TFLM_DIR}")
    assert flags[0] == "-isystem ${sysenv.MCUGEN_TFLM_DIR}"
    assert "-ltensorflow-microlite" in flags


def test_building_without_tflm_says_what_to_do() -> None:
    with pytest.raises(ToolError, match=r"`tflm=DIR` or MCUGEN_TFLM_DIR=DIR.*make -f .*TARGET_ARCH=cortex-m4\+fp"):
        require_library(M4.folder, load_board("mps2-an386"))


@needs_gcc
def test_what_was_built_is_taken_and_checked(tmp_path: Path) -> None:
    debug = Variant("cortex-m4+fp", "debug", False)
    root, board = checkout(tmp_path / "t f", debug), load_board("mps2-an386")
    library = choose_library(board, str(root))
    assert library.variant == debug
    assert library.name == debug.folder
    assert require_library(library.name, board, str(root)) == root.resolve()
    with pytest.raises(ToolError, match=r"no build .* for this project.*BUILD_TYPE=release.*microlite"):
        require_library(M4.folder, board, str(root))


@needs_gcc
def test_the_best_build_is_taken(tmp_path: Path) -> None:
    root = checkout(tmp_path / "tflm", Variant("cortex-m4+fp", "default", True), M4)
    assert choose_library(load_board("mps2-an386"), str(root)).variant == M4


@needs_gcc
@pytest.mark.parametrize(
    ("flags", "board", "what"),
    [
        ("-mcpu=cortex-m3", "mps2-an386", "in core registers, the board's code in FPU"),
        ("-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-sp-d16", "mps2-an505", "another core"),
    ],
)
def test_a_build_for_something_else_is_refused(tmp_path: Path, flags: str, board: str, what: str) -> None:
    root = checkout(tmp_path / "tflm", M4, flags=flags)
    with pytest.raises(ToolError, match=what):
        check_archive(root / M4.archive, M4, load_board(board))


@needs_gcc
def test_the_kernel_set_is_looked_at(tmp_path: Path) -> None:
    plain = Variant("cortex-m4+fp", "release", False)
    root = checkout(tmp_path / "tflm", plain)
    with pytest.raises(ToolError, match="lacks CMSIS-NN"):
        check_archive(root / plain.archive, M4, load_board("mps2-an386"))
    names = [name for name, _ in members(root / plain.archive)]
    assert names == ["micro_interpreter.o", "a_name_of_more_than_16_bytes.o"]


@pytest.mark.parametrize("content", [b"", b"no library", b"!<arch>\n" + b"x" * 59, b"!<arch>\n" + b"x" * 200])
def test_damaged_libraries(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lib.a"
    path.write_bytes(content)
    with pytest.raises(ToolError, match=r"is not a library|is damaged"):
        list(members(path))


def test_what_is_named_must_be_something(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    with pytest.raises(ToolError, match="neither a checkout"):
        choose_library(board, str(tmp_path))
    with pytest.raises(ToolError, match="no such folder"):
        choose_library(board, "/nowhere/tflm")
    with pytest.raises(ToolError, match="no such folder"):
        choose_library(board, "x\nlib_deps = evil")


def test_platformio_libraries(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    library = choose_library(board, "espressif/esp-tflite-micro@^1.3")
    assert (library.lib_deps, library.variant, library.newest) == ("espressif/esp-tflite-micro@^1.3", None, False)
    assert require_library(library.name, board) is None
    (tmp_path / "library.json").touch()
    assert choose_library(board, str(tmp_path)).lib_deps == f"symlink://{tmp_path.resolve()}"

"""What the TFLM runtime says, and where it can be told how."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.builder.demangle import demangled
from mcugen.device.device import Device, ModelStartError
from mcugen.device.protocol import ARENA_TOO_SMALL
from mcugen.errors import DoesNotFitError, ProjectError, ToolError, UnsupportedOpError
from mcugen.flow import doctor
from mcugen.flow.settle import settle_arena
from mcugen.resources import resource_dir
from mcugen.runtimes.tflm.library import build_flags, choose_library
from tests import zoo
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.tflm.support import program
from tests.tflm.test_library import M4, checkout, needs_gcc

BOARD = load_board("mps2-an386")


@pytest.mark.parametrize("verb", ["inspect", "generate", "verify"])
def test_an_op_that_tflm_lacks_is_named_with_layer_and_way_on(verb: str, tmp_path: Path) -> None:
    x, y = TensorSpec((1, 8), scale=0.1), TensorSpec((1, 8), scale=0.1, name="dense/Gelu")
    path = tmp_path / "gelu.tflite"
    path.write_bytes(build_model("GELU", options("GeluOptions"), [x], [y]))
    more: dict[str, Any] = {} if verb == "inspect" else {"board": "mps2-an386"}
    if verb == "generate":
        more["out"] = tmp_path / "p"
    with pytest.raises(
        UnsupportedOpError, match=r'op 0 GELU "dense/Gelu": .*has no GELU.*use gelu with approximate=True, relu'
    ) as caught:
        getattr(api, verb)(path, runtime="tflm", tflm="", **more)
    assert "Nothing can be verified without the oracle" not in str(caught.value)


def refusing(code: int) -> Any:
    def start(_ready: object) -> Device:
        raise ModelStartError("the model did not start: the arena is too small", "x", "", code)

    return start


def ready_with(arena_bytes: int) -> Any:
    made = replace(program("sine", arena_bytes=arena_bytes), arena_given=arena_bytes > 0)
    return SimpleNamespace(plan=made, changed=(), board=replace(BOARD, ram=replace(BOARD.ram, size=1024)))


def test_an_arena_that_the_user_set_is_not_made_larger() -> None:
    assert program("sine", arena_bytes=512).arena_given
    assert not program("sine").arena_given
    with pytest.raises(ModelStartError, match="the arena is too small"):
        settle_arena(cast(Any, ready_with(512)), refusing(ARENA_TOO_SMALL), None)
    with pytest.raises(DoesNotFitError, match="no RAM for a larger one"):  # a computed one is, as far as that goes
        settle_arena(cast(Any, ready_with(0)), refusing(ARENA_TOO_SMALL), None)


@needs_gcc
def test_the_build_can_be_chosen(tmp_path: Path) -> None:
    debug = replace(M4, build_type="debug")
    root = checkout(tmp_path / "tflm", M4, debug)
    assert choose_library(BOARD, str(root)).variant == M4
    assert choose_library(BOARD, str(root), "debug").variant == debug
    assert choose_library(BOARD, str(root), "default").variant == replace(M4, build_type="default")  # build says how
    assert choose_library(BOARD, "", "debug").variant == debug
    with pytest.raises(ToolError, match="built in one way only"):
        choose_library(BOARD, "someone/tflm", "debug")
    with pytest.raises(ProjectError, match="'fast' is no build of TFLM's"):
        api.generate(zoo.path("sine"), board=BOARD.name, out=tmp_path / "p", runtime="tflm", tflm_build="fast")


def test_doctor_says_what_the_makefile_and_the_firmware_need() -> None:
    tools = {tool.name: (tool, check) for tool, check in doctor._checks()}
    told = doctor.install_line(tools["TensorFlow Lite Micro"][0])
    assert "Python with Pillow" in told
    assert "-j8" in told
    tool, check = tools["C++ library"]
    assert tool.apt == "libstdc++-arm-none-eabi-newlib"
    assert check(tool).path.endswith("libstdc++_nano.a") or not check(tool).found


def test_a_flag_of_c_alone_is_not_given_to_cxx() -> None:
    text = (resource_dir("firmware") / "platform" / "builder" / "main.py").read_text()
    flags = dict(re.findall(r"    (C\w*FLAGS)=\[(.*?)\],\n", text, re.DOTALL))
    assert "implicit-function-declaration" in flags["CFLAGS"]
    assert "implicit-function-declaration" not in flags["CCFLAGS"]


def test_names_of_cxx_are_shown_as_people_write_them() -> None:
    mangled = "_ZN6tflite16MicroInterpreter6InvokeEv"
    assert demangled([mangled, "mcg_arena"]) == {mangled: "tflite::MicroInterpreter::Invoke()"}
    assert demangled(["mcg_arena"]) == {}


def test_a_library_for_platformio_is_a_release_build() -> None:
    flags = build_flags(choose_library(BOARD, "someone/tflm"), "")
    assert {"-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS", "-DNDEBUG"} <= set(flags)

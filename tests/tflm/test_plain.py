"""The plain form: what TFLM's users write, and nothing else. The guarded form keeps its guards in a header."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcugen import api
from mcugen.errors import ModelError, ProjectError
from mcugen.runtimes.tflm.emit import emit_tflm
from tests import zoo
from tests.tflm.support import program, real_tflm
from tests.tflm.test_emit import DEBUG, RELEASE, compile_library, needs_cxx, needs_gemmlowp


def code_lines(text: str) -> list[str]:
    """Lines that are neither empty nor part of the comment at the top."""
    return [line for line in text.split("*/", 2)[2].splitlines() if line.strip()]


def test_the_plain_form_is_what_tflms_users_write() -> None:
    files = emit_tflm(program("ds_cnn", plain=True))
    text = files["mcg_model.cc"]
    assert len(code_lines(text)) < 60
    for word in ("setjmp", "Allocator final", "invoke", "hook"):
        assert word not in text
    for word in ("McgResolver ops;", "mcg_const_model", "mcg_arena", "tflite::MicroInterpreter(model, *ops, mcg_arena"):
        assert word in text
    assert "mcg_guard.h" not in files
    assert "tflite::MicroMutableOpResolver<6>" in files["mcg_interpreter.h"]


def test_the_guarded_form_keeps_its_guards_apart() -> None:
    files = emit_tflm(program("ds_cnn"))
    assert "class Arena final" in files["mcg_guard.h"]
    assert "class Arena" not in files["mcg_model.cc"]
    assert "longjmp" not in files["mcg_model.cc"]
    assert '#include "mcg_guard.h"' in files["mcg_model.cc"]


@pytest.mark.parametrize("plain", [False, True])
def test_the_array_is_declared_in_the_header(plain: bool) -> None:
    files = emit_tflm(program("ds_cnn", plain=plain))
    declared = "extern const unsigned char mcg_const_model[MCG_MODEL_FLATBUFFER_BYTES];"
    assert declared in files["mcg_model.h"]
    assert all(declared not in text for name, text in files.items() if name != "mcg_model.h")


@needs_cxx
@needs_gemmlowp
@pytest.mark.parametrize(("name", "defines"), [("wake_word", RELEASE), ("lstm", DEBUG)])
def test_it_compiles_against_tflms_headers(name: str, defines: tuple[str, ...], tmp_path: Path) -> None:
    compile_library(emit_tflm(program(name, plain=True)), tmp_path, defines)


def test_a_replaceable_model_needs_its_checks() -> None:
    with pytest.raises(ModelError, match="needs the checks that the plain form leaves out"):
        program("sine", plain=True, slot_bytes=4096)


def test_a_project_keeps_its_form(tmp_path: Path) -> None:
    told = {"board": "mps2-an386", "runtime": "tflm", "tflm": ""}
    api.generate(zoo.path("sine"), out=tmp_path / "p", plain=True, **told)
    from mcugen.flow.project import open_project

    _project, _model, _board, plan = open_project(tmp_path / "p")
    assert plan.plain  # type: ignore[attr-defined]
    with pytest.raises(ProjectError, match="`plain` apply to the TFLM runtime only"):
        api.generate(zoo.path("sine"), board="mps2-an386", out=tmp_path / "q", plain=True)


@pytest.mark.emulator
def test_it_is_verified_as_the_other(tmp_path: Path) -> None:
    tflm = real_tflm()
    told = {"board": "mps2-an386", "runtime": "tflm", "tflm": tflm}
    proof = api.deploy(zoo.path("wake_word"), out=tmp_path / "p", plain=True, samples=3, **told)
    assert proof.verdict.bit_exact
    assert api.verify(tmp_path / "p", tflm=tflm, samples=2, layers=True).verdict.bit_exact

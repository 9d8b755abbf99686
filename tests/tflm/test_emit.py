from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.errors import DoesNotFitError
from mcugen.formats.emit import emit_project
from mcugen.project.project import load_project
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from tests.models import both
from tests.tflm.support import CXX, CXX_FLAGS, GEMMLOWP, MODELS, ZOO, api_headers, program
from tests.tflm.test_resolver import fully_connected, renamed

RELEASE = ("-DNDEBUG", "-DTF_LITE_STRIP_ERROR_STRINGS", "-DCMSIS_NN", "-DMCG_TFLM_LOG_CALLBACK")
WITH_TEXTS = ("-DNDEBUG", "-DCMSIS_NN", "-DMCG_TFLM_LOG_CALLBACK")
DEBUG: tuple[str, ...] = ()

needs_cxx = pytest.mark.skipif(shutil.which(CXX) is None, reason=f"{CXX} is not installed")
needs_gemmlowp = pytest.mark.skipif(not GEMMLOWP.is_dir(), reason="libgemmlowp-dev is not installed")


def compile_library(files: dict[str, str], folder: Path, defines: tuple[str, ...]) -> None:
    """Compile the emitted sources against TFLM's API; warnings are errors."""
    for name, text in files.items():
        (folder / name).write_text(text)
    flags = [*CXX_FLAGS, "-Dtflite=tflite_micro", *defines, "-isystem", api_headers(), "-isystem", GEMMLOWP]
    for source in sorted(folder.glob("*.cc")):
        # In the folder, so that no path of this run is part of what ccache compares.
        command = [CXX, *flags, "-I.", "-O0", "-MD", "-c", source.name, "-o", source.stem + ".o"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]


COMPILED = ("ds_cnn_16x8", "lstm", "resnet", "sine_float", "svdf", "wake_word")
"""Models whose sources hold every kind of line that the zoo's hold: others need no compiler for its three seconds.

Not transformer: the fork's headers are older than the int8 kernel of BATCH_MATMUL.
"""


def code_of(name: str) -> set[str]:
    """What the sources of a model include and register, and the types of its tensors."""
    lines = {line.strip() for text in emit_tflm(program(name)).values() for line in text.splitlines()}
    types = {found for line in lines for found in re.findall(r"MCG_DTYPE_\w+", line)}
    return types | {line for line in lines if line.startswith("#include") or "ops.Add" in line or "Builtin" in line}


def test_the_compiled_models_have_all_kinds_of_code() -> None:
    compiled = set().union(*map(code_of, COMPILED))
    for name in ZOO:
        assert name == "transformer" or not code_of(name) - compiled


@needs_cxx
@needs_gemmlowp
@pytest.mark.parametrize("name", both(COMPILED, ["okay_nabu"]))
def test_the_sources_compile_against_tflms_headers(name: str, tmp_path: Path) -> None:
    compile_library(emit_tflm(program(name), labels=["a", 'b"']), tmp_path, RELEASE)


@needs_cxx
@needs_gemmlowp
@pytest.mark.parametrize(
    ("name", "defines"), [("wake_word", RELEASE), ("lstm", WITH_TEXTS), ("wake_word", DEBUG), ("lstm", DEBUG)]
)
def test_replaceable_models_compile_in_every_build_type(name: str, defines: tuple[str, ...], tmp_path: Path) -> None:
    compile_library(emit_tflm(program(name, slot_bytes=100_000)), tmp_path, defines)


@needs_cxx
@needs_gemmlowp
@pytest.mark.parametrize("slot_bytes", [0, 4096])
def test_custom_ops_get_a_stub_that_compiles(slot_bytes: int, tmp_path: Path) -> None:
    data = renamed(fully_connected("int8"), "CUSTOM", 'My"Op*/')
    options = TflmOptions("", arena_bytes=2048, slot_bytes=slot_bytes)
    files = emit_tflm(make_program(data, "custom", load_board("mps2-an386"), options))
    assert 'AddCustom("My\\"Op*/", mcg_custom_op_0())' in files["mcg_model.cc"]
    assert '/* My"Op*| */' in files["mcg_custom_ops.cc"]
    compile_library(files, tmp_path, DEBUG)


@pytest.mark.parametrize("name", MODELS)
def test_the_array_is_the_stripped_flatbuffer(name: str) -> None:
    made = program(name)
    files = emit_tflm(made)
    array = re.search(r"= \{\n(.*?)\};", files["mcg_model_data.cc"], re.DOTALL)
    assert array is not None
    assert bytes(int(n) for n in re.findall(r"\d+", array[1])) == made.flatbuffer.data
    assert "alignas(16) const unsigned char mcg_const_model" in files["mcg_model_data.cc"]
    assert f"constexpr int kOps = {len(made.registrations)};" in files["mcg_model.cc"]
    in_debug_builds = files["mcg_model.cc"].count("#else\n  if")
    assert files["mcg_model.cc"].count("status = ops.Add") == len(made.registrations) + in_debug_builds


def test_kept_names_are_the_file_as_it_was() -> None:
    made = program("ds_cnn", keep_names=True)
    assert (made.flatbuffer.saved, made.names_kept) == (0, True)
    assert b"block0/pointwise" in made.flatbuffer.data
    assert b"block0/pointwise" not in program("ds_cnn").flatbuffer.data


def test_int8_registrations_and_their_headers() -> None:
    text = emit_tflm(program("ds_cnn"))["mcg_model.cc"]
    assert "ops.AddConv2D(tflite::Register_CONV_2D_INT8())" in text
    assert "ops.AddReshape()" in text
    assert '#include "tensorflow/lite/micro/kernels/conv.h"' in text
    lstm = emit_tflm(program("lstm"))["mcg_model.cc"]
    assert re.search(r"#ifdef NDEBUG[^#]*Register_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8\(\)[^#]*#else[^#]*LSTM\(\);", lstm)


def test_resource_variables_are_counted() -> None:
    text = emit_tflm(program("wake_word"))["mcg_model.cc"]
    assert "MicroResourceVariables::Create(allocator, 5)" in text
    assert "MicroResourceVariables" not in emit_tflm(program("ds_cnn"))["mcg_model.cc"]


def test_the_interface_is_the_ahead_of_time_runtimes() -> None:
    header = emit_tflm(program("ds_cnn"))["mcg_model.h"]
    for name in ("mcg_model_init", "mcg_model_input", "mcg_model_output", "mcg_model_invoke", "mcg_model_op_output"):
        assert f"{name}(" in header
    assert "mcg_model_quantize_input0" in header
    assert "int mcg_model_load(" not in header
    replaceable = emit_tflm(program("ds_cnn", slot_bytes=50_000))["mcg_model.h"]
    assert "mcg_model_load(" in replaceable
    assert "mcg_model_get_info()->inputs[0].scale" in replaceable


def test_slots_that_cannot_be() -> None:
    with pytest.raises(DoesNotFitError, match="cannot hold"):
        program("ds_cnn", slot_bytes=1000)
    with pytest.raises(DoesNotFitError, match="do not fit the board"):
        program("sine", "microbit", slot_bytes=9000)


def test_a_project_is_reproducible_and_reads_back(tmp_path: Path) -> None:
    made, board = program("sine", slot_bytes=4096), load_board("mps2-an386")
    for name in ("one", "two"):
        emit_project(made, board, tmp_path / name, model_files=emit_tflm(made, command="x"), command="x")
    one, two = load_project(tmp_path / "one"), load_project(tmp_path / "two")
    assert one.manifest == two.manifest
    manifest = one.manifest
    assert (manifest.runtime, manifest.slot_bytes) == ("tflm", 4096)
    assert (manifest.names_kept, manifest.arena_exact) == (False, False)
    assert manifest.library == "gen/cortex_m_generic_cortex-m4+fp_release_cmsis_nn_gcc"
    for path in sorted((tmp_path / "one").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
            assert str(tmp_path).encode() not in path.read_bytes()

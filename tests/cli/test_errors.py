"""What a user can do wrong: one clear message, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcugen import __version__, ops
from mcugen import cli as command_line
from mcugen.errors import DataError, ProjectError
from mcugen.flow.project import open_project
from mcugen.flow.prove import choose_inputs
from mcugen.runtimes.aot.graph import read_graph
from tests.cli.conftest import BOARD, Cli, Ran, int8_model
from tests.models import model_path, real


def assert_error(ran: Ran, *parts: str) -> None:
    assert ran.code == 2, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert ran.err.startswith("✖ ")
    for part in parts:
        assert part in ran.err
    assert ran.out == ""


def test_missing_model(cli: Cli) -> None:
    assert_error(cli("inspect", "nowhere/model.tflite"), "nowhere/model.tflite", "no such file")


def test_not_a_model(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("These are not the bytes you are looking for. " * 10)
    assert_error(cli("inspect", path), "notes.tflite")


def test_truncated_model(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    data = int8_model()
    path.write_bytes(data[: len(data) // 2])
    assert_error(cli("verify", path, "--board", BOARD), "truncated or corrupted")


def test_unknown_board_names_the_close_one(cli: Cli, model: Path, tmp_path: Path) -> None:
    ran = cli("generate", model, "--board", "mps2-an368", "-o", tmp_path / "out")
    assert_error(ran, "mps2-an368", "mps2-an386")
    assert not (tmp_path / "out").exists()


def test_model_without_a_board(cli: Cli, model: Path) -> None:
    assert_error(cli("verify", model), "no board", "--board")


def test_float_model_without_data(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    ran = cli("quantize", float_tflite, "-o", tmp_path / "out.tflite")
    assert_error(ran, "--data", "random")
    assert not (tmp_path / "out.tflite").exists()


def test_unsupported_op_names_op_layer_and_what_exists(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    known = {kind: specs for kind, specs in ops.registry().items() if kind != "LOGISTIC"}
    monkeypatch.setattr(ops, "registry", lambda: known)
    code = command_line.run(["generate", str(model), "--board", BOARD, "-o", str(tmp_path / "out")])
    captured = capfd.readouterr()
    assert_error(Ran(code, captured.out, captured.err), "LOGISTIC", '"scores"', "docs/SUPPORTED_OPS.md")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "board", "arena", "available"),
    [
        ("mobilenet_v1", "stm32vldiscovery", "7,168 arena", "8,192"),
        pytest.param("vww_96_int8", "microbit", "28,800 arena", "16,384", marks=real("vww_96_int8")),
    ],
)
def test_does_not_fit_says_the_numbers(
    cli: Cli, name: str, board: str, arena: str, available: str, tmp_path: Path
) -> None:
    ran = cli("generate", model_path(name), "--board", board, "-o", tmp_path / "out")
    assert_error(ran, "does not fit", arena, available)
    assert not (tmp_path / "out").exists()


def test_folder_that_is_not_ours(cli: Cli, model: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter1.txt").write_text("precious")
    assert_error(cli("generate", model, "--board", BOARD, "-o", thesis), "thesis", "not mcugen's")
    assert [path.name for path in thesis.iterdir()] == ["chapter1.txt"]


def test_project_changed_by_hand_is_kept_unless_forced(cli: Cli, model: Path, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "firmware"
    shutil.copytree(project, copy)
    (copy / "src" / "main.c").write_text("/* mine */\n")
    assert_error(cli("generate", model, "--board", BOARD, "-o", copy), "src/main.c", "--force")
    assert (copy / "src" / "main.c").read_text() == "/* mine */\n"
    assert cli("generate", model, "--board", BOARD, "-o", copy, "--force").code == 0
    assert (copy / "src" / "main.c").read_text() != "/* mine */\n"


def test_build_of_a_folder_that_is_no_project(cli: Cli, tmp_path: Path) -> None:
    assert_error(cli("build", tmp_path), "mcugen.json")


def test_project_for_another_board(cli: Cli, project: Path) -> None:
    assert_error(cli("verify", project, "--board", "microbit"), BOARD, "microbit")


def test_project_with_a_model_that_is_not_its_own(cli: Cli, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "firmware"
    shutil.copytree(project, copy)
    (copy / "model" / "model.tflite").write_bytes(int8_model("other"))
    assert_error(cli("verify", copy), "model.tflite", "not the model")


def test_project_without_its_model(cli: Cli, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "firmware"
    shutil.copytree(project, copy)
    (copy / "model" / "model.tflite").unlink()
    assert_error(cli("verify", copy), "model.tflite", "cannot be read")


def test_data_for_a_project_makes_no_sense(cli: Cli, project: Path) -> None:
    assert_error(cli("verify", project, "--data", "random"), "--data")


def test_output_over_the_input(cli: Cli, float_tflite: Path) -> None:
    before = float_tflite.read_bytes()
    assert_error(cli("quantize", float_tflite, "--data", "random", "-o", float_tflite), "overwrite")
    assert float_tflite.read_bytes() == before


def test_output_in_a_missing_folder(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    out = tmp_path / "no" / "such" / "out.tflite"
    assert_error(cli("quantize", float_tflite, "--data", "random", "-o", out), "folder does not exist", "mkdir")


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.zeros((3, 7), np.int8), "int8[1,6]"),
        (np.zeros((3, 6), np.int32), "int32"),
        (np.full((3, 6), np.nan, np.float32), "NaN or infinite, the first in sample 0"),
        (np.zeros((0, 6), np.int8), "no sample"),
        (np.array([{"a": 1}], dtype=object), "holds Python objects, which are not loaded"),
    ],
)
def test_wrong_inputs(cli: Cli, project: Path, tmp_path: Path, array: np.ndarray, part: str) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    ran = cli("run", project, "--inputs", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert_error(ran, "x.npy", part)
    assert not (tmp_path / "y.npy").exists()


def test_inputs_that_are_no_numpy_file(cli: Cli, project: Path, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_text("1 2 3")
    assert_error(cli("verify", project, "--inputs", tmp_path / "x.npy"), "x.npy", "not a NumPy file")


def test_missing_inputs(cli: Cli, project: Path) -> None:
    assert_error(cli("verify", project, "--inputs", "nowhere.npy"), "nowhere.npy", "there is no such file or folder")


def test_outputs_of_another_kind(cli: Cli, project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 6), np.int8))
    assert_error(cli("run", project, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.csv"), ".npy", "y.csv")


def test_labels_must_be_as_many_as_the_classes(cli: Cli, model: Path, tmp_path: Path) -> None:
    ran = cli("generate", model, "--board", BOARD, "-o", tmp_path / "out", "--labels", "a,b,c")
    assert_error(ran, "3 labels for 4 classes", "one name per value")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"samples": 0}, "at least one sample is needed"), ({"seed": -1}, "the seed must not be negative")],
)
def test_no_verdict_without_samples(model: Path, wrong: dict[str, int], message: str) -> None:
    ready = SimpleNamespace(plan=SimpleNamespace(graph=read_graph(model.read_bytes())))
    with pytest.raises(DataError, match=message):
        choose_inputs(ready, **{"inputs": None, "samples": 1, "seed": 0, **wrong})  # type: ignore[arg-type]


def test_labels_that_cannot_be_read(cli: Cli, model: Path, tmp_path: Path) -> None:
    ran = cli("generate", model, "--board", BOARD, "-o", tmp_path / "out", "--labels", "nowhere.txt")
    assert_error(ran, "nowhere.txt", "labels")


def test_missing_argument_and_unknown_option(cli: Cli) -> None:
    assert_error(cli("deploy", "x.tflite"), "--board")
    assert_error(cli("boards", "--colour"), "--colour")
    assert_error(cli("launch"), "launch")


def test_missing_compiler(cli: Cli, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "firmware"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".pio"))
    assert_error(cli("build", copy, env={"PATH": str(tmp_path)}), "arm-none-eabi-gcc", "install")


def test_missing_emulator(cli: Cli, project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).glob("arm-none-eabi-*"):
            if not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    if not (tools / "arm-none-eabi-gcc").exists():
        pytest.skip("arm-none-eabi-gcc not installed in /usr/bin")
    (tools / "sh").symlink_to("/bin/sh")
    assert_error(cli("verify", project, env={"PATH": str(tools)}), "qemu-system-arm", "install")


def test_a_patch_versions_project_is_taken_unless_it_is_planned_otherwise(project: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(project, tmp_path / "copy")
    manifest = json.loads((copy / "mcugen.json").read_text())
    patch = f"{__version__.rpartition('.')[0]}.4321"
    (copy / "mcugen.json").write_text(json.dumps({**manifest, "mcugen": patch}))
    assert open_project(copy)[0].manifest.mcugen == patch
    first, *others = manifest["ops"]
    changed = {**manifest, "mcugen": patch, "ops": [{**first, "kernels": ["mcg_something_else"]}, *others]}
    (copy / "mcugen.json").write_text(json.dumps(changed))
    with pytest.raises(ProjectError, match="plans this model differently from the version that generated the project"):
        open_project(copy)


def test_errors_as_json(cli: Cli, model: Path) -> None:
    ran = cli("inspect", "nowhere.tflite", "--json")
    assert ran.code == 2
    assert ran.json["schema"] == "mcugen.error/1"
    error = ran.json["error"]
    assert (error["kind"], error["where"]) == ("ModelError", "nowhere.tflite")
    assert error["what"]
    assert error["hint"]
    assert cli("deploy", model, "--json").json["error"]["kind"] == "UsageError"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def explode(*_arguments: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("mcugen.verbs.boards.load_boards", explode)
    assert command_line.run(["boards"]) == command_line.EXIT_BUG
    captured = capfd.readouterr()
    assert "ZeroDivisionError: boom" in captured.err
    assert "report" in captured.err
    assert captured.out == ""


def test_measuring_needs_a_board(cli: Cli, model: Path) -> None:
    assert_error(cli("inspect", model, "--measure"), "--measure needs a board", "--board")


def test_whatever_a_library_makes_of_ctrl_c_is_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A KeyboardInterrupt that comes inside an extension may come out as any other error."""
    import signal

    from mcugen import cli as command_line

    def broken() -> None:
        raise SystemError("returned a result with an exception set")

    monkeypatch.setattr("mcugen.verbs.boards.load_boards", broken)
    assert command_line.run(["boards"]) == 70
    assert "this is a bug in mcugen" in capsys.readouterr().err
    monkeypatch.setattr(command_line, "_interrupted", [int(signal.SIGINT)])
    assert command_line.run(["boards"]) == 130
    assert capsys.readouterr().err == "\nstopped\n"

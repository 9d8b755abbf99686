"""The pages of docs/export/: from the command to the first inference in at most ten lines, which run here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from mcugen import cli
from mcugen.formats import formats
from tests.conftest import ROOT
from tests.export.programs import checked, expected
from tests.export.test_frameworks import _IDF_STUB, _ZEPHYR_STUB
from tests.models import model_bytes, model_path

TARGET = Path(__file__).parent / "target"
PAGES = sorted((ROOT / "docs" / "export").glob("*.md"))


def blocks(format: str) -> dict[str, str]:
    """The code of a page, by language; at most ten lines of it in all."""
    page = (ROOT / "docs" / "export" / f"{format}.md").read_text(encoding="utf-8")
    found = re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
    assert sum(bool(line.strip()) for _, code in found for line in code.splitlines()) <= 10
    assert len({language for language, _ in found}) == len(found), "one block of each language"
    return dict(found)


def start(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run the page's command where a user would, and put its program beside the library."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_path("ds_cnn"), "kws.tflite")
    code = blocks(format)
    program, verb, *arguments = shlex.split(code["sh"])
    assert (program, verb) == ("mcugen", "export")
    assert cli.run([verb, *arguments]) == 0
    return code


def first_output() -> int:
    """What the programs return: every input is 0.5."""
    from mcugen.runtimes.aot.graph import read_graph
    from mcugen.tflite.opened import open_model

    graph = read_graph(open_model(model_bytes("ds_cnn")), "kws")
    tensor = graph.tensor(graph.inputs[0])
    value = np.clip(round(0.5 / tensor.scale) + tensor.zero_point, -128, 127)
    ((answer,),) = expected(model_bytes("ds_cnn"), [[np.full(tensor.shape, value, np.int8)]])
    return int(answer.reshape(-1)[0])


def assert_answers(program: Path) -> None:
    code = subprocess.run([str(program)], check=False, timeout=60).returncode
    assert code == first_output() % 256


def cmake(folder: Path) -> Path:
    checked(["cmake", "-S", str(folder), "-B", "build"])
    checked(["cmake", "--build", "build"])
    return folder / "build" / "program"


def test_every_format_has_a_page() -> None:
    assert [page.stem for page in PAGES] == list(formats())


def test_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("c", tmp_path, monkeypatch)
    Path("main.c").write_text(code["c"])
    Path("Makefile").write_text(code["make"])
    checked(["make", "program"])
    assert_answers(tmp_path / "program")


def test_cmake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("cmake", tmp_path, monkeypatch)
    Path("main.c").write_text(code["c"])
    Path("CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.13)\nproject(user C)\n{code['cmake']}")
    assert_answers(cmake(tmp_path))


def test_arduino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("arduino", tmp_path, monkeypatch)
    shutil.unpack_archive("kws-arduino/kws-1.0.0.zip", "libraries")
    Path("sketch.ino").write_text(code["cpp"])
    where = ["-Ilibraries/kws/src", f"-I{TARGET}"]
    checked(["gcc", "-std=gnu11", "-Os", *where, "-c", "libraries/kws/src/kws.c", "-o", "kws.o"])
    sketch = ["-include", "Serial.h", "-x", "c++", "sketch.ino", "-x", "none", "kws.o"]  # it ends after its first line
    checked(["g++", "-Wall", "-Werror", *where, *sketch])
    assert checked(["./a.out"]) == f"{first_output()}\n"


def test_platformio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("platformio", tmp_path, monkeypatch)
    Path("main.c").write_text(code["c"])
    checked(["gcc", "-std=c99", "-O2", "-Ilib/kws/src", "main.c", "lib/kws/src/kws.c", "-o", "program"])
    assert_answers(tmp_path / "program")


def test_esp_idf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("esp-idf", tmp_path, monkeypatch)
    Path("main").mkdir()
    Path("main/main.c").write_text(code["c"])
    Path("main/CMakeLists.txt").write_text(code["cmake"])
    Path("host.c").write_text("void app_main(void);\nint main(void) {\n  app_main();\n  return 0;\n}\n")
    Path("CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(user C)\n{_IDF_STUB}\nadd_subdirectory(components/kws)\n"
        "add_subdirectory(main)\nadd_executable(program host.c)\ntarget_link_libraries(program PRIVATE main)\n"
    )
    assert checked([str(cmake(tmp_path))]) == f"{first_output()}\n"


def test_zephyr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("zephyr", tmp_path, monkeypatch)
    Path("main.c").write_text(code["c"])
    settings = "".join(f"set({line.replace('=', ' ')})\n" for line in code["ini"].split())
    Path("CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(user C)\n{_ZEPHYR_STUB}\n{settings}{code['cmake']}"
        "foreach(module ${EXTRA_ZEPHYR_MODULES})\n  add_subdirectory(${module})\n  include_directories(${module})\n"
        "endforeach()\nadd_executable(program main.c)\ntarget_link_libraries(program PRIVATE kws)\n"
    )
    assert_answers(cmake(tmp_path))


def test_cmsis_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = start("cmsis-pack", tmp_path, monkeypatch)
    (component,) = yaml.safe_load(code["yaml"])
    group, sub = component["component"].split(":", 1)
    description = Path("kws-pack/mcugen.kws.pdsc").read_text()
    wanted = f'Cclass="{group}" Cgroup="{sub.split(":")[0]}" Csub="{sub.split(":")[1]}"'
    assert wanted in description
    shutil.unpack_archive("kws-pack/mcugen.kws.1.0.0.pack", "pack", format="zip")
    Path("main.c").write_text(code["c"])
    checked(["gcc", "-std=c99", "-O2", "-Ipack", "main.c", "pack/kws.c", "-o", "program"])
    assert_answers(tmp_path / "program")


@pytest.mark.emulator
def test_firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's commands, one after the other; they prove both models on the emulated board."""
    monkeypatch.chdir(tmp_path)
    for name, model in (("kws", "ds_cnn"), ("vww", "autoencoder")):
        shutil.copy(model_path(model), f"{name}.tflite")
    for line in blocks("firmware")["sh"].splitlines():
        program, *arguments = shlex.split(line)
        assert program == "mcugen"
        assert cli.run(arguments) == 0
        if arguments[0] == "verify":
            assert "bit-exact" in capsys.readouterr().out


def test_the_library_in_integration_md(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function on the page is C and C++, and finds the class that the oracle finds."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_path("ds_cnn"), "kws.tflite")
    assert cli.run(["export", "kws.tflite", "--as", "c", "--name", "kws", "-o", "kws"]) == 0
    page = (ROOT / "docs" / "INTEGRATION.md").read_text(encoding="utf-8")
    code, contexts = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    main = "int main(void) {\n  static float x[KWS_INPUT0_ELEMENTS];\n  kws_init();\n  return classify(x);\n}\n"
    Path("main.c").write_text(code + main)
    checked(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Ikws", "main.c", "kws/kws.c", "-o", "program"])
    checked(["g++", "-Wall", "-Wextra", "-Werror", "-Ikws", "-x", "c++", "-c", "main.c", "-o", "main.o"])
    assert cli.run(["export", "kws.tflite", "--as", "c", "--name", "kws", "--context", "-o", "both"]) == 0
    declared, *calls = contexts.splitlines()
    Path("two.c").write_text('#include "kws.h"\n' + declared + "\nint main(void) {\n" + "\n".join(calls) + "\n}\n")
    checked(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Iboth", "two.c", "both/kws.c", "-o", "two"])
    checked(["./two"])

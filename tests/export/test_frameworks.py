"""Exports for frameworks: what their tools read and check, and the code compiled as they would."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as xml
import zipfile
from pathlib import Path

import pytest
import yaml

from mcugen import api
from mcugen.errors import DataError, ModelError, ProjectError
from tests.export.programs import STRICT, checked, expected, flat, inputs_of, main_c, run_program
from tests.export.test_used import input_of
from tests.models import model_bytes, model_path

SEMVER = r"\d+\.\d+\.\d+"
HERE = Path(__file__).parent


def exported(format: str, out: Path, model: str = "ds_cnn") -> Path:
    return api.export(model_path(model), format=format, out=out, name="net").folder


def example_line(model: str = "ds_cnn") -> str:
    """What the examples print: every input is zero."""
    import numpy as np

    shape, zero = input_of(model)
    ((answer,),) = expected(model_bytes(model), [[np.full(shape, zero, np.int8)]])
    return f"net output 0: {' '.join(str(int(value)) for value in answer.reshape(-1))}"


# Arduino: https://docs.arduino.cc/arduino-cli/library-specification/

CATEGORIES = {"Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage"}
CATEGORIES |= {"Data Processing", "Other"}


def test_arduino_properties(tmp_path: Path) -> None:
    folder = exported("arduino", tmp_path / "out") / "net"
    lines = (folder / "library.properties").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z_]+=\S.*", line) for line in lines), "key=value on every line"
    found = dict(line.split("=", 1) for line in lines)
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert required <= found.keys() <= {*required, "includes", "depends", "dot_a_linkage", "ldflags", "precompiled"}
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", found["name"])
    assert re.fullmatch(SEMVER, found["version"])
    assert found["category"] in CATEGORIES
    assert found["architectures"] == "*"
    assert not found["sentence"].lower().startswith("arduino")
    for header in found["includes"].split(","):
        assert (folder / "src" / header).is_file()
    assert not (folder / "utility").exists(), "belongs to the flat layout"


def test_arduino_keywords(tmp_path: Path) -> None:
    folder = exported("arduino", tmp_path / "out") / "net"
    header = (folder / "src" / "net.h").read_text()
    for line in (folder / "keywords.txt").read_text().splitlines():
        word, tab, kind = line.partition("\t")
        assert tab, line
        assert kind in ("KEYWORD1", "KEYWORD2", "LITERAL1")
        assert re.search(rf"\b{word}", header), f"{word} is in net.h"


def test_arduino_zip_is_what_the_ide_takes(tmp_path: Path) -> None:
    folder = exported("arduino", tmp_path / "out")
    with zipfile.ZipFile(folder / "net-1.0.0.zip") as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "libraries")
    assert {name.split("/")[0] for name in names} == {"net"}, "one folder at the top"
    assert "net/library.properties" in names
    for sketch in (tmp_path / "libraries").rglob("*.ino"):
        assert sketch.stem == sketch.parent.name
    unpacked = {p.relative_to(folder / "net"): p.read_bytes() for p in (folder / "net").rglob("*") if p.is_file()}
    again = tmp_path / "libraries" / "net"
    assert {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()} == unpacked


def test_arduino_example_runs(tmp_path: Path) -> None:
    """The sketch is C++ and prints what the oracle says; the library is C, as Arduino's cores compile it."""
    library = exported("arduino", tmp_path / "out") / "net"
    sketch = next(library.rglob("*.ino"))
    where = [f"-I{library / 'src'}", f"-I{HERE / 'target'}"]
    flags = ["-Os", "-Wall", "-Wextra", "-ffunction-sections"]
    checked(["gcc", "-std=gnu11", *flags, *where, "-c", str(library / "src" / "net.c"), "-o", "net.o"], tmp_path)
    compiled = ["-std=gnu++11", *flags, "-Werror", *where, "-include", "Serial.h", "-x", "c++", str(sketch)]
    checked(["g++", *compiled, "-x", "none", "net.o", "-o", "sketch"], tmp_path)
    assert checked([str(tmp_path / "sketch")]).splitlines()[0] == example_line()


# PlatformIO


def test_platformio_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    folder = exported("platformio", tmp_path / "net")
    text = (folder / "library.json").read_text()
    known = {"licenses": [{"licenseId": "Apache-2.0"}]}  # which it looks up in the network
    monkeypatch.setattr(ManifestSchema, "load_spdx_licenses", staticmethod(lambda: known))
    parsed = ManifestParserFactory.new_from_file(str(folder / "library.json")).as_dict()
    manifest = ManifestSchema().load_manifest(parsed)
    assert (manifest["name"], manifest["version"]) == ("net", "1.0.0")
    for header in json.loads(text)["headers"]:
        assert (folder / "src" / header).is_file()
    example = folder / "examples" / "first_inference" / "main.c"
    sources = [str(example), str(folder / "src" / "net.c"), f"-I{folder / 'src'}"]
    checked(["gcc", "-std=c99", *json.loads(text)["build"]["flags"], *STRICT, *sources, "-o", "example"], tmp_path)
    assert checked([str(tmp_path / "example")]).splitlines() == [example_line()]


# ESP-IDF


def test_esp_idf_manifest(tmp_path: Path) -> None:
    pytest.importorskip("idf_component_tools")
    from idf_component_tools.manager import ManifestManager

    folder = exported("esp-idf", tmp_path / "net")
    for path, name in ((folder, "net"), (folder / "examples" / "first_inference" / "main", "main")):
        manager = ManifestManager(str(path), name).validate()
        assert manager.is_valid, manager.validation_errors
    broken = folder / "idf_component.yml"
    broken.write_text(broken.read_text().replace('version: "1.0.0"', 'version: "one"'))
    assert not ManifestManager(str(folder), "net").validate().is_valid


@pytest.mark.parametrize("format", ["esp-idf", "zephyr"])
def test_kconfig(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kconfiglib = pytest.importorskip("kconfiglib")
    folder = exported(format, tmp_path / "net")
    monkeypatch.setenv("srctree", str(folder))
    known = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    assert known.warnings == []
    used = set()
    for path in folder.rglob("*"):
        if path.suffix in (".c", ".txt", ".conf") and "kernels" not in path.parts:
            used |= set(re.findall(r"CONFIG_(NET\w*)", path.read_text()))
    assert used
    assert used == {name for name in known.syms if name.startswith("NET")}, "what is defined is used"


_IDF_STUB = """
function(idf_component_register)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SRCS;INCLUDE_DIRS;REQUIRES")
  get_filename_component(name "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  add_library(${name} STATIC ${arg_SRCS})
  set(COMPONENT_LIB ${name} PARENT_SCOPE)
  target_include_directories(${name} PUBLIC ${arg_INCLUDE_DIRS})
  target_link_libraries(${name} PUBLIC ${arg_REQUIRES})
endfunction()
"""


def test_esp_idf_component_built_for_the_host(tmp_path: Path) -> None:
    """The component's own CMakeLists.txt, with a function in the place of ESP-IDF's."""
    exported("esp-idf", tmp_path / "net")
    inputs = inputs_of(model_bytes("ds_cnn"), 2)
    (tmp_path / "main.c").write_text(main_c(["net"], 2))
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(user C)\n{_IDF_STUB}\nset(CONFIG_NET_OPTIMIZE_SPEED y)\n"
        "add_subdirectory(net)\nadd_executable(program main.c)\ntarget_link_libraries(program PRIVATE net)\n"
    )
    checked(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build")])
    checked(["cmake", "--build", str(tmp_path / "build")])
    fed = [values for sample in inputs for values in sample]
    answered = run_program(tmp_path / "build" / "program", fed, emulated=False)
    assert answered == flat(expected(model_bytes("ds_cnn"), inputs))


def test_esp_idf_example_compiles(tmp_path: Path) -> None:
    """Against declarations of the few functions of FreeRTOS's that it calls; its task prints what the oracle says."""
    folder = exported("esp-idf", tmp_path / "net")
    main = folder / "examples" / "first_inference" / "main" / "main.c"
    where = [f"-I{folder}", f"-I{HERE / 'target' / 'esp'}"]
    values = ["-DCONFIG_NET_TASK_STACK_BYTES=8192", "-DCONFIG_NET_TASK_PRIORITY=5"]
    program = [str(main), str(folder / "net.c"), str(HERE / "target" / "esp" / "freertos.c")]
    checked(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", *where, *values, *program, "-o", "app"], tmp_path)
    assert checked([str(tmp_path / "app")]).splitlines() == [example_line()]


# Zephyr


_MODULE_KEYS = {"name", "build", "tests", "samples", "boards", "blobs", "security", "package-managers", "runners"}
_BUILD_KEYS = {"cmake", "kconfig", "cmake-ext", "kconfig-ext", "sysbuild-cmake", "depends", "settings"}
_TEST_KEYS = {"tags", "platform_allow", "integration_platforms", "harness", "harness_config", "build_only"}


def test_zephyr_module(tmp_path: Path) -> None:
    """As zephyr/scripts/zephyr_module.py and twister's schema demand it."""
    folder = exported("zephyr", tmp_path / "net")
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert module.keys() <= _MODULE_KEYS
    assert module["build"].keys() <= _BUILD_KEYS
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (folder / module["build"]["kconfig"]).is_file()
    for samples in module["samples"]:
        assert list((folder / samples).rglob("sample.yaml"))
    sample = yaml.safe_load((folder / "samples/first_inference/sample.yaml").read_text())
    assert sample["sample"]["name"]
    for name, facts in sample["tests"].items():
        assert re.fullmatch(r"[\w.]+\.[\w.]+", name), "a section and a name"
        assert facts.keys() <= _TEST_KEYS
        assert facts["harness_config"]["type"] == "multi_line"
        assert all(re.search(pattern, example_line()) for pattern in facts["harness_config"]["regex"])
        assert "mps2/an386" in facts["platform_allow"]


_ZEPHYR_STUB = """
function(zephyr_include_directories)
  include_directories(${ARGN})
endfunction()
function(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
  add_library(${name} STATIC)
endfunction()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
  target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options_ifdef feature)
  if(${feature})
    zephyr_library_compile_options(${ARGN})
  endif()
endfunction()
"""


def test_zephyr_module_built_for_the_host(tmp_path: Path) -> None:
    """The module's own CMakeLists.txt, with functions in the place of Zephyr's, and the sample's program."""
    folder = exported("zephyr", tmp_path / "net")
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(user C)\n{_ZEPHYR_STUB}\nset(CONFIG_NET y)\n"
        "set(CONFIG_NET_OPTIMIZE_SPEED y)\nadd_subdirectory(net)\n"
        "add_executable(program net/samples/first_inference/src/main.c)\n"
        "target_link_libraries(program PRIVATE net)\ntarget_include_directories(program PRIVATE net)\n"
    )
    checked(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build")])
    checked(["cmake", "--build", str(tmp_path / "build")])
    assert checked([str(tmp_path / "build" / "program")]).splitlines() == [example_line()]
    assert "CONFIG_NET=y" in (folder / "samples/first_inference/prj.conf").read_text()


# CMSIS-Pack


def test_pack_holds_the_files_that_it_names(tmp_path: Path) -> None:
    folder = exported("cmsis-pack", tmp_path / "out")
    description = xml.fromstring((folder / "mcugen.net.pdsc").read_text())
    texts = {tag: description.findtext(tag) for tag in ("vendor", "name", "url", "license")}
    assert (texts["vendor"], texts["name"]) == ("mcugen", "net")
    release = description.find("releases/release")
    assert release is not None
    with zipfile.ZipFile(folder / f"mcugen.net.{release.attrib['version']}.pack") as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "pack")
        assert packed.read("mcugen.net.pdsc").decode() == (folder / "mcugen.net.pdsc").read_text()
    files = description.findall("components/component/files/file")
    assert {file.attrib["category"] for file in files} == {"doc", "header", "include", "sourceC"}
    for name in [texts["license"], *(file.attrib["name"] for file in files if file.attrib["category"] != "include")]:
        assert name in names
    inputs = inputs_of(model_bytes("ds_cnn"), 2)
    (tmp_path / "main.c").write_text(main_c(["net"], 2))
    built = [str(tmp_path / "pack" / file.attrib["name"]) for file in files if file.attrib["category"] == "sourceC"]
    where = [f"-I{tmp_path / 'pack' / file.attrib['name']}" for file in files if file.attrib["category"] == "include"]
    checked(["gcc", "-std=c99", "-O1", *where, "main.c", *built, "-o", "program"], tmp_path)
    fed = [values for sample in inputs for values in sample]
    assert run_program(tmp_path / "program", fed, emulated=False) == flat(expected(model_bytes("ds_cnn"), inputs))


@pytest.mark.skipif("MCUGEN_PACK_XSD" not in os.environ, reason="MCUGEN_PACK_XSD does not name Arm's PACK.xsd")
def test_pack_is_valid_against_the_schema(tmp_path: Path) -> None:
    xmlschema = pytest.importorskip("xmlschema")
    schema = xmlschema.XMLSchema(os.environ["MCUGEN_PACK_XSD"])
    description = exported("cmsis-pack", tmp_path / "out") / "mcugen.net.pdsc"
    assert list(schema.iter_errors(str(description))) == []
    broken = description.read_text().replace("<vendor>mcugen</vendor>", "")
    assert list(schema.iter_errors(broken)), "a schema that accepts all would prove nothing"


# All of them


@pytest.mark.parametrize("format", ["arduino", "c", "cmake", "cmsis-pack", "esp-idf", "platformio", "zephyr"])
def test_readme_code_compiles(format: str, tmp_path: Path) -> None:
    """What README.md shows is C and C++, in at most ten lines."""
    folder = exported(format, tmp_path / "out")
    readme = next(iter(sorted(folder.rglob("README.md"))))
    (code,) = re.findall(r"```c\n(.*?)```", readme.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    library = exported("c", tmp_path / "lib")
    for name, compiler, standard in (("a.c", "gcc", "-std=c99"), ("a.cpp", "g++", "-std=c++11")):
        (tmp_path / name).write_text(code)
        flags = [flag for flag in STRICT if compiler == "gcc" or flag != "-Wstrict-prototypes"]
        flags = [flag for flag in flags if flag != "-Wmissing-prototypes"]
        checked([compiler, standard, *flags, f"-I{library}", "-c", str(tmp_path / name), "-o", "/dev/null"])


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    with pytest.raises(ProjectError, match="not mcugen's"):
        exported("c", tmp_path / "thesis")
    folder = exported("c", tmp_path / "lib")
    (folder / "net.c").write_text("mine now")
    with pytest.raises(ProjectError, match=r"net\.c \(changed\)"):
        exported("c", folder)
    assert (folder / "net.c").read_text() == "mine now"
    (folder / "notes.txt").write_text("keep")
    api.export(model_path("ds_cnn"), format="c", out=folder, name="net", force=True)
    assert (folder / "net.c").read_text() != "mine now"
    assert (folder / "notes.txt").read_text() == "keep"


@pytest.mark.parametrize("name", ["mcg_mine", "9lives", "int", "Net", "a-b", "x" * 40, ""])
def test_names_that_c_does_not_take(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"prefix of C functions|taken"):
        api.export(model_path("ds_cnn"), format="c", out=tmp_path / "out", name=[name])
    assert not (tmp_path / "out").exists()


def test_what_does_not_go_together(tmp_path: Path) -> None:
    one, two = model_path("ds_cnn"), model_path("wake_word")
    with pytest.raises(ProjectError, match="would be called ds_cnn"):
        api.export([one, one], format="c", out=tmp_path / "out")
    with pytest.raises(ModelError, match="keeps values between inferences"):
        api.export([one, two], format="c", out=tmp_path / "out", share_arena=True)
    with pytest.raises(ProjectError, match="exclude each other"):
        api.export(one, format="c", out=tmp_path / "out", share_arena=True, context=True)
    with pytest.raises(ProjectError, match="unknown format 'rust'"):
        api.export(one, format="rust", out=tmp_path / "out")
    with pytest.raises(ProjectError, match="2 names for 1 model"):
        api.export(one, format="c", out=tmp_path / "out", name=["a", "b"])
    assert not (tmp_path / "out").exists()

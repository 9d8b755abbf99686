"""Exports in the hands of the tools that users have. These are large, so they are used where they are named:

- MCUGEN_ARDUINO_COMPILE: a command that compiles a sketch with an Arduino core (arduino-cli or arduino-builder), with
  {libraries}, {sketch} and {build} in the place of two folders and the sketch's file.
- IDF_PATH and what else ESP-IDF's export.sh sets.
- MCUGEN_ZEPHYR_BASE: Zephyr's folder, of which its schemas are enough.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.export.programs import checked
from tests.export.test_frameworks import example_line, exported

pytestmark = pytest.mark.emulator


def named(variable: str) -> str:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no tool")
    return os.environ[variable]


def test_arduino_core(tmp_path: Path) -> None:
    """The library from its zip, and its example, for a board."""
    command = named("MCUGEN_ARDUINO_COMPILE")
    folder = exported("arduino", tmp_path / "out")
    shutil.unpack_archive(folder / "net-1.0.0.zip", tmp_path / "libraries")
    (sketch,) = (tmp_path / "libraries").rglob("*.ino")
    (tmp_path / "build").mkdir()
    places = {"libraries": str(tmp_path / "libraries"), "sketch": str(sketch), "build": str(tmp_path / "build")}
    checked([part.format(**places) for part in shlex.split(command)])
    (elf,) = (tmp_path / "build").rglob("*.elf")
    assert " T net_invoke\n" in checked(["arm-none-eabi-nm", str(elf)])


def test_esp_idf_for_its_linux_target(tmp_path: Path) -> None:
    """The example as a project of its own, the component found by the component manager; its task runs here."""
    python = Path(named("IDF_PYTHON_ENV_PATH")) / "bin" / "python"
    folder = exported("esp-idf", tmp_path / "net") / "examples" / "first_inference"
    build = tmp_path / "build"
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    tool = [str(python), f"{named('IDF_PATH')}/tools/idf.py", "--preview", "-C", str(folder), "-B", str(build)]
    checked([*tool, "-DIDF_TARGET=linux", "-DCOMPONENTS=main", "build"], env=environment)
    with subprocess.Popen([str(build / "first_inference.elf")], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            assert example_line() in (line.strip() for line in program.stdout)
        finally:
            program.kill()


def test_zephyr_schema(tmp_path: Path) -> None:
    schema = yaml.safe_load((Path(named("MCUGEN_ZEPHYR_BASE")) / "scripts/schemas/module-schema.yaml").read_text())
    module = yaml.safe_load((exported("zephyr", tmp_path / "net") / "zephyr" / "module.yml").read_text())
    jsonschema.validate(module, schema)
    with pytest.raises(jsonschema.ValidationError, match="is not of type"):
        jsonschema.validate({**module, "samples": "samples"}, schema)

"""A desk for which tflite-micro has no wheel: the schema comes with LiteRT, and results are compared with mcugen's own
reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcugen.reference.names import NAME
from tests.models import model_path

WITHOUT = '''
import importlib.metadata, importlib.util, sys
from importlib.machinery import PathFinder, SourceFileLoader

SCHEMA = {schema!r}


class Desk(PathFinder):
    """Finds all but tflite_micro; LiteRT has nothing but the schema, which is the same generated module."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ("tflite_micro", "tensorflow"):
            return None
        if name == "ai_edge_litert":
            return importlib.util.spec_from_loader(name, None, is_package=True)
        if name == "ai_edge_litert.schema_py_generated":
            return importlib.util.spec_from_loader(name, SourceFileLoader(name, SCHEMA))
        return super().find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, context=importlib.metadata.DistributionFinder.Context()):
        if (context.name or "").replace("_", "-") != "tflite-micro":
            yield from super().find_distributions(context)


sys.meta_path[:] = [Desk if finder is PathFinder else finder for finder in sys.meta_path]
'''


@pytest.fixture
def desk(tmp_path: Path) -> dict[str, str]:
    """The environment of a process there."""
    import tflite_micro

    schema = Path(tflite_micro.__file__).parent / "tensorflow/lite/micro/python/schema_py_generated.py"
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(schema=str(schema)))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}


def mcugen(desk: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcugen", *arguments]
    return subprocess.run(command, env=desk, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.emulator
def test_deploy(desk: dict[str, str], tmp_path: Path) -> None:
    project = str(tmp_path / "project")
    model = str(model_path("ds_cnn"))
    ran = mcugen(desk, "deploy", model, "--board", "mps2-an386", "-o", project, "--samples", "3", "--layers", "--json")
    assert ran.returncode == 0, ran.stderr
    verdict = json.loads(ran.stdout)["verify"]
    assert verdict["bit_exact"]
    assert verdict["oracle"].startswith(f"{NAME} (proved equal to tflite-micro ")


def test_the_wheel_is_named_where_it_was_asked_for(desk: dict[str, str]) -> None:
    ran = mcugen(desk, "verify", str(model_path("ds_cnn")), "--board", "mps2-an386", "--reference", "tflite-micro")
    assert ran.returncode == 2
    assert "tflite-micro, is not installed" in ran.stderr
    assert "--reference mcugen" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_inspect(desk: dict[str, str]) -> None:
    ran = mcugen(desk, "inspect", str(model_path("ds_cnn")), "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["ops"]

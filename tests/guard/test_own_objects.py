"""`custom_objects`: a user's own layers run in the confined process, and the model may name them and nothing more."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import ConversionError, ModelError
from mcugen.guard.keras_config import check_config
from mcugen.guard.own_objects import define_objects, using_objects
from mcugen.verbs.options.derive import as_options

OWN = frozenset({"Gate", "Custom>Gate", "squeeze"})


def layer(**facts: Any) -> dict[str, Any]:
    named = {"class_name": "Gate", "registered_name": "Gate", "module": "my_layers", "config": {"name": "gate_1"}}
    return {"config": {"layers": [{**named, **facts}]}}


@pytest.mark.parametrize(
    "config",
    [
        layer(),
        layer(registered_name="Custom>Gate"),
        {"config": {"layers": [{"class_name": "Gate", "config": {"name": "old"}}]}},
        {"config": {"layers": [{"class_name": "function", "config": "squeeze", "module": "my_layers"}]}},
        {"config": {"activation": "squeeze"}},
    ],
)
def test_what_the_file_defines_may_be_named(config: dict[str, Any]) -> None:
    check_config(config, "m.keras", OWN)
    with pytest.raises(ModelError, match=r"Gate|squeeze"):
        check_config(config, "m.keras")


@pytest.mark.parametrize(
    "config",
    [
        layer(registered_name=None, module="os"),
        layer(registered_name="os>Gate"),
        layer(class_name="system", registered_name="system", module="os"),
        layer(class_name="Lambda", registered_name="Lambda", module="keras.layers"),
        {"config": {"layers": [{"class_name": "function", "config": "system", "module": "os"}]}},
        {"config": {"layers": [{"class_name": "function", "config": "system", "registered_name": "squeeze"}]}},
    ],
)
def test_nothing_else_may_be_named(config: dict[str, Any]) -> None:
    """Keras would import the module that the model names where it does not find the name that is registered."""
    with pytest.raises(ModelError, match=r"three ways on"):
        check_config(config, "m.keras", OWN)


def test_a_lambda_is_named_with_three_ways_on() -> None:
    with pytest.raises(ModelError) as caught:
        check_config(layer(class_name="Lambda", registered_name="Lambda", module="keras.layers"), "models/my net.keras")
    assert caught.value.where == 'models/my net.keras, layer "gate_1"'
    said = as_options(caught.value.hint)
    assert 'python -c "import keras; keras.saving.load_model(' in said
    assert "my net.keras" in said
    assert "hand the model object to mcugen.api in Python; or pass --trust-model to run" in said


def test_a_class_is_named_with_the_option_for_it() -> None:
    with pytest.raises(ModelError) as caught:
        check_config(layer(), "net.keras")
    assert "defines it with --custom-objects FILE.py, or export a SavedModel" in as_options(caught.value.hint)
    assert "model.export('net')" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import numpy\n\nprint(nothing)\n", r"mine\.py, line 3: fails: NameError: name 'nothing' is not defined"),
        ("def f(:\n", r"mine\.py, line 1: fails: SyntaxError"),
        ("from numpy import array\nX = 3\n", r"mine\.py: defines neither a class nor a function"),
    ],
)
def test_a_file_that_fails_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ModelError, match=sentence):
        define_objects(tmp_path / "mine.py", lambda value: value.__name__)


def test_what_is_no_python_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ModelError, match=r"a\.txt: is not a Python file"), using_objects(tmp_path / "a.txt"):
        pass
    with pytest.raises(ModelError, match=r"none\.py: there is no such file"):
        api.quantize(tmp_path / "m.keras", data="random", custom_objects=str(tmp_path / "none.py"))


LAYERS = """
import os
import keras

try:
    open(os.environ["OWN_OBJECTS_MARK"], "w").write("outside")
except OSError:
    pass


class Gate(keras.layers.Layer):
    def call(self, x):
        return x * keras.ops.sigmoid(x)
"""


@pytest.mark.tensorflow
def test_own_layers_run_confined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    mark = tmp_path / "mark"
    monkeypatch.setenv("OWN_OBJECTS_MARK", str(mark))
    file = tmp_path / "my_layers.py"
    file.write_text(LAYERS)
    spec = importlib.util.spec_from_file_location("my_layers", file)
    assert spec is not None
    assert spec.loader is not None
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    mark.unlink()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), mine.Gate(name="my_gate")])
    model.save(tmp_path / "mine.keras")
    with pytest.raises(
        ConversionError, match=r'layer "my_gate": uses the class my_layers.Gate, which is not one of Ke'
    ):
        api.quantize(tmp_path / "mine.keras", data="random")
    found = api.quantize(tmp_path / "mine.keras", data="random", custom_objects=file)
    assert not mark.exists(), "the file ran outside of the walls"
    report = found.model.report
    assert report is not None
    assert not any("trust_model" in warning for warning in report.warnings)
    assert np.isfinite(report.agreement[0].cosine_similarity)
    assert report.agreement[0].cosine_similarity > 0.98

"""PyTorch modules and programs as models. Runs where the extra mcugen[torch] is."""

from __future__ import annotations

import copy
import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert, float_runner
from mcugen.convert.compare import run_int8
from mcugen.convert.sources import identify
from mcugen.errors import ConversionError, ModelError, ToolError
from mcugen.guard.torch_archive import check_archive
from mcugen.runtimes.aot.emit.chains import find_chains
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.convert.digits_channels import TRAINING, digits, network, trained

needs_torch = pytest.mark.skipif(find_spec("litert_torch") is None, reason="without the extra mcugen[torch]")
X, Y = digits()


@pytest.fixture(scope="module")
def module() -> Any:
    return trained()


@pytest.fixture(scope="module")
def program(module: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("pytorch") / "digits.pt2"
    batch = torch.export.Dim("batch")
    inference = copy.deepcopy(module).eval()
    torch.export.save(torch.export.export(inference, (torch.zeros(2, 2, 8, 8),), dynamic_shapes=({0: batch},)), path)
    return path


def accuracy(scores: Any, labels: Any) -> float:
    return float(np.mean(scores.reshape(len(scores), -1).argmax(axis=1) == labels))


@needs_torch
def test_program_with_its_channels_first(program: Path, module: Any) -> None:
    import torch

    converted = convert(program, {"x": X[:TRAINING], "y": Y[:TRAINING]})
    report = converted.report
    assert report.source_kind == "pytorch"
    assert report.inputs[0].name == "input:channels_last"
    assert report.inputs[0].shape == (1, 8, 8, 2)
    assert [a.step for a in report.attempts if "PyTorch" in a.step] == ["compare with PyTorch on random inputs"]
    assert any("channels first" in note for note in report.calibration.notes)
    test, labels = X[TRAINING:], Y[TRAINING:]
    with torch.no_grad():
        expected = copy.deepcopy(module).eval()(torch.from_numpy(test)).numpy()
    assert np.abs(float_runner(converted)(test) - expected).max() < 1e-3
    assert accuracy(expected, labels) > 0.85
    feeds = [np.moveaxis(test, 1, -1)[:, None]]
    int8 = run_int8(converted.tflite, feeds, report.inputs, report.outputs)[0]
    assert accuracy(int8, labels) > accuracy(expected, labels) - 0.02


@needs_torch
def test_module_and_program_objects(module: Any) -> None:
    import torch

    assert module.training
    converted = convert(module, X[:50])
    assert module.training
    assert (converted.name, converted.report.source_kind) == ("Sequential", "pytorch object")
    assert converted.report.agreement[0].cosine_similarity > 0.99
    program = torch.export.export(copy.deepcopy(module).eval(), (torch.zeros(1, 2, 8, 8),))
    assert convert(program, X[:50]).tflite == converted.tflite
    for data in ("random", list(X[:20])):
        with pytest.raises(ModelError, match=r"does not say which shape its input has.*torch.export.export"):
            convert(module, data)
    with pytest.raises(ConversionError, match=r"cannot export the module for an input \[1, 5\]"):
        convert(module, np.zeros((4, 5), np.float32))


@needs_torch
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_modules(kind: str) -> None:
    """They come unrolled from PyTorch, with more states to join than TensorFlow Lite Micro joins at once."""
    import torch

    class Last(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = getattr(torch.nn, kind)(3, 8, batch_first=True)
            self.head = torch.nn.Linear(8, 4)

        def forward(self, x: Any) -> Any:
            return self.head(self.layer(x)[0][:, -1])

    torch.manual_seed(3)
    module = Last().eval()
    x = np.random.default_rng(0).normal(size=(40, 14, 3)).astype(np.float32)
    converted = convert(module, x)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(float_runner(converted)(x), expected, atol=1e-4)
    sqnr = converted.report.agreement[0].sqnr_db
    assert sqnr is not None
    assert sqnr > 30


@needs_torch
def test_refused_programs(tmp_path: Path) -> None:
    import torch

    x = torch.zeros(2, 2, 8, 8)
    with pytest.raises(ConversionError, match=r'"batch_norm.*exported as it is trained'):
        convert(torch.export.export(network().train(), (x,)), "random")
    size = torch.export.Dim("size", min=4, max=64)
    open_size = torch.export.export(torch.nn.Conv2d(2, 3, 1).eval(), (x,), dynamic_shapes=({2: size},))
    with pytest.raises(ConversionError, match=r"has the shape \[2, 2, None, 8\]: only the batch"):
        convert(open_size, "random")
    torch.save(network(), tmp_path / "pickle.pt")
    with pytest.raises(ModelError, match=r"PyTorch pickle, which may run code.*torch.export.save"):
        convert(tmp_path / "pickle.pt", "random")


def archive(path: Path, **changes: Any) -> Path:
    """A program's archive, with these entries in its graph; `member` is another file in it."""
    members = {"models/model.json": "{}", "archive_format": "pt2", "data/weights/weight_0": "", "byteorder": "little"}
    other = changes.pop("member", "")
    with zipfile.ZipFile(path, "w") as out:
        for name, text in {**members, "models/model.json": json.dumps({"graph": [changes]})}.items():
            out.writestr(f"m/{name}", text)
        if other:
            out.writestr(f"m/{other}", "x")
    return path


@pytest.mark.parametrize(
    "entries",
    [
        {"target": "torch.ops.aten.conv2d.default"},
        {"target": "_operator.getitem"},
        {"expr_str": "Symbol('s77', positive=True, integer=True)"},
        {"expr_str": "2*s0 + Max(1, u3)"},
        {"guards_code": []},
        {"path_name": "weight_12"},
    ],
)
def test_what_programs_hold(tmp_path: Path, entries: dict[str, Any]) -> None:
    path = archive(tmp_path / "m.pt2", **entries)
    check_archive(path)
    assert identify(path).kind == "pytorch"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"target": "torch.load"}, "uses torch.load, which is none"),
        ({"target": "_operator.methodcaller"}, "uses _operator.methodcaller"),
        ({"target": "#custom:op"}, "uses #custom:op"),
        ({"expr_str": "__import__('os').system('id')"}, "more than arithmetic"),
        ({"expr_str": "exec(Symbol('s0'))"}, "more than arithmetic"),
        ({"expr_str": "Symbol('print(1)')"}, "more than arithmetic"),
        ({"expr_str": "s0.is_real"}, "more than arithmetic"),
        ({"expr_str": ["s0"]}, "more than arithmetic"),
        ({"guards_code": ["L['x'].size()[0] > 1"]}, "code of its own"),
        ({"path_name": "custom_obj_0"}, 'the object "custom_obj_0"'),
        ({"member": "data/aotinductor/model/model.so"}, "aotinductor/model/model.so"),
        ({"member": "../../etc/passwd"}, "which no exported program needs"),
    ],
)
def test_programs_that_would_run_code(tmp_path: Path, entries: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_archive(archive(tmp_path / "m.pt2", **entries))


def test_a_damaged_program(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt2")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ModelError, match="damaged"):
        check_archive(path)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A package of that name that cannot be imported stands for one that is not there.
    message = "raise ModuleNotFoundError('No module named litert_torch', name='litert_torch')\n"
    (tmp_path / "litert_torch.py").write_text(message)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"litert_torch is needed .*pip install 'mcugen\[torch\]'"):
        convert(archive(tmp_path / "m.pt2"), "random")


@needs_torch
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_are_loops_in_c(kind: str) -> None:
    """PyTorch exports them unrolled: all rounds but the first, which begins with zeros, are one chain."""
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.recurrent = getattr(torch.nn, kind)(4, 6, batch_first=True)
            self.dense = torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.dense(self.recurrent(x)[0][:, -1]), -1)

    steps = 9
    x = np.random.default_rng(0).normal(size=(60, steps, 4)).astype(np.float32)
    converted = convert(Network(), x)
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25
    plan = make_plan(optimize(read_graph(converted.tflite)))
    assert max(chain.rounds for chain in find_chains(plan)) >= steps - 2

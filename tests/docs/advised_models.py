"""Models, and what is done with them, for advice that is followed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import convert, quantize_16x8
from mcugen.numerics.affine import quantize as quantized
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.schema import pack_model, unpack_model
from tests import zoo
from tests.convert.float_models import FloatModel, S, dense
from tests.convert.recurrent_models import Loop

BOARD = "mps2-an386"
X = np.random.default_rng(5).normal(size=(60, 8)).astype(np.float32)


@cache
def floats(op: str = "") -> bytes:
    """8 features → 4 classes; with an op of one input in between."""
    model = FloatModel()
    hidden = dense(model, model.input((1, 8)), np.random.default_rng(2).normal(size=(4, 8)))
    if op:
        hidden = model.op(op, [hidden], (1, 4))
    return model.build(model.op("SOFTMAX", [hidden], (1, 4), options=S.SoftmaxOptionsT(beta=1.0)))


@cache
def int8() -> bytes:
    return convert(floats(), X).tflite


def endless() -> bytes:
    """A loop that data ends."""
    main = FloatModel()
    loop = Loop(main, 4)
    state = loop.variable(main.input((1,)))
    one = loop.body.constant([1.0])
    loop.give(state, loop.body.op("ADD", [state, one], (1,), options=S.AddOptionsT()))
    limit = loop.condition.constant([9.0])
    loop.until(
        loop.condition.op("LESS", [loop.condition.inputs[1], limit], (1,), dtype="BOOL", options=S.LessOptionsT())
    )
    return loop.build(*loop.end())


def cumsum() -> bytes:
    model = FloatModel()
    axis = model.constant(1, np.int32)
    return model.build(model.op("CUMSUM", [model.input((1, 4)), axis], (1, 4), options=S.CumsumOptionsT()))


def nested() -> bytes:
    """A loop of two rounds around one of three: x + 6."""
    main = FloatModel()
    outer = Loop(main, 2)
    state = outer.variable(main.input((1,)))
    inner = Loop(outer.body, 3)
    value = inner.variable(state)
    one = inner.body.constant([1.0])
    inner.give(value, inner.body.op("ADD", [value, one], (1,), options=S.AddOptionsT()))
    (result,) = inner.end()
    op = outer.body.ops[-1]
    op.builtinOptions.condSubgraphIndex, op.builtinOptions.bodySubgraphIndex = 3, 4
    outer.give(state, result)
    given = unpack_model(outer.build(*outer.end()))
    for part, answers in ((inner.condition, [inner._answer]), (inner.body, list(inner._gives.values()))):
        graph = S.SubGraphT(tensors=part.tensors, operators=part.ops, name="inner")
        graph.inputs, graph.outputs = np.array(part.inputs, np.int32), np.array(answers, np.int32)
        given.subgraphs.append(graph)
    given.buffers, given.operatorCodes = main.buffers, main.codes
    return pack_model(given)


def two_inputs() -> bytes:
    model = FloatModel()
    x, y = model.input((1, 4)), model.input((1, 4), name="y")
    return convert(model.build(model.op("ADD", [x, y], (1, 4), options=S.AddOptionsT())), "random").tflite


def keyword() -> bytes:
    """As large as MLPerf Tiny's keyword spotting, from end to end."""
    model = FloatModel()
    logits = dense(model, model.input((1, 490)), np.random.default_rng(2).normal(size=(12, 490)))
    return model.build(model.op("SOFTMAX", [logits], (1, 12), options=S.SoftmaxOptionsT(beta=1.0)))


def large(features: int = 3400) -> bytes:
    model = FloatModel()
    return convert(model.build(dense(model, model.input((1, features)), np.ones((2, features)))), "random").tflite


def runs(model: bytes, *, quantize: bool = True) -> None:
    """A model runs ahead of time as in the oracle."""
    tflite = convert(model, quantize=quantize).tflite
    graph = read_graph(tflite)
    rng = np.random.default_rng(1)
    with Oracle(tflite) as oracle, HostModel(make_plan(optimize(graph))) as host:
        given = [rng.normal(size=graph.tensor(i).shape).astype(np.float32) for i in graph.inputs]
        if quantize:
            given = [quantized(a, graph.tensor(i)) for a, i in zip(given, graph.inputs, strict=True)]
        np.testing.assert_allclose(host.run(given)[0], oracle.run(given)[0], atol=1e-5)


def files(folder: Path) -> dict[str, Path]:
    """A float and an int8 model as files."""
    found = {"float": folder / "float.tflite", "int8": folder / "int8.tflite"}
    for name, content in (("float", floats()), ("int8", int8())):
        found[name].write_bytes(content)
    return found


def image() -> bytes:
    """A convolution that takes its input row by row as well."""
    return zoo.model("resnet")


def edit(folder: Path) -> None:
    (folder / "out" / "src" / "main.c").write_text("int main(void) { return 0; }\n")


def class_names(folder: Path) -> str:
    (folder / "classes.txt").write_text("cat\ndog\ncow\nhen\n")
    return str(folder / "classes.txt")


def searched(folder: Path, **options: Any) -> Any:
    return labelled(folder, labels=["cat", "dog", "cow", "hen"], auto=True, trials=1, **options)


def evaluated(folder: Path, model: bytes, **options: Any) -> Any:
    evaluation = {"x": X, "y": np.arange(60) % 4}
    return api.quantize(model, out=folder / "q.tflite", eval_data=evaluation, **options)


def generated(folder: Path, model: str, name: str = "out", **options: Any) -> Any:
    return api.generate(files(folder)[model], board=BOARD, out=folder / name, **options)


SCALED = {"mean": [0.0] * 490, "scale": [2.0] * 490}


def keyword_project(folder: Path, into: str = "a", **options: Any) -> Any:
    data = np.random.default_rng(4).normal(size=(20, 490)).astype(np.float32)
    return api.generate(keyword(), board=BOARD, out=folder / into, data=data, **options)


def paired(folder: Path, model: bytes, into: str = "a", board: str = BOARD, **options: Any) -> Any:
    """Firmware of a model, twice."""
    return api.export([model, model], format="firmware", board=board, out=folder / into, name=["a", "b"], **options)


def exported(folder: Path, models: str | list[str], into: str = "lib", **options: Any) -> Any:
    known = files(folder)
    options.setdefault("format", "c")
    given = [known[model] for model in models] if isinstance(models, list) else known[models]
    return api.export(given, out=folder / into, **options)


def refused_by_tensorflow(_: Path) -> Any:
    """As if TensorFlow's quantizer had no int16 form of an op that TFLM has one of."""
    answer = type("Answer", (), {"error": "no such form"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantize_16x8, "run_worker", lambda *_args, **_options: answer)
        return convert(floats(), X, activations="int16")


def labelled(folder: Path, **options: Any) -> Any:
    data = {"x": X, "y": np.array(["cat", "dog", "cow", "hen"] * 15)}
    return api.quantize(files(folder)["float"], data=data, out=folder / "q.tflite", **options)

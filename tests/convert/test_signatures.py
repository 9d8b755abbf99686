"""What of a file is meant: frozen graphs of TensorFlow 1, and signatures of SavedModels and `.tflite` files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.convert.frozen_graph import convert_frozen
from mcugen.convert.given_signature import between, chosen_signature, using_signature
from mcugen.convert.load import load_tflite
from mcugen.convert.signatures import with_signature
from mcugen.convert.sources import identify
from mcugen.errors import ConversionError, McugenError, ModelError
from mcugen.guard.frozen_graph import checked_graph
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model
from tests.convert.float_models import small_dense

RNG = np.random.default_rng(5)
X = RNG.normal(size=(24, 8, 8, 3)).astype(np.float32)
FILTER = RNG.normal(size=(3, 3, 3, 4)).astype(np.float32) * 0.3
WEIGHTS = RNG.normal(size=(4, 5)).astype(np.float32)


@pytest.mark.parametrize("text", ["a", "a->", "->b", "a->b->c", "a,->b", ","])
def test_what_does_not_say_from_where_to_where(text: str) -> None:
    with pytest.raises(ModelError, match="does not say what a frozen graph computes from what"):
        between(text)


def test_signatures_by_name() -> None:
    assert between("a, b:1 -> c") == (["a", "b:1"], ["c"])
    assert between("") == ([], [])
    assert chosen_signature(["f"], "") == "f"
    assert chosen_signature(["f", "serving_default"], "") == "serving_default"
    assert chosen_signature(["f", "g"], "g") == "g"
    with pytest.raises(ModelError, match=r"no signature 'h'.*Its signatures are: f, g"):
        chosen_signature(["g", "f"], "h")
    with pytest.raises(ModelError, match=r"has the signatures f, g, and none.*`signature='f'`"):
        chosen_signature(["g", "f"], "")


def test_a_model_without_signatures_takes_none() -> None:
    with using_signature("f"), pytest.raises(ModelError, match="no signatures to choose from"):
        load_tflite(identify(small_dense()))


# ── frozen graphs ──


def network(tf: Any, batch: int | None = None) -> Any:
    """A small classifier with two ends, and what training leaves behind, as a `GraphDef`."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [batch, 8, 8, 3], name="image")
        tf.compat.v1.placeholder(tf.bool, [], name="is_training")
        y = tf.nn.relu6(tf.nn.conv2d(x, tf.constant(FILTER), 2, "SAME"))
        logits = tf.matmul(tf.reduce_mean(y, [1, 2], name="pooled"), tf.constant(WEIGHTS), name="logits")
        tf.nn.softmax(logits, name="scores")
        tf.no_op(name="init")
        tf.constant(3, name="step")
    return graph.as_graph_def()


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.fixture
def frozen(tf: Any, tmp_path: Path) -> Path:
    path = tmp_path / "frozen.pb"
    path.write_bytes(network(tf).SerializeToString())
    return path


def expected(tf: Any, end: str, begin: str = "image:0", values: Any = X) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(network(tf), name="")
        with tf.compat.v1.Session() as session:
            return session.run(end, {begin: values})


def run(tflite: bytes, sample: Any, tf: Any) -> list[Any]:
    interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


@pytest.mark.tensorflow
def test_a_frozen_graph_is_deployed_from_its_placeholder_to_its_end(tf: Any, frozen: Path, tmp_path: Path) -> None:
    made = api.quantize(frozen, data=X, out=tmp_path / "int8.tflite")
    assert [t.name for t in made.model.report.inputs] == ["image"]
    assert [t.name for t in made.model.report.outputs] == ["scores"]
    found = api.verify(tmp_path / "int8.tflite", board="mps2-an386", inputs=X[:4])
    assert found.exit_code == 0
    scores = np.concatenate([run(convert_frozen(checked_graph(frozen), {}, "")[0], x[None], tf)[0] for x in X])
    np.testing.assert_allclose(scores, expected(tf, "scores:0"), atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("ends", "begin", "names"),
    [("image->logits,pooled", "image:0", ["logits:0", "pooled:0"]), ("image:0->logits:0", "image:0", ["logits:0"])],
)
def test_a_frozen_graph_is_cut_where_the_user_says(
    tf: Any, frozen: Path, ends: str, begin: str, names: list[str]
) -> None:
    tflite, _ = convert_frozen(checked_graph(frozen), {}, ends)
    for made, name in zip(run(tflite, X[:1], tf), names, strict=True):
        np.testing.assert_allclose(made, expected(tf, name, begin, X[:1]), atol=1e-5)


def with_op(op: str) -> Callable[[Any], Any]:
    def change(graph: Any) -> Any:
        graph.node.add(name="more", op=op)
        return graph

    return change


def in_function(graph: Any) -> Any:
    function = graph.library.function.add()
    function.signature.name = "inner"
    function.node_def.add(name="write", op="WriteFile")
    return graph


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "change", [*map(with_op, ("WriteFile", "PyFunc", "ReadFile", "RestoreV2", "Print")), in_function]
)
def test_a_graph_that_does_more_than_compute_is_refused(tf: Any, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    path = tmp_path / "hostile.pb"
    path.write_bytes(change(network(tf)).SerializeToString())
    with pytest.raises(ModelError, match="is not one that a model computes with"):
        checked_graph(path)
    checked_graph(path, trusted=True)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda whole: whole[: len(whole) // 2], "truncated or corrupted"),
        (lambda _: b"\x0a\x02\x0a\x00", "holds no frozen graph"),
        (lambda _: b"\x0a" + bytes(300), "truncated or corrupted|holds no frozen graph"),
    ],
)
def test_damaged_graphs(tf: Any, tmp_path: Path, content: Callable[[bytes], bytes], message: str) -> None:
    path = tmp_path / "damaged.pb"
    path.write_bytes(content(network(tf).SerializeToString()))
    with pytest.raises(ModelError, match=message):
        checked_graph(path)


@pytest.mark.tensorflow
def test_what_a_graph_lacks_is_said(tf: Any, frozen: Path) -> None:
    graph = checked_graph(frozen)
    with pytest.raises(
        ModelError, match=r"no node 'imag'.*Its placeholders are image, is_training; it ends with scores"
    ):
        convert_frozen(graph, {}, "imag->scores")
    with pytest.raises(ModelError, match="no output of the graph depends on a placeholder"):
        convert_frozen(no_input(tf), {}, "")
    assert run(convert_frozen(no_input(tf), {}, "one->three")[0], np.float32(5), tf)[0] == 7
    held = network(tf)
    held.node.add(name="weights", op="VariableV2")
    with pytest.raises(ModelError, match=r'"weights": the graph is not frozen'):
        convert_frozen(held, {}, "")
    unknown = network(tf)
    next(node for node in unknown.node if node.name == "image").attr["shape"].shape.unknown_rank = True
    with pytest.raises(ConversionError, match=r'nothing of its shape.*`input_shape="image=1,N,N,3"`'):
        convert_frozen(unknown, {}, "")
    tflite, _ = convert_frozen(unknown, {"image": (1, 8, 8, 3)}, "")
    assert run(tflite, X[:1], tf)[0].shape == (1, 5)


@pytest.mark.tensorflow
def test_an_end_that_does_not_convert_is_left_out(tf: Any, tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(network(tf), name="")
        tf.linalg.svd(tf.reshape(graph.get_tensor_by_name("pooled:0"), [2, 2]), name="svd")
    path = tmp_path / "svd.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ConversionError, match=r"could not be loaded.*`signature='input->output'`"):
        load_tflite(identify(path))
    with using_signature("image->scores"):
        np.testing.assert_allclose(
            run(load_tflite(identify(path)).model.data, X[:1], tf)[0], expected(tf, "scores:0", values=X[:1]), atol=1e-5
        )


def no_input(tf: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.add(tf.constant(1.0, name="one"), tf.constant(2.0), name="three")
    return graph.as_graph_def()


# ── signatures ──


def module(tf: Any) -> tuple[Any, Any]:
    """A model that doubles its input, or adds one to it; and its two signatures."""

    class Both(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])
        def twice(self, x: Any) -> Any:
            return {"y": x * 2.0}

        @tf.function(input_signature=[tf.TensorSpec([1, 6], tf.float32, name="x")])
        def more(self, x: Any) -> Any:
            return {"y": x + 1.0}

    both = Both()
    return both, {"twice": both.twice, "more": both.more}


@pytest.fixture
def saved(tf: Any, tmp_path: Path) -> Path:
    both, signatures = module(tf)
    tf.saved_model.save(both, str(tmp_path / "saved"), signatures=signatures)
    return tmp_path / "saved"


def several(tf: Any, saved: Path) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=["more", "twice"])
    return bytes(converter.convert())


@pytest.mark.tensorflow
def test_a_saved_model_with_several_signatures(tf: Any, saved: Path) -> None:
    x = np.arange(4, dtype=np.float32)[None]
    with pytest.raises(McugenError, match=r"signatures more, twice, and none is called serving_default"):
        load_tflite(identify(saved))
    with using_signature("twice"):
        np.testing.assert_array_equal(run(load_tflite(identify(saved)).model.data, x, tf)[0], x * 2)


@pytest.mark.tensorflow
def test_a_tflite_with_several_signatures(tf: Any, saved: Path) -> None:
    opened = open_model(several(tf, saved))
    with pytest.raises(ModelError, match=r"signatures more, twice, and none is called serving_default"):
        with_signature(opened, "")
    for name, values in (("twice", np.arange(4, dtype=np.float32)), ("more", np.arange(6, dtype=np.float32))):
        chosen = with_signature(opened, name)
        assert len(chosen.schema.subgraphs) == 1, "what the other one runs is left out"
        assert len(chosen.data) < len(opened.data)
        wanted = values * 2 if name == "twice" else values + 1
        np.testing.assert_array_equal(run(chosen.data, values[None], tf)[0][0], wanted)


@pytest.mark.tensorflow
def test_a_signature_of_a_graph_that_is_not_there(tf: Any, saved: Path) -> None:
    model = open_model(several(tf, saved)).copy()
    for signature in model.signatureDefs or ():
        signature.subgraphIndex = 7
    with pytest.raises(ModelError, match="names a graph that is not there"):
        with_signature(open_model(pack_model(model)), "more")

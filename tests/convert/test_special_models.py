"""Models out of the ordinary, as docs/YOUR_MODEL.md lists them, that no other test covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.convert.inspect_source import inspect_model
from mcugen.errors import ConversionError, ModelError
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import load_schema, pack_model
from tests.convert.float_models import FloatModel, small_dense
from tests.kernels.single_op import Node, TensorSpec, build_graph, build_model, options

S = load_schema()


def test_the_first_subgraph_is_the_model() -> None:
    model = open_model(small_dense()).copy()
    second = FloatModel()
    other = second.model([second.op("RELU", [second.input((1, 9))], (1, 9))])
    model.subgraphs = [*model.subgraphs, S.SubGraphT(tensors=other.subgraphs[0].tensors[:1], operators=[], name="b")]
    inspection = inspect_model(open_model(pack_model(model)))
    assert [spec.shape for spec in inspection.inputs] == [(1, 4)]


@pytest.mark.tensorflow
def test_signatures_of_a_saved_model(tmp_path: Path) -> None:
    """`serving_default` runs among others; without it, there must be one."""
    import tensorflow as tf

    class Two(tf.Module):  # type: ignore[misc, name-defined]
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def double(self, x: Any) -> Any:
            return {"y": tf.nn.relu(x)}

        @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name="x")])
        def other(self, x: Any) -> Any:
            return {"y": tf.nn.relu(x)}

    two = Two()
    tf.saved_model.save(two, str(tmp_path / "ok"), {"serving_default": two.double, "train": two.other})
    assert convert(tmp_path / "ok", sizes_only=True).report.inputs[0].shape == (1, 4)
    tf.saved_model.save(two, str(tmp_path / "two"), {"infer": two.double, "train": two.other})
    with pytest.raises(ConversionError, match="has the signatures infer, train, and none is called serving_default"):
        convert(tmp_path / "two", sizes_only=True)


def test_uint8_networks_say_what_they_are() -> None:
    x, y = (TensorSpec((1, 4), scale=0.1, zero_point=128, dtype="uint8", name=name) for name in ("x", "old/layer"))
    weights = TensorSpec((4, 4), scale=0.1, zero_point=120, dtype="uint8", data=np.full((4, 4), 255, np.uint8))
    model = build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, weights], [y])
    with pytest.raises(ModelError, match="computes in uint8, as TensorFlow quantized until 2019") as raised:
        convert(model)
    assert raised.value.where == 'op 0 FULLY_CONNECTED "old/layer"'
    assert "Pass the float model with `data`" in raised.value.hint


def test_uint8_at_the_edges_runs() -> None:
    given = TensorSpec((1, 4), scale=0.1, zero_point=128, dtype="uint8", name="x")
    inner, y = TensorSpec((1, 4), scale=0.1), TensorSpec((1, 4), scale=0.1)
    nodes = [Node("QUANTIZE", None, [given], [inner]), Node("RELU", None, [inner], [y])]
    assert convert(build_graph(nodes, [y])).report.inputs[0].dtype == "uint8"


def test_metadata_is_left_alone() -> None:
    model = open_model(small_dense()).copy()
    model.buffers.append(S.BufferT(data=np.frombuffer(b"not even a flatbuffer", np.uint8)))
    model.metadata = [S.MetadataT(name="TFLITE_METADATA", buffer=len(model.buffers) - 1)]
    made = convert(pack_model(model), np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
    assert made.report.agreement[0].sqnr_db is not None
    assert made.report.agreement[0].sqnr_db > 20

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import ModelError
from mcugen.runtimes.tflm import strip
from mcugen.runtimes.tflm.strip import prove_unchanged, strip_model, strip_proved
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite.schema import load_schema, pack_model, unpack_model
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.models import both
from tests.tflm.support import MODELS, model_bytes
from tests.tflm.test_resolver import fully_connected, renamed

SAVED = {
    "ad01_int8": 2784,
    "hello_world_float": 1036,
    "hello_world_int8": 1008,
    "keyword_scrambled_8bit": 1360,
    "kws_ref_model": 11_712,
    "micro_speech_quantized": 528,
    "okay_nabu": 7752,
    "pretrainedResnet_quant": 7328,
    "trained_lstm_int8": 1344,
    "vww_96_int8": 38_936,
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_ops_are_the_same_and_bytes_are_saved(name: str) -> None:
    data = model_bytes(name)
    view = read_view(data, name)
    stripped = strip_proved(data, view)
    assert stripped.proved
    assert stripped.saved == len(data) - len(stripped.data)
    assert stripped.saved == SAVED[name] if name in SAVED else stripped.saved > 200
    assert read_view(stripped.data).op_kinds() == view.op_kinds()
    assert strip_model(stripped.data) == stripped.data
    assert strip_model(data) == stripped.data


def test_nothing_that_a_device_reads_goes_away() -> None:
    model = unpack_model(strip_model(model_bytes("wake_word")))
    assert len(model.subgraphs) == 2
    assert all(t.name is None for graph in model.subgraphs for t in graph.tensors)
    assert model.signatureDefs is None or len(model.signatureDefs) == 0
    variables = {getattr(op.builtinOptions, "sharedName", None) for op in model.subgraphs[0].operators} - {None}
    assert len(variables) == 5
    sizes = [0 if b.data is None else len(b.data) for b in model.buffers]
    assert sizes[0] == 0
    assert all(size > 0 for size in sizes[1:])


def test_metadata_that_tflm_looks_for_stays() -> None:
    model = unpack_model(fully_connected("int8"))
    schema = load_schema()
    model.metadata = []
    for name in (b"OfflineMemoryAllocation", b"min_runtime_version"):
        entry, buffer = schema.MetadataT(), schema.BufferT()
        buffer.data = np.frombuffer(name, np.uint8)
        model.buffers.append(buffer)
        entry.name, entry.buffer = name, len(model.buffers) - 1
        model.metadata.append(entry)
    kept = unpack_model(strip_model(pack_model(model)))
    assert [m.name for m in kept.metadata] == [b"OfflineMemoryAllocation"]
    assert kept.buffers[kept.metadata[0].buffer].data.tobytes() == b"OfflineMemoryAllocation"


@pytest.mark.parametrize("name", both(["transformer"], ["kws_ref_model"]))
def test_buffers_are_aligned_and_equal_ones_are_kept_once(name: str) -> None:
    stripped = strip_model(model_bytes(name))
    model = load_schema().Model.GetRootAs(stripped, 0)
    contents = []
    for i in range(model.BuffersLength()):
        if model.Buffers(i).DataLength():
            start = model.Buffers(i).DataAsNumpy().__array_interface__["data"][0]
            base = np.frombuffer(stripped, np.uint8).__array_interface__["data"][0]
            assert (start - base) % 16 == 0
            contents.append(model.Buffers(i).DataAsNumpy().tobytes())
    assert len(set(contents)) == len(contents)


def test_a_strip_that_changes_the_outputs_is_found() -> None:
    data = fully_connected("int8")
    model = unpack_model(data)
    weights = next(b for b in model.buffers if b.data is not None and len(b.data) == 8)
    weights.data = weights.data ^ 1
    with pytest.raises(ModelError, match="stripping changed the model's ops"):
        prove_unchanged(data, pack_model(model))


def test_a_strip_that_only_the_interpreter_can_see_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = TensorSpec((1, 8), scale=0.1), TensorSpec((1, 8), scale=0.1)
    before = build_model("LEAKY_RELU", options("LeakyReluOptions", alpha=0.1), [x], [y])
    after = build_model("LEAKY_RELU", options("LeakyReluOptions", alpha=0.9), [x], [y])
    monkeypatch.setattr(strip, "strip_model", lambda _data: after)
    with pytest.raises(ModelError, match="stripping changed the model's outputs"):
        strip_proved(before, read_view(before))


def test_a_model_that_the_host_cannot_run_stays_as_it_is() -> None:
    data = renamed(fully_connected("int8"), "CUSTOM", "MyOp")
    stripped = strip_proved(data, read_view(data))
    assert stripped.data == data
    assert not stripped.proved

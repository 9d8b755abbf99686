"""The reference in numpy as a witness: how it is chosen, what it says of whole models, and what it refuses."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.errors import ModelError, ToolError
from mcugen.oracle import Oracle, copies, make_inputs
from mcugen.oracle.engines import chosen, using
from mcugen.reference import NumpyReference
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model, type_name, unpack_model
from mcugen.verify.parted_oracle import open_oracle
from mcugen.verify.witnesses import Witnesses
from tests import zoo
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.models import both, model_bytes
from tests.state.test_control import counting_loop

REAL = ["ad01_int8", "kws_ref_model", "okay_nabu", "vww_96_int8", "pretrainedResnet_quant", "trained_lstm_int8"]


def relu() -> bytes:
    return build_model("RELU", None, [TensorSpec((1, 4), scale=0.5)], [TensorSpec((1, 4), scale=0.5)])


@pytest.mark.parametrize("name", both(sorted(set(zoo.NAMES) - {"mobilenet_v2"}), REAL))
def test_whole_models(name: str) -> None:
    """Outputs, and every tensor that the oracle can show, over a sequence."""
    model = open_model(model_bytes(name))
    graph = read_graph(model)
    tensors = model.main.tensors
    ids = [int(i) for op in model.main.operators for i in op.outputs if type_name(tensors[i].type) != "resource"]
    second = NumpyReference(model)
    with Oracle(model.data) as oracle:
        for sample in make_inputs(graph, 3, seed=5):
            for got, want in zip(second.tensors(sample, ids), oracle.tensors(sample, ids), strict=True):
                assert got.dtype == want.dtype
                if want.dtype == np.float32:
                    np.testing.assert_allclose(got, want.reshape(got.shape), 1e-5, 1e-6)
                else:
                    np.testing.assert_array_equal(got, want.reshape(got.shape))


def test_it_is_served_from_a_process() -> None:
    model = model_bytes("wake_word")  # which keeps a state
    samples = make_inputs(read_graph(model), 3, seed=1)
    with Oracle(model) as first, Oracle(model, engine="mcugen") as second:
        assert second.name.startswith("mcugen-reference ")
        assert "proved equal to tflite-micro" in second.name
        for _ in range(2):
            for sample in samples:
                assert np.array_equal(first.run(sample)[0], second.run(sample)[0])
            first.forget()
            second.forget()


def test_a_loop_without_an_end() -> None:
    endless = unpack_model(counting_loop())
    for buffer in endless.buffers:
        if buffer.data is not None and buffer.data.tolist() == [1]:  # what is added to the counter
            buffer.data = np.zeros(1, np.uint8)
    sample = [np.zeros((1, 4), np.int8), np.array([0], np.int8), np.array([1], np.int8)]
    with Oracle(pack_model(endless), engine="mcugen") as oracle:
        oracle._timeout = 2
        with pytest.raises(ModelError, match="mcugen's own reference gave no answer within 2 s"):
            oracle.run(sample)


def test_an_op_that_it_does_not_know() -> None:
    x = TensorSpec((1, 4), "float32", name="in")
    model = build_model("GELU", options("GeluOptions"), [x], [TensorSpec((1, 4), "float32", name="layer/Gelu")])
    with pytest.raises(ModelError, match=r'no formula for op 0 GELU "layer/Gelu"'):
        NumpyReference(model)
    with pytest.raises(ModelError, match="mcugen's own reference refuses this model: numpy has no formula"):
        Oracle(model, engine="mcugen")


def test_which_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() == ("tflite-micro",)
    with using("both"):
        assert chosen() == ("tflite-micro", "mcugen")
    monkeypatch.setenv("MCUGEN_REFERENCE", "mcugen")
    assert chosen() == ("mcugen",)
    with using("tflite-micro"):
        assert chosen() == ("tflite-micro",)
    monkeypatch.setenv("MCUGEN_REFERENCE", "abacus")
    with pytest.raises(ToolError, match=r"MCUGEN_REFERENCE: 'abacus' is no reference.*tflite-micro, mcugen, both"):
        chosen()
    monkeypatch.delenv("MCUGEN_REFERENCE")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert chosen() == ("mcugen",)


def test_nothing_is_started_early_for_a_reference_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_original", None)
    monkeypatch.setattr(copies, "_Original", lambda: pytest.fail("started"))
    with using("mcugen"):
        copies.start_early()


def test_both_agree() -> None:
    sample = [np.array([[-4, 0, 3, 127]], np.int8)]
    with using("both"), open_oracle(relu()) as oracle:
        assert oracle.name.startswith("tflite-micro ")
        assert " and mcugen-reference " in oracle.name
        assert oracle.run(sample)[0].tolist() == [[0, 0, 3, 127]]


class _Says:
    """A reference with one answer."""

    unverified = ()

    def __init__(self, name: str, answer: NDArray[Any]) -> None:
        self.name, self.answer, self.open = name, answer, True

    def __enter__(self) -> _Says:
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    def run(self, _: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return [self.answer]

    def tensors(self, _: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        return [self.answer for _ in ids]

    def forget(self) -> None: ...


@pytest.mark.parametrize("other", [np.array([1, 3], np.int8), np.array([1, 2], np.uint8)])
def test_references_that_do_not_agree(other: NDArray[Any]) -> None:
    one, two = _Says("one", np.array([1, 2], np.int8)), _Says("two", other)
    with (
        Witnesses([one, two]) as both,
        pytest.raises(ModelError, match="of 2 values of output 0 differ between one and"),
    ):
        both.run([])
    assert (one.open, two.open) == (False, False)
    with pytest.raises(ModelError, match="values of tensor 7 differ"):
        Witnesses([one, two]).tensors([], [7])


def test_floats_agree_within_their_tolerance() -> None:
    one = _Says("one", np.array([1.0], np.float32))
    assert Witnesses([one, _Says("two", np.array([1.000005], np.float32))]).run([])[0] == 1.0
    with pytest.raises(ModelError, match="disagree"):
        Witnesses([one, _Says("two", np.array([1.00005], np.float32))]).run([])

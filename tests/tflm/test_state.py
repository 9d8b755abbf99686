"""What models keep between inferences: which ops do, and that firmware is compared with one of the same history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.graph.types import Graph
from mcugen.ops.custom import use_custom_ops
from mcugen.oracle import Oracle, make_inputs
from mcugen.progress import Share
from mcugen.runtimes.tflm.program import TflmOptions, TflmProgram, make_program
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite.known_ops import CUSTOMS
from mcugen.tflite.state import MAY_NOT_WRITE, OWN_STATE
from mcugen.verify import verify_device
from tests import zoo
from tests.custom.test_custom_ops import KERNEL, PYTHON
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.state.test_recurrent import lstm_f32_model
from tests.tflm.support import program, real_tflm
from tests.tflm.test_resolver import fully_connected, renamed

BOARD = load_board("mps2-an386")


def delayed() -> bytes:
    """A signal delayed by three samples, which nothing in the model but the op shows."""
    x, y = TensorSpec((1, 8), "int16"), TensorSpec((1, 8), "int16")
    return build_graph([Node("CUSTOM:SignalDelay", bytes(flexbuffers.Dumps({"delay_length": 3})), [x], [y])], [y])


def energy(start: int, end: int) -> bytes:
    """The energy of some bands of a spectrum, of which only these are read."""
    x, all_bands = TensorSpec((16,), "int16"), TensorSpec((8,), "uint32")
    cast, bands = TensorSpec((8,), "int32"), TensorSpec((2,), "int32")
    told = bytes(flexbuffers.Dumps({"start_index": start, "end_index": end}))
    first, many = (constant(np.array([n], np.int32)) for n in (start, 2))
    nodes = [
        Node("CUSTOM:SignalEnergy", told, [x], [all_bands]),
        Node("CAST", options("CastOptions", inDataType=15, outDataType=2), [all_bands], [cast]),
        Node("SLICE", options("SliceOptions"), [cast, first, many], [bands]),
    ]
    return build_graph(nodes, [bands])


def made(data: bytes) -> TflmProgram:
    return make_program(data, "model", BOARD, TflmOptions(""))


class Primed:
    """A device that has run before, as every one has whose cost was measured: an interpreter of its own."""

    def __init__(self, oracle: Oracle, graph: Graph, dirt: int | None = None) -> None:
        self.oracle, self.graph, self.dirt = oracle, graph, dirt
        self.forgotten = 0
        for sample in make_inputs(graph, 2, 7):
            oracle.run(sample)

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        return self.oracle.run(inputs), 1

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        for number, op in enumerate(self.graph.ops):
            value = np.array(self.oracle.tensors(inputs, [op.outputs[0]])[0])
            if op.kind in ("CUSTOM:SignalEnergy", "CAST") and self.dirt is not None:
                value[self.dirt] = 77
            yield number, value.tobytes()

    def forget(self) -> None:
        self.forgotten += 1
        self.oracle.forget()


def test_an_op_that_keeps_something_of_its_own_is_compared_with_the_same_history() -> None:
    data = delayed()
    program_ = made(data)
    assert program_.stateful
    with Oracle(data) as oracle, Oracle(data) as other:
        device = Primed(other, program_.graph)
        verdict = verify_device(device, program_, oracle, make_inputs(program_.graph, 4), layers=False)
    assert verdict.bit_exact
    assert verdict.sequence
    assert device.forgotten == 1


@pytest.mark.parametrize("kind", sorted(OWN_STATE))
def test_every_op_with_a_state_of_its_own_is_one_of_tflms_and_makes_a_model_stateful(kind: str) -> None:
    name = kind.removeprefix("CUSTOM:")
    assert name in CUSTOMS
    assert read_view(renamed(fully_connected("int8"), "CUSTOM", name)).stateful


def test_other_ops_of_tflms_keep_nothing() -> None:
    for name in CUSTOMS.keys() - {kind.removeprefix("CUSTOM:") for kind in OWN_STATE}:
        assert not read_view(renamed(fully_connected("int8"), "CUSTOM", name)).stateful
    assert set(MAY_NOT_WRITE) < set(OWN_STATE)


@pytest.mark.parametrize(("dirt", "passes"), [(0, True), (7, True), (3, False)])
def test_bytes_that_an_op_leaves_unwritten_are_not_compared(dirt: int, passes: bool) -> None:
    data = energy(2, 5)
    program_ = made(data)
    with Oracle(data) as oracle, Oracle(data) as other:
        device = Primed(other, program_.graph, dirt)
        verdict = verify_device(device, program_, oracle, make_inputs(program_.graph, 2), layers=True)
    assert verdict.passed is passes
    assert verdict.layers_checked > 0
    if not passes:
        assert verdict.first_divergent_op is not None
        assert verdict.first_divergent_op.kind == "CUSTOM:SignalEnergy"


@pytest.mark.parametrize("stateful", [True, False])
def test_a_users_op_says_whether_it_keeps_something(stateful: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(KERNEL)
    (tmp_path / "mine.py").write_text(PYTHON + f"STATEFUL = {stateful}\n")
    with use_custom_ops([f"MyOp={tmp_path / 'mine.c'}"]):
        assert read_view(renamed(fully_connected("int8"), "CUSTOM", "MyOp")).stateful is stateful


def test_only_quantized_lstms_begin_with_zeros_in_cmsis_nn() -> None:
    quantized = program("lstm")
    assert any("begins every inference with zeros" in warning for warning in quantized.warnings)
    assert quantized.verified_afresh
    floats = made(lstm_f32_model(np.random.default_rng(1)))
    assert floats.stateful
    assert not any("zeros" in warning for warning in floats.warnings)


def test_generate_and_the_projects_readme_say_what_the_lstm_does(tmp_path: Path) -> None:
    made_ = api.generate(zoo.path("lstm"), board="mps2-an386", out=tmp_path / "p", runtime="tflm", tflm="")
    assert any("mcg_model_init()" in warning for warning in made_.to_dict()["warnings"])
    assert "begins every inference with zeros" in (tmp_path / "p" / "README.md").read_text()


@pytest.mark.emulator
def test_a_state_of_its_own_on_the_device(tmp_path: Path) -> None:
    tflm, path = real_tflm(), tmp_path / "delayed.tflite"
    path.write_bytes(delayed())
    proof = api.verify(path, board="mps2-an386", runtime="tflm", tflm=tflm, samples=4, layers=True)
    assert proof.verdict.bit_exact


@pytest.mark.emulator
@pytest.mark.parametrize("kind", ["int8", "float"])
def test_tflms_own_audio_preprocessors(kind: str) -> None:
    tflm = real_tflm()
    model = Path(tflm) / f"tensorflow/lite/micro/examples/micro_speech/models/audio_preprocessor_{kind}.tflite"
    proof = api.verify(model, board="mps2-an386", runtime="tflm", tflm=tflm, samples=4, layers=True)
    assert proof.verdict.bit_exact, proof.verdict.first_divergent_op
    assert proof.verdict.sequence

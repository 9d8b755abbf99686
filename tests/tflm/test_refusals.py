"""What CMSIS-NN does not run and the reference does is known before anything is built."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.boards.shipped import load_board
from mcugen.errors import UnsupportedOpError
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.tflm.program import TflmOptions, TflmProgram, make_program
from mcugen.runtimes.tflm.refusals import REFUSALS, wrapping
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite.schema import op_kind, pack_model, unpack_model
from mcugen.verbs.verify import verify
from tests import zoo
from tests.kernels.single_op import TensorSpec, build_model, constant, options
from tests.tflm.support import real_tflm


def dense(dtype: str, *, per_channel: bool) -> bytes:
    scales = [0.01, 0.02] if per_channel else 0.01
    weights = constant(np.ones((2, 4), np.int8), scales, [0, 0] if per_channel else 0)
    x, y = (TensorSpec((1, n), dtype=dtype, scale=0.1, name=name) for n, name in ((4, "in"), (2, "dense")))
    return build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, weights], [y])


def transposed(rank: int) -> bytes:
    shape = (1, 2, 3, 2, 2)[:rank]
    order = constant(np.arange(rank, dtype=np.int32)[::-1].copy())
    x, y = TensorSpec(shape, scale=0.1), TensorSpec(shape[::-1], scale=0.1)
    return build_model("TRANSPOSE", options("TransposeOptions"), [x, order], [y])


def padded(first: int) -> bytes:
    widths = constant(np.array([[0, 0], [0, 0], [1, 1], [0, 0], [0, 0]], np.int32))
    x, y = TensorSpec((first, 2, 3, 2, 2), scale=0.1), TensorSpec((first, 2, 5, 2, 2), scale=0.1)
    return build_model("PAD", options("PadOptions"), [x, widths], [y])


def multiplied(rank: int) -> bytes:
    shape = (1, 1, 1, 2, 2)[-rank:]
    operands = [TensorSpec(shape, scale=0.1) for _ in range(2)]
    return build_model("BATCH_MATMUL", options("BatchMatMulOptions"), operands, [TensorSpec(shape, scale=0.1)])


REFUSED = {
    "FULLY_CONNECTED": dense("int16", per_channel=True),
    "TRANSPOSE": transposed(5),
    "PAD": padded(2),
    "BATCH_MATMUL": multiplied(5),
}
TAKEN = {
    "per tensor": dense("int16", per_channel=False),
    "int8": dense("int8", per_channel=True),
    "rank 4": transposed(4),
    "first of one": padded(1),
    "matrices": multiplied(4),
}


def made(data: bytes, board: str = "mps2-an386", library: str | None = None) -> TflmProgram:
    return make_program(data, "model", load_board(board), TflmOptions(""), library=library)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_only_the_reference_runs_is_refused_with_its_layer(kind: str) -> None:
    assert kind in {refusal.kind for refusal in REFUSALS}
    with pytest.raises(UnsupportedOpError, match=rf'CMSIS-NN.*op 0 {kind} ".*": no .*To run it, '):
        made(REFUSED[kind])


def test_the_reference_does_run_it() -> None:
    program = made(REFUSED["FULLY_CONNECTED"], "microbit")  # whose library is built without CMSIS-NN
    with Oracle(REFUSED["FULLY_CONNECTED"]) as oracle:
        assert oracle.run(make_inputs(program.graph, 1)[0])[0].shape == (1, 2)


@pytest.mark.parametrize("name", TAKEN)
def test_other_uses_are_not(name: str) -> None:
    assert made(TAKEN[name]).warnings == []


def test_of_a_library_whose_kernels_are_not_known_it_is_a_warning() -> None:
    (told,) = made(REFUSED["FULLY_CONNECTED"], library="someone/tflm").warnings
    assert "where the library has CMSIS-NN's kernels, the model does not start: op 0 FULLY_CONNECTED" in told


def quieter(data: bytes, times: int) -> bytes:
    """A model whose SVDFs have a state of another scale, so that it holds more."""
    model = unpack_model(data)
    main = model.subgraphs[0]
    for op in main.operators:
        if op_kind(model.operatorCodes[op.opcodeIndex]) == "SVDF":
            for tensor in (main.tensors[op.inputs[3]], main.tensors[op.inputs[4]]):  # bias, state
                tensor.quantization.scale = tensor.quantization.scale * np.float32(times)
    return pack_model(model)


def test_a_state_that_goes_round_is_told() -> None:
    """Seen on a Cortex-M4 and an M55: CMSIS-NN limits the state to int16 and stores it as int8."""
    loud = zoo.model("svdf")
    (told,) = made(loud).warnings
    assert told.startswith('op 1 SVDF "svdf0", op 3 SVDF "svdf1"')
    assert "goes round in CMSIS-NN's kernel" in told
    assert len(list(wrapping(read_view(quieter(loud, 4))))) == 1
    assert made(quieter(loud, 8)).warnings == []
    assert made(loud, "microbit").warnings == []  # TFLM's own kernels


@pytest.mark.emulator
def test_a_state_that_stays_in_int8_is_bit_exact() -> None:
    proof = verify(quieter(zoo.model("svdf"), 8), board="mps2-an386", runtime="tflm", tflm=real_tflm(), samples=8)
    assert proof.verdict.bit_exact
    assert not verify(zoo.model("svdf"), board="mps2-an386", runtime="tflm", samples=8).verdict.bit_exact

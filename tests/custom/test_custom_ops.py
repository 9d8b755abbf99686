"""A user's own ops: the two files, the emitted project, verification with and without a reference function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from mcugen.api import deploy, generate
from mcugen.convert import convert
from mcugen.errors import CustomOpError, McugenError, UnsupportedOpError
from mcugen.ops.custom import use_custom_ops
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.verify.parted_oracle import PartedOracle, open_oracle
from tests.conftest import ROOT
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, make_samples, options, oracle
from tests.schemas import check

EXAMPLES = ROOT / "examples" / "custom_ops"
EXAMPLE = f"ZeroCrossings={EXAMPLES / 'zero_crossings.c'}"
WINDOW = f"SignalWindow={EXAMPLES / 'signal_window.c'}"

KERNEL = """#include <stdint.h>
typedef struct { int32_t count; int32_t gain; } mcg_custom_gain_params;
static inline void mcg_custom_gain(const mcg_custom_gain_params *p, const int8_t *x, const int8_t *table, int8_t *y) {
  for (int32_t i = 0; i < p->count; ++i) y[i] = (int8_t)(x[i] / p->gain + table[i % 2]);
}
"""
PYTHON = """import numpy as np
from mcugen.custom import Call
def prepare(use):
    if use.options["gain"] < 1:
        raise ValueError("the gain is below 1")
    return Call({"count": use.inputs[0].elements, "gain": use.options["gain"]},
                {"table": np.array([1, -1], np.int8)}, macs=use.inputs[0].elements)
"""
REFERENCE = """
def reference(use, inputs):
    x = inputs[0].reshape(-1).astype(int)
    return [(np.trunc(x / use.options["gain"]) + np.resize([1, -1], x.size)).astype(np.int8)]
"""


def signal_model() -> bytes:
    """RELU-like scaling, then the zero crossings of it, which become floats; and the scaled signal itself."""
    x, y = TensorSpec((1, 16, 3), scale=0.1, zero_point=3), TensorSpec((1, 16, 3), scale=0.1, zero_point=-5)
    counts, real = TensorSpec((1, 3), "int32"), TensorSpec((1, 3), "float32")
    nodes = [
        Node("MUL", options("MulOptions"), [x, constant(np.array([100], np.int8), 0.01)], [y]),
        Node("CUSTOM:ZeroCrossings", None, [y], [counts]),
        Node("CAST", options("CastOptions", inDataType=2, outDataType=0), [counts], [real]),
    ]
    return build_graph(nodes, [real, y])


def gain_model(gain: int = 2, twice: bool = False) -> bytes:
    x, y, z = (TensorSpec((1, 8), scale=0.1) for _ in range(3))
    nodes = [
        Node("RELU", None, [x], [y]),
        Node("CUSTOM:Gain", bytes(flexbuffers.Dumps({"gain": gain})), [y], [z]),
    ]
    if twice:
        a, b = TensorSpec((1, 8), scale=0.1), TensorSpec((1, 8), scale=0.1)
        nodes += [Node("CUSTOM:Gain", bytes(flexbuffers.Dumps({"gain": 3})), [z], [a]), Node("RELU", None, [a], [b])]
        return build_graph(nodes, [b])
    return build_graph(nodes, [z])


@pytest.fixture
def gain(tmp_path: Path) -> Any:
    """Writes the two files of an op; gives the option that names them."""

    def write(kernel: str = KERNEL, python: str = PYTHON + REFERENCE) -> str:
        (tmp_path / "gain.c").write_text(kernel)
        (tmp_path / "gain.py").write_text(python)
        return f"Gain={tmp_path / 'gain.c'}"

    return write


def compare(model: bytes, given: Sequence[str]) -> PartedOracle:
    """The emitted code against the parted oracle, outputs and layers."""
    samples = make_samples(model, 3)
    with use_custom_ops(given):
        plan = make_plan(optimize(read_graph(model)))
        with open_oracle(model) as oracle, HostModel(plan) as host:
            assert isinstance(oracle, PartedOracle)
            for sample in samples:
                for got, want in zip(host.run(sample), oracle.run(sample), strict=True):
                    np.testing.assert_array_equal(got, want)
                layers = list(host.layers(sample))
                ids = [plan.steps[n].op.outputs[0] for n, _ in layers]
                for (_, got), want in zip(layers, oracle.tensors(sample, ids), strict=True):
                    np.testing.assert_array_equal(got, want)
            return oracle


def test_the_example_equals_its_reference() -> None:
    oracle = compare(signal_model(), [EXAMPLE])
    assert oracle.unverified == ()
    assert oracle.name.endswith("the reference functions of ZeroCrossings")


@pytest.mark.parametrize("twice", [False, True])
def test_options_constants_and_several_uses(gain: Any, twice: bool) -> None:
    assert compare(gain_model(twice=twice), [gain()]).unverified == ()


def test_a_wrong_kernel_is_found(gain: Any) -> None:
    with pytest.raises(AssertionError, match="Mismatched"):
        compare(gain_model(), [gain(KERNEL.replace("i % 2", "0"))])


def test_without_a_reference_nothing_but_the_kernel_knows(gain: Any) -> None:
    oracle = compare(gain_model(), [gain(python=PYTHON)])
    assert len(oracle.unverified) == 1
    assert "CUSTOM:Gain" in oracle.unverified[0]
    assert "reference" not in oracle.name


@pytest.mark.parametrize(("shape", "shift"), [((1, 16), 0), ((3, 5), 12), ((2, 2, 7), 15), ((1, 9), 31)])
def test_the_window_of_an_audio_front_end_equals_tflm(shape: tuple[int, ...], shift: int) -> None:
    """TFLM has this op of the examples: kernel and reference function give its results."""
    rng = np.random.default_rng(shift)
    window = constant(rng.integers(-32768, 32768, shape[-1]).astype(np.int16))
    x, y = TensorSpec(shape, "int16"), TensorSpec(shape, "int16")
    given = bytes(flexbuffers.Dumps({"shift": shift}))
    model = build_graph([Node("CUSTOM:SignalWindow", given, [x, window], [y])], [y])
    samples = make_samples(model, 4)
    compare(model, [WINDOW])
    with use_custom_ops([WINDOW]), HostModel(make_plan(read_graph(model))) as host:
        for sample, (want,) in zip(samples, oracle(model, samples), strict=True):
            np.testing.assert_array_equal(host.run(sample)[0], want)


def test_models_without_the_op_keep_their_oracle(gain: Any) -> None:
    x, y = TensorSpec((4,), scale=0.1), TensorSpec((4,), scale=0.1)
    with use_custom_ops([gain()]), open_oracle(build_graph([Node("RELU", None, [x], [y])], [y])) as oracle:
        assert isinstance(oracle, Oracle)


def test_the_op_is_unknown_outside(gain: Any) -> None:
    with use_custom_ops([gain()]):
        make_plan(read_graph(gain_model()))
    with pytest.raises(UnsupportedOpError, match="CUSTOM:Gain"):
        make_plan(read_graph(gain_model()))
    with pytest.raises(UnsupportedOpError, match=r"`custom_ops=\["):
        convert(gain_model())


def test_the_project_holds_the_kernel(gain: Any, tmp_path: Path) -> None:
    made = generate(gain_model(), board="mps2-an386", out=tmp_path / "out", custom_ops=[gain()])
    text = (tmp_path / "out/lib/mcg_model/kernels/mcg_custom_gain.h").read_text()
    assert KERNEL in text
    assert text.startswith("#ifndef MCG_CUSTOM_GAIN_H")
    assert [op.kind for op in made.project.manifest.ops] == ["RELU", "CUSTOM:Gain"]


@pytest.mark.emulator
def test_verdict_on_a_board(gain: Any, tmp_path: Path) -> None:
    proof = deploy(signal_model(), board="mps2-an386", out=tmp_path / "a", layers=True, samples=4, custom_ops=[EXAMPLE])
    assert proof.verdict.bit_exact
    assert check(proof.to_dict())["verify"]["unverified"] == []
    proof = deploy(gain_model(), board="mps2-an386", out=tmp_path / "b", samples=2, custom_ops=gain(python=PYTHON))
    assert proof.verdict.bit_exact
    (named,) = proof.to_dict()["verify"]["unverified"]
    assert any(named in warning and "no reference function" in warning for warning in proof.warnings)


@pytest.mark.parametrize(
    ("kernel", "python", "words"),
    [
        ("int x;", PYTHON, "0 kernels"),
        (KERNEL + '#include "mine.h"\n', PYTHON, "mine.h"),
        (KERNEL, "x = 1\n", "no function prepare"),
        (KERNEL, "import nothing_like_this\n", "ModuleNotFoundError"),
        (KERNEL, PYTHON + "reference = 1\n", "reference is no function"),
        (KERNEL, "def prepare(use):\n    return 3\n", "does not return a Call"),
        (KERNEL, "from mcugen.custom import Call\ndef prepare(use):\n    return Call()\n", "no params"),
        (KERNEL, "def prepare(use):\n    return use.nothing\n", "AttributeError"),
        (KERNEL, PYTHON.replace("table", "Not C"), "no name for C"),
        (KERNEL, PYTHON.replace("np.int8)", "np.float64)"), "float64"),
    ],
)
def test_files_that_cannot_be_used(gain: Any, kernel: str, python: str, words: str) -> None:
    with pytest.raises(McugenError, match=words), use_custom_ops([gain(kernel, python)]):
        make_plan(read_graph(gain_model()))


def test_names_that_cannot_be_used(gain: Any, tmp_path: Path) -> None:
    wrong = [(["Gain"], "NAME=path"), ([f"Gain={tmp_path}/none.c"], "cannot be read"), ([gain()] * 2, "twice")]
    for given, words in wrong:
        with pytest.raises(CustomOpError, match=words), use_custom_ops(given):
            pass
    (tmp_path / "gain.py").unlink()
    with pytest.raises(CustomOpError, match=r"gain\.py"), use_custom_ops([f"Gain={tmp_path / 'gain.c'}"]):
        pass


def test_uses_that_are_refused(gain: Any) -> None:
    with use_custom_ops([gain()]), pytest.raises(UnsupportedOpError, match="the gain is below 1"):
        make_plan(read_graph(gain_model(gain=0)))


def test_references_that_give_something_else(gain: Any) -> None:
    python = PYTHON + "\ndef reference(use, inputs):\n    return [inputs[0].astype(int)]\n"
    sample = make_samples(gain_model(), 0)[0]
    with (
        use_custom_ops([gain(python=python)]),
        open_oracle(gain_model()) as oracle,
        pytest.raises(CustomOpError, match="int64"),
    ):
        oracle.run(sample)

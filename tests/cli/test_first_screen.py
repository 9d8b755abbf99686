"""What somebody sees who deploys a model for the first time, on a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.flow.proof import Cost
from mcugen.text import enumerated, tail
from mcugen.ui.proof import say_slow_ops, show_ops
from mcugen.ui.terminal import make_console
from tests.cli.conftest import BOARD, Cli, Ran, float_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float model of four classes, and data with labels that it mostly gets right."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "mine.tflite").write_bytes(float_model())
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1200, 6)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=np.argmax(x[:, :4], axis=1))
    return folder


@pytest.fixture(scope="module")
def screen(cli: Cli, folder: Path) -> Ran:
    ran = cli(
        "deploy", "mine.tflite", "--data", "data.npz", "--board", BOARD, "-o", "out",
        cwd=folder, env={"COLUMNS": "80"},
    )  # fmt: skip
    assert ran.code == 0, ran.err
    return ran


@pytest.mark.emulator
def test_one_paragraph_says_what_happened(screen: Ran) -> None:
    paragraph = " ".join(screen.out.split("\n\n")[0].split())
    assert re.fullmatch(
        r"mine\.tflite was quantized to 8-bit integers, calibrated with 200 samples of data\.npz, compiled to C and "
        r"built as firmware for mps2-an386, the Arm MPS2 with AN386\. "
        r"On 1,200 labelled samples its accuracy is \d+\.\d\d %, \d+\.\d\d % in float32\. "
        r"It ran in the board's emulator: for 116 inputs it gave, bit for bit, the results of TensorFlow Lite Micro\.",
        paragraph,
    ), paragraph


@pytest.mark.emulator
def test_figures_have_units_and_separators_and_jargon_waits(screen: Ran) -> None:
    assert re.search(r"^flash +[\d,]+ B, <1 % of 4 MiB", screen.out, re.MULTILINE)
    assert re.search(r"^cost +[\d,]+ instructions per inference, \d+\.\d\d per multiply-accumulate", screen.out, re.M)
    for word in ("FULLY_CONNECTED", "SQNR", "harness", "arena", "is \\ read as", "MACs"):
        assert word not in screen.out
    assert "--verbose: every layer and byte; --report FILE.html" in " ".join(screen.out.split())
    assert "next     mcugen run out --inputs X.npy -o Y.npy" in screen.out


@pytest.mark.emulator
def test_verbose_shows_the_rest(cli: Cli, folder: Path, screen: Ran) -> None:
    project = folder / "out"
    shown = cli("verify", project, "-n", "2", "-v", env={"COLUMNS": "80"}).out
    assert re.search(r"^layer +op +kernel +instructions", shown, re.MULTILINE)
    assert re.search(r"^scores +FULLY_CONNECTED +dsp +[\d,]+ +\d+ %", shown, re.MULTILINE)
    assert re.search(r"arena [\d,]+ B · static [\d,]+ B · stack 4,096 B, [\d,]+ B of it used", shown)
    assert "--verbose" not in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 80


@pytest.mark.emulator
def test_deploy_and_build_say_the_same_ram(cli: Cli, folder: Path, screen: Ran) -> None:
    built = cli("build", folder / "out", "--json").json["ram"]
    proved = cli("verify", folder / "out", "-n", "1", "--json").json["ram"]
    assert {name: proved[name] for name in built} == built
    assert proved["total"] == proved["arena"] + proved["static"] + proved["stack_reserved"]
    assert f"RAM      {built['total']:,} B" in screen.out


def step(name: str, why: str = "") -> Any:
    return SimpleNamespace(
        op=SimpleNamespace(kind="SOFTMAX", name=name, index=3, inputs=(0,)),
        macs=7,
        variant="portable",
        why_not_faster=why,
    )


def program(*steps: Any) -> Any:
    """Steps that all have the same weights."""
    weights = SimpleNamespace(data=np.ones((2, 2), np.int8))
    output = SimpleNamespace(shape=(1, 2))
    return SimpleNamespace(graph=SimpleNamespace(tensor=lambda i: weights, output_of=lambda op: output), steps=steps)


def cost(*per_op: int) -> Cost:
    return Cost("instructions", 0, sum(per_op), per_op, 100)


@pytest.mark.parametrize(("own", "said"), [(20, False), (21, True)])
def test_a_slower_kernel_is_worth_a_word_from_two_percent(own: int, said: bool) -> None:
    stream = io.StringIO()
    say_slow_ops(make_console(stream), [step("dense"), step("probabilities", "no DSP variant")], cost(1000 - own, own))
    expected = (
        '! layer "probabilities" (SOFTMAX) takes 2 % of the instructions, with the portable kernel: no DSP variant\n'
    )
    assert stream.getvalue() == (expected if said else "")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_of_layers_are_shortened_from_the_left(width: int) -> None:
    stream = io.StringIO()
    console = make_console(stream)
    console.width = width
    show_ops(console, program(step("model/block_1/conv_2d/BiasAdd_with_a_long_name")), cost(12345))
    assert "_long_name" in stream.getvalue()
    assert "model/" not in stream.getvalue()
    assert "12,345" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= width


def test_the_rounds_of_an_unrolled_layer_are_one_line() -> None:
    stream = io.StringIO()
    console = make_console(stream)
    console.width = 120
    show_ops(console, program(*(step(f"cell/round_{n}") for n in range(6))), cost(*range(1000, 1006)))
    (line,) = [line for line in stream.getvalue().splitlines() if "SOFTMAX" in line]
    assert re.match(r"cell/round_0 × 6 +SOFTMAX +portable +42 +6,015 +143.21 +100 %", line)


def test_words() -> None:
    assert (tail("abcdef", 6), tail("abcdefg", 6)) == ("abcdef", "…cdefg")
    assert [enumerated(list("abcde")[:n]) for n in (1, 2, 3, 5)] == ["a", "a and b", "a, b and c", "a, b, c and 2 more"]


@pytest.mark.emulator
def test_results_are_short_in_a_python_session(folder: Path, screen: Ran) -> None:
    project = folder / "out"
    int8 = project / "model" / "model.tflite"
    results = [
        api.verify(project, samples=1), api.build(project), api.boards(), api.doctor(), api.fit(int8),
        api.inspect(folder / "mine.tflite", data="random"), api.quantize(folder / "mine.tflite", data="random"),
        api.run(project, inputs=np.zeros((1, 6), np.float32)), api.generate(int8, board=BOARD, out=folder / "again"),
    ]  # fmt: skip
    for result in results:
        shown = repr(result)
        assert len(shown.splitlines()) <= 5, shown
        assert len(shown) <= 400, shown
        assert type(result).__name__ in shown
        json.dumps(result.to_dict())

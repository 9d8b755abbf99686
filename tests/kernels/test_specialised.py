"""One model with every element-wise, shape, softmax, mean and quantization kernel, as emitted: constants known."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options

CORES = {
    "m0": ("-mcpu=cortex-m0",),
    "m3": ("-mcpu=cortex-m3",),
    "m4": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}


def every_op() -> bytes:
    def tensor(*shape: int, scale: float = 0.1, zero_point: int = 3, dtype: str = "int8") -> TensorSpec:
        return TensorSpec(shape, dtype, scale, zero_point)

    real_in, real_out = TensorSpec((1, 6, 5, 4), "float32"), TensorSpec((1, 12), "float32")
    raw = tensor(1, 6, 5, 4, scale=0.4, zero_point=131, dtype="uint8")
    a, b, c, d, e = (tensor(1, 6, 5, 4, scale=s) for s in (0.5, 0.4, 0.6, 0.3, 0.3))
    tanh = tensor(1, 6, 5, 4, scale=1 / 128, zero_point=0)
    sigmoid = tensor(1, 6, 5, 4, scale=1 / 256, zero_point=-128)
    product = tensor(1, 6, 5, 4, scale=0.02, zero_point=-8)
    padded = tensor(1, 8, 5, 5, scale=0.02, zero_point=-8)
    mean, mean2 = tensor(1, 5, scale=0.015), tensor(1, 7, scale=0.015)
    flat, joined = tensor(1, 7, 1, scale=0.015), tensor(1, 12, scale=0.015)
    softmax = tensor(1, 12, scale=1 / 256, zero_point=-128)
    out = tensor(1, 12, scale=1 / 256, zero_point=128, dtype="uint8")
    paddings = constant(np.array([[0, 0], [1, 1], [0, 0], [0, 1]], np.int32))
    row = constant(np.array([5, -100, 127, 3], np.int8), 0.3, -1)
    seven = constant(np.arange(7, dtype=np.int8).reshape(1, 7), 0.015, 3)
    return build_graph(
        [
            Node("QUANTIZE", None, [real_in], [a]),
            Node("QUANTIZE", None, [raw], [b]),
            Node("ADD", options("AddOptions", fusedActivationFunction=1), [a, b], [c]),
            Node("SUB", options("SubOptions"), [c, row], [d]),
            Node("RELU6", None, [d], [e]),
            Node("TANH", None, [c], [tanh]),
            Node("LOGISTIC", None, [e], [sigmoid]),
            Node("MUL", options("MulOptions"), [tanh, sigmoid], [product]),
            Node("PAD", options("PadOptions"), [product, paddings], [padded]),
            Node("MEAN", options("ReducerOptions"), [padded, constant(np.array([1, 2], np.int32))], [mean]),
            Node("RELU", None, [seven], [mean2]),
            Node("RESHAPE", None, [mean2], [flat]),
            Node(
                "SQUEEZE", options("SqueezeOptions", squeezeDims=[2]), [flat], [squeezed := tensor(1, 7, scale=0.015)]
            ),
            Node("CONCATENATION", options("ConcatenationOptions", axis=1), [squeezed, mean], [joined]),
            Node("SOFTMAX", options("SoftmaxOptions", beta=1.0), [joined], [softmax]),
            Node("DEQUANTIZE", None, [softmax], [real_out]),
            Node("QUANTIZE", None, [softmax], [out]),
        ],
        [real_out, out],
    )


@pytest.mark.parametrize("flags", [("-O0",), ("-O2",), ("-O3",), ("-O1", "-fsanitize=undefined")], ids=lambda f: f[-1])
def test_host_flags(flags: tuple[str, ...]) -> None:
    outputs = assert_bit_exact(every_op(), 12, flags=flags)
    assert len({sample[0].tobytes() for sample in outputs}) > 8, "the outputs have to depend on the inputs"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("level", ["-Os", "-O2"])
def test_cross_compiles_without_library(core: str, level: str, tmp_path: Path) -> None:
    """No warning, no 64-bit division, no libm, no double: float32 only where QUANTIZE and DEQUANTIZE need it."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    for path, text in emit_model(make_plan(read_graph(every_op()))).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    made = tmp_path / "mcg_model.o"
    command = [
        "arm-none-eabi-gcc",
        "-std=c99",
        level,
        *CORES[core],
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wdouble-promotion",
    ]
    command += ["-ffreestanding", "-c", str(tmp_path / "mcg_model.c"), "-o", str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    listing = subprocess.run(["arm-none-eabi-nm", "-u", str(made)], capture_output=True, text=True, check=True)
    wanted = {line.split()[-1] for line in listing.stdout.splitlines()}
    allowed = {"memcpy", "memset", "memmove", "__aeabi_memcpy", "__aeabi_memset"}
    soft = {
        f"__aeabi_{name}"
        for name in (
            "lmul",
            "lasr",
            "llsl",
            "llsr",
            "fdiv",
            "fmul",
            "fsub",
            "i2f",
            "f2iz",
            "fcmpge",
            "fcmple",
            "fcmpgt",
            "fcmplt",
            "fadd",
        )
    }
    assert wanted <= allowed | soft, wanted - allowed - soft

"""A second architecture: models on QEMU's virt with rv32imc, through all stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mcugen import api
from mcugen.cores.architectures import RISCV
from tests import zoo
from tests.cli.conftest import int8_model
from tests.conftest import find_model
from tests.models import real

BOARD = "qemu-virt-rv32"

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(
        shutil.which(RISCV.compiler) is None or shutil.which(RISCV.qemu) is None,
        reason=f"{RISCV.compiler} or {RISCV.qemu} is not installed",
    ),
]


def test_from_a_model_to_a_verdict(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(int8_model())
    out = tmp_path / "out"
    proof = api.deploy(str(model), board=BOARD, out=out, samples=4, layers=True)
    assert proof.verdict.bit_exact
    assert proof.cost.unit == "instructions"
    assert sum(proof.cost.per_op) == pytest.approx(proof.cost.invoke, abs=200)
    assert 0 < proof.cost.stack < 1024
    flash = proof.ready.firmware.flash
    assert flash.code > 0
    assert flash.weights > 0
    assert flash.total == flash.code + flash.weights + flash.harness
    readme = (out / "README.md").read_text()
    assert "riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 --specs=picolibc.specs" in readme
    assert "qemu-system-riscv32 -M virt -cpu rv32,a=false,f=false,d=false -m 32M -bios none" in readme
    assert "arm-none-eabi" not in readme


@pytest.mark.parametrize("name", ["sine", "ds_cnn", pytest.param("hello_world_float", marks=real("hello_world_float"))])
def test_a_float_model(name: str) -> None:
    """Soft float and libm, whose functions keep errno in thread-local memory."""
    path = zoo.float_path(name) if name in zoo.NAMES else find_model(f"{name}.tflite")
    proof = api.verify(str(path), board=BOARD, quantize=False, samples=3)
    assert proof.exit_code == 0
    assert proof.cost.unit == "instructions"

"""Front ends compile for the cores, with warnings as errors, and take the memory that they say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.frontends import configurations
from tests.frontends.on_host import INCLUDES, WARNINGS, source

ARM, RISCV = "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"
CORES = {
    "cortex-m0": (ARM, "-mthumb", "-mcpu=cortex-m0"),
    "cortex-m4": (ARM, "-mthumb", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    "cortex-m55": (ARM, "-mthumb", "-mcpu=cortex-m55", "-mfloat-abi=hard"),
    "riscv": (RISCV, "-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"),
}
KINDS = ("micro", "motion", "table", "image", "log_mel", "log_mel_int16", "categories", "spectrogram")


@pytest.mark.parametrize("core", CORES)
def test_it_compiles_for_the_cores(core: str, tmp_path: Path) -> None:
    compiler, *flags = CORES[core]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    rng = np.random.default_rng(8)
    front_ends = [getattr(configurations, kind)(rng) for kind in KINDS for _ in range(4)]
    (tmp_path / "all.c").write_text(source(front_ends))
    command = [compiler, *flags, *WARNINGS, "-O2", *INCLUDES, "-c", str(tmp_path / "all.c"), "-o", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    sizes = subprocess.run(["readelf", "-SW", str(tmp_path / "o")], capture_output=True, text=True, check=True).stdout
    in_ram = sum(
        int(line.split("]")[1].split()[4], 16) for line in sizes.splitlines() if " .data " in line or " .bss " in line
    )
    planned = [front_end.emitted() for front_end in front_ends]
    told = sum(one.state_bytes + one.scratch_bytes for one in planned)
    assert told <= in_ram <= told + 64 * len(planned), "beyond the alignment of arrays, RAM is what is told"

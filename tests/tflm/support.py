"""What tests of the TFLM runtime share."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.runtimes.tflm.library import MAKEFILE, TFLM_DIR
from mcugen.runtimes.tflm.program import TflmOptions, TflmProgram, make_program
from tests import models, zoo
from tests.models import both

ZOO = (
    "autoencoder",
    "ds_cnn",
    "ds_cnn_16x8",
    "lstm",
    "mobilenet_v1",
    "resnet",
    "sine",
    "sine_float",
    "speech",
    "svdf",
    "transformer",
    "wake_word",
)
REAL = (
    "ad01_int8",
    "hello_world_float",
    "hello_world_int8",
    "keyword_scrambled_8bit",
    "kws_ref_model",
    "micro_speech_quantized",
    "okay_nabu",
    "pretrainedResnet_quant",
    "trained_lstm_int8",
    "vww_96_int8",
)
"""The real models that TFLM runs; it refuses kws_ref_model_float32 as hybrid."""

MODELS = both(ZOO, REAL)

HEADERS = "xmos-ai-tools==1.4.2"
"""A package with headers of TFLM's API (a fork's, in namespace tflite_micro)."""

GEMMLOWP = Path("/usr/include/gemmlowp")
CXX = "arm-none-eabi-g++"
CXX_FLAGS = (
    "-std=c++17",
    "-Os",
    "-mcpu=cortex-m4",
    "-mthumb",
    "-mfloat-abi=hard",
    "-mfpu=fpv4-sp-d16",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-Wall",
    "-Wextra",
    "-Werror",
)


def model_bytes(name: str) -> bytes:
    return zoo.float_model("sine") if name == "sine_float" else models.model_bytes(name)


@functools.cache
def program(name: str, board: str = "mps2-an386", **options: object) -> TflmProgram:
    """A model's program, without a TFLM on this computer."""
    chosen = TflmOptions(**{"tflm": "", **options})  # type: ignore[arg-type]
    return make_program(model_bytes(name), name, load_board(board), chosen)


def real_tflm() -> str:
    """The user's TFLM; skips the test where none is named."""
    named = os.environ.get(TFLM_DIR, "")
    if not named or not (Path(named) / MAKEFILE).is_file():
        pytest.skip(f"{TFLM_DIR} names no TensorFlow Lite Micro")
    return named


def api_headers() -> Path:
    """Folder of TFLM's headers, downloaded once for the tests only."""
    cache = Path(os.environ.get("MCUGEN_TEST_CACHE", Path(tempfile.gettempdir()) / f"mcugen-tests-{os.getuid()}"))
    folder = cache / HEADERS.replace("==", "-")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download_headers(cache, folder)
    return folder / "include"


def _download_headers(cache: Path, folder: Path) -> None:
    partial = cache / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", HEADERS]
    done = subprocess.run([*command, "--dest", str(partial)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{HEADERS} is not installed and cannot be downloaded: {done.stderr[-200:]}")
    wanted = "xmos_ai_tools/runtime/include/"
    with zipfile.ZipFile(next(partial.glob("*.whl"))) as wheel:
        names = [n for n in wheel.namelist() if n.startswith(wanted) and n.endswith((".h", ".hpp"))]
        wheel.extractall(partial, names)
    folder.mkdir()
    (partial / wanted).rename(folder / "include")
    shutil.rmtree(partial)


@contextlib.contextmanager
def running(elf: Path, *options: str) -> Iterator[str]:
    """The firmware in QEMU's mps2-an386, with its UART on a TCP port; gives the port's URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    emulator = load_board("mps2-an386").emulator
    assert emulator is not None
    icount = f"shift={emulator.icount_shift}"
    command = ["qemu-system-arm", "-M", emulator.machine, "-icount", icount, "-display", "none", *options]
    serial = f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"
    process = subprocess.Popen([*command, "-serial", serial, "-monitor", "none", "-kernel", str(elf)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"socket://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()

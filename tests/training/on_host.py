"""The emitted C of a network that learns, compiled for this computer and called as the firmware calls it."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcugen.runtimes.aot.emit.host import WARNINGS
from mcugen.training.emit import emit_training
from mcugen.training.types import Net

_BODY = """#include <stdint.h>
{ctype} *mcg_model_output0(void);
"""


class HostLearner:
    """Steps and predictions of the C. Features go in as the body would give them.

    Args:
        changes: text of emitted files to replace, as (old, new): mutants.
    """

    def __init__(self, net: Net, folder: Path, changes: tuple[tuple[str, str], ...] = ()) -> None:
        self.net = net
        self._dtype = np.dtype(np.int8 if net.scale else np.float32)
        files = emit_training(net, sha256="0" * 64, model="test")
        for old, new in changes:
            found = [path for path, text in files.items() if old in text]
            assert found, f"no file holds {old!r}"
            files[found[0]] = files[found[0]].replace(old, new, 1)
        ctype = "int8_t" if net.scale else "float"
        files["mcg_model.h"] = _BODY.format(ctype=ctype)
        body = f"{ctype} body[{net.inputs}];\n{ctype} *mcg_model_output0(void) {{ return body; }}\n"
        files["body.c"] = f'#include "mcg_model.h"\n{body}'
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        library = folder / "learner.so"
        sources = [str(folder / name) for name in ("mcg_model_train.c", "body.c")]
        # Kernels that a mutant no longer calls are not an error.
        flags = [*WARNINGS, "-Wno-unused-function", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, *sources, "-o", str(library)], check=True)
        self._c = ctypes.CDLL(str(library))
        self._c.mcg_model_train.restype = ctypes.c_float
        self._c.mcg_model_train_target.restype = ctypes.c_float
        self._c.mcg_model_predict.restype = ctypes.POINTER(ctypes.c_float)
        self._c.mcg_model_output0.restype = ctypes.c_void_p
        self._c.mcg_model_train_set_rate.argtypes = [ctypes.c_float]
        self.reset()

    def reset(self) -> None:
        self._c.mcg_model_train_reset()

    def step(self, features: NDArray[np.generic], target: int | NDArray[np.float32]) -> np.float32:
        self._write(features)
        if isinstance(target, int | np.integer):
            return np.float32(self._c.mcg_model_train(int(target)))
        return np.float32(
            self._c.mcg_model_train_target(np.ascontiguousarray(target, np.float32).ctypes.data_as(ctypes.c_void_p))
        )

    def predict(self, features: NDArray[np.generic]) -> NDArray[np.float32]:
        self._write(features)
        return np.ctypeslib.as_array(self._c.mcg_model_predict(), (self.net.outputs,)).copy()

    def set_rate(self, rate: float) -> None:
        self._c.mcg_model_train_set_rate(rate)

    @property
    def head(self) -> NDArray[np.float32]:
        found = np.empty(self.net.parameters, np.float32)
        self._c.mcg_model_head_read(found.ctypes.data_as(ctypes.c_void_p))
        return found

    def write_head(self, head: NDArray[np.float32]) -> None:
        self._c.mcg_model_head_write(np.ascontiguousarray(head).ctypes.data_as(ctypes.c_void_p))

    def _write(self, features: NDArray[np.generic]) -> None:
        data = np.ascontiguousarray(features, self._dtype)
        assert data.size == self.net.inputs
        ctypes.memmove(self._c.mcg_model_output0(), data.ctypes.data, data.nbytes)

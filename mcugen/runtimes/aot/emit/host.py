"""The emitted model compiled for the host and called from Python.

What runs here is the very C that the device runs, so a test can compare it with the oracle over many inputs in
milliseconds.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.environment import find_host_compiler
from mcugen.errors import DataError, ToolError
from mcugen.graph.types import Tensor
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.plan.types import Plan

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")

_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32)


def host_compiler() -> str:
    """Path of the host's C compiler.

    Raises:
        ToolError: none is installed.
    """
    found = find_host_compiler()
    if found is None:
        raise ToolError("no C compiler for this computer was found", hint="Install one: apt-get install gcc")
    return found


class HostModel:
    """A planned model as a shared library. Use as a context manager; the library lives in a temporary folder."""

    def __init__(self, plan: Plan, *, flags: Sequence[str] = ("-O1",)) -> None:
        self._plan = plan
        self._folder = tempfile.TemporaryDirectory(prefix="mcugen-host-")
        try:
            self._library = ctypes.CDLL(str(self._compile(Path(self._folder.name), flags)))
        except BaseException:
            self._folder.cleanup()
            raise
        if plan.pushed is not None:
            self._library.mcg_model_row_buffer.restype = ctypes.c_void_p
        for name in ("mcg_model_input", "mcg_model_output", "mcg_model_op_output"):
            getattr(self._library, name).restype = ctypes.c_void_p
        if self._library.mcg_model_init() != 0:
            raise AssertionError("mcg_model_init failed on the host")

    def _compile(self, folder: Path, flags: Sequence[str]) -> Path:
        for path, text in emit_model(self._plan).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        library = folder / "libmodel.so"
        command = [
            host_compiler(),
            *WARNINGS,
            *flags,
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            str(folder / "mcg_model.c"),
            "-lm",
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if result.returncode != 0:
            raise ToolError(
                f"the emitted model does not compile on the host:\n{result.stderr[:4000]}",
                hint="This is a bug in mcugen; please report it with the model",
            )
        return library

    def __enter__(self) -> HostModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the library's folder. (The loaded code stays mapped until the process ends.)"""
        self._folder.cleanup()

    def reset(self) -> None:
        """Forget what the model kept between inferences."""
        if (self._plan.stateful or self._plan.pushed is not None) and self._library.mcg_model_reset() != 0:
            raise AssertionError("mcg_model_reset failed on the host")

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference. `inputs` in the model's order, of its shapes and dtypes.

        Raises:
            DataError: an input of another number, shape or dtype.
        """
        self._invoke(inputs, None)
        return [
            _read(self._library.mcg_model_output(n), tensor) for n, tensor in enumerate(self._plan.output_tensors())
        ]

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, NDArray[Any]]]:
        """One inference, with the first output of every op, by op number."""
        shown: dict[int, bytearray] = {}

        def hook(_context: Any, op: int) -> None:
            size, offset, total = ctypes.c_uint32(), ctypes.c_uint32(), ctypes.c_uint32()
            address = self._library.mcg_model_op_output(op, ctypes.byref(size))
            if self._plan.pipelines:
                self._library.mcg_model_op_part(op, ctypes.byref(offset), ctypes.byref(total))
            else:
                total = size
            whole = shown.setdefault(op, bytearray(total.value))
            whole[offset.value : offset.value + size.value] = ctypes.string_at(address, size.value)

        self._invoke(inputs, hook)
        for op, raw in sorted(shown.items()):
            tensor = self._plan.graph.output_of(self._plan.steps[op].op)
            yield op, np.frombuffer(bytes(raw), dtype=tensor.dtype.numpy).reshape(tensor.shape)

    def _invoke(self, inputs: Sequence[NDArray[Any]], hook: Callable[[Any, int], None] | None) -> None:
        """One inference; `hook` is called with a context and the op's number after every op or stripe."""
        blocks = self._checked(inputs)
        arguments = [_HOOK(hook), None] if hook else []
        suffix = "_hooked" if hook else ""
        if self._plan.pushed is None:
            for n, raw in enumerate(blocks):
                ctypes.memmove(self._library.mcg_model_input(n), raw, len(raw))
            if getattr(self._library, f"mcg_model_invoke{suffix}")(*arguments) != 0:
                raise AssertionError("mcg_model_invoke failed on the host")
            return
        [raw] = blocks
        rows = self._plan.graph.tensor(self._plan.pushed).shape[1]
        size = len(raw) // rows
        for row in range(rows):
            ctypes.memmove(self._library.mcg_model_row_buffer(), raw[row * size : (row + 1) * size], size)
            if getattr(self._library, f"mcg_model_push_row{suffix}")(*arguments) != (row == rows - 1):
                raise AssertionError("mcg_model_push_row failed on the host")

    def _checked(self, inputs: Sequence[NDArray[Any]]) -> list[bytes]:
        """The inputs' bytes."""
        tensors = self._plan.input_tensors()
        if len(inputs) != len(tensors):
            raise DataError(f"the model has {len(tensors)} inputs, but {len(inputs)} were given")
        for n, (tensor, values) in enumerate(zip(tensors, inputs, strict=True)):
            if values.dtype != tensor.dtype.numpy or values.size != tensor.elements:
                raise DataError(
                    f"is {values.dtype}{list(values.shape)}, the model takes {tensor.dtype.value}{list(tensor.shape)}",
                    where=f"input {n}",
                )
        return [np.ascontiguousarray(values).tobytes() for values in inputs]


def _read(address: int, tensor: Tensor) -> NDArray[Any]:
    raw = ctypes.string_at(address, tensor.nbytes)
    return np.frombuffer(raw, dtype=tensor.dtype.numpy).reshape(tensor.shape)

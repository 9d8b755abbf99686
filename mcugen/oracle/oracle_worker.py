"""The oracle's process: holds TFLM's interpreter and answers over stdin and stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.oracle.messages import read_message, write_message


class _Interpreters:
    """TFLM's interpreter for outputs and, made when first needed, the one that keeps every tensor."""

    def __init__(self, model: bytes) -> None:
        from tflite_micro import runtime

        self._runtime = runtime
        self._model = model
        subgraphs = runtime.convert_bytearray_to_object(model).subgraphs
        self._output_count = len(subgraphs[0].outputs)
        self._arena_bytes = _generous_arena(subgraphs)
        self._plain: Any = None
        self._preserving: Any = None
        self.forget()

    def forget(self) -> None:
        """Start afresh: models may keep something from one inference to the next."""
        self._plain = self._make(self._runtime.InterpreterConfig.kAllocationRecording)
        self._preserving = None

    def _make(self, config: Any) -> Any:
        return self._runtime.Interpreter.from_bytes(
            self._model, arena_size=self._arena_bytes, intrepreter_config=config
        )

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        self._invoke(self._plain, inputs)
        return [np.array(self._plain.get_output(n)) for n in range(self._output_count)]

    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        if self._preserving is None:
            self._preserving = self._make(self._runtime.InterpreterConfig.kPreserveAllTensors)
        self._invoke(self._preserving, inputs)
        return [np.array(self._preserving.GetTensor(i, 0)["tensor_data"]) for i in ids]

    def _invoke(self, interpreter: Any, inputs: Sequence[NDArray[Any]]) -> None:
        for n, values in enumerate(inputs):
            interpreter.set_input(values, n)
        interpreter.invoke()


def _generous_arena(subgraphs: Sequence[Any]) -> int:
    """Bytes that hold every tensor at once, and as much again for TFLM's own structures."""
    total = 1 << 20
    for subgraph in subgraphs:
        for tensor in subgraph.tensors or []:
            shape = [int(d) for d in (tensor.shape if tensor.shape is not None else [])]
            total += 8 * int(np.prod(shape, dtype=np.int64)) + 1024
    return total


def main() -> None:
    """Serve until stdin ends."""
    requests = sys.stdin.buffer
    # TFLM prints to stdout as well: keep the answers' channel for ourselves.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    interpreters: _Interpreters | None = None
    while True:
        try:
            header, arrays = read_message(requests)
        except EOFError:
            return
        results: list[NDArray[Any]] = []
        try:
            if header["do"] == "load":
                interpreters = _Interpreters(arrays[0].tobytes())
            elif interpreters is not None and header["do"] == "run":
                results = interpreters.run(arrays)
            elif interpreters is not None and header["do"] == "forget":
                interpreters.forget()
            elif interpreters is not None:
                results = interpreters.tensors(arrays, header["ids"])
        except Exception as error:  # whatever the bindings raise is the answer
            write_message(answers, {"error": " ".join(str(error).split()) or type(error).__name__}, [])
            continue
        write_message(answers, {"ok": True}, results)


if __name__ == "__main__":
    main()

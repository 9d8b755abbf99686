"""The oracle's process: holds TFLM's interpreter, and answers over pipes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.oracle.serving import serve


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


def main(channel: socket.socket) -> None:
    """Make copies of this process until the channel ends; with "end", kill one that was made.

    Their numbers stay theirs: nobody else waits for them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: whoever started us decides
    with contextlib.suppress(ImportError):  # the copy says it
        import tflite_micro.runtime  # noqa: F401
    libc, original = ctypes.CDLL(None), os.getpid()
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, 100, 3)
        if not request:
            return
        word, *number = request.split()
        if word == b"end":
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(int(number[0]), signal.SIGKILL)
                os.waitpid(int(number[0]), 0)
            channel.send(b"ended")
            continue
        copy = os.fork()
        if copy == 0:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != original:
                os._exit(1)
            channel.close()
            _become_a_worker(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(b"%d" % copy)


_PR_SET_PDEATHSIG = 1


def _become_a_worker(requests: int, answers: int, prints: int) -> None:
    """Serve one oracle, and end this process. TFLM prints to stdout as well: that is no channel for answers."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(prints, 1)
    os.dup2(prints, 2)
    try:
        serve(_Interpreters, os.fdopen(requests, "rb"), os.fdopen(answers, "wb"))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _serve_alone() -> None:
    """Serve one oracle over stdin and what stdout was. TFLM prints there: that goes where errors go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    serve(_Interpreters, os.fdopen(os.dup(0), "rb"), os.fdopen(answers, "wb"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(socket.socket(fileno=int(sys.argv[1])))
    else:
        _serve_alone()

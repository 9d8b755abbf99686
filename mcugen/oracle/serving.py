"""How a reference's process answers: one model, and inferences with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol

from numpy.typing import NDArray

from mcugen.oracle.messages import read_message, write_message


class Served(Protocol):
    """A model that can be run."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]: ...
    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]: ...
    def forget(self) -> None: ...


def serve(load: Callable[[bytes], Served], requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the requests end. `load` makes a model of a `.tflite` file's content."""
    model: Served | None = None
    while True:
        try:
            header, arrays = read_message(requests)
        except EOFError:
            return
        results: list[NDArray[Any]] = []
        try:
            if header["do"] == "load":
                model = load(arrays[0].tobytes())
            elif model is not None and header["do"] == "run":
                results = model.run(arrays)
            elif model is not None and header["do"] == "forget":
                model.forget()
            elif model is not None:
                results = model.tensors(arrays, header["ids"])
        except Exception as error:  # whatever the bindings raise is the answer
            write_message(answers, {"error": " ".join(str(error).split()) or type(error).__name__}, [])
            continue
        write_message(answers, {"ok": True}, results)

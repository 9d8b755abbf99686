"""The oracle: TensorFlow Lite Micro's own interpreter on the host (PyPI package `tflite-micro`), or mcugen's reference.

It runs in a process of its own, because TFLM aborts the process on models that it does not like, a loop may never end,
and what it prints is not for the user's terminal.
"""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.environment import seconds_from
from mcugen.errors import ModelError, ToolError
from mcugen.oracle.copies import Copy, Fresh, can_copy
from mcugen.oracle.engines import Engine, chosen
from mcugen.oracle.messages import read_message, write_message
from mcugen.oracle.overdue import Deadline
from mcugen.oracle.processes import NumpyProcess, Process
from mcugen.tflite import detections
from mcugen.tflite.fields import ints
from mcugen.tflite.opened import open_model

TIMEOUT_VARIABLE = "MCUGEN_ORACLE_TIMEOUT"
DEFAULT_TIMEOUT_S = 180.0
"""For loading a model, and for one inference: the largest models of microcontrollers take seconds."""


def oracle_timeout() -> float:
    """Seconds that the oracle may take for one answer.

    Raises:
        ToolError: MCUGEN_ORACLE_TIMEOUT is no such number.
    """
    return seconds_from(TIMEOUT_VARIABLE, DEFAULT_TIMEOUT_S)


def oracle_name(engine: Engine | None = None) -> str:
    """The oracle and its version, as reports show it; of the chosen one.

    Raises:
        ToolError: `tflite-micro` is not installed.
    """
    if (engine or chosen()[0]) == "mcugen":
        from mcugen.reference.names import described  # of no use to the process of TFLM's interpreter

        return described()
    try:
        return f"tflite-micro {importlib.metadata.version('tflite-micro')}"
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(
            "the oracle, the Python package tflite-micro, is not installed",
            hint='Install it: pip install tflite-micro (it has wheels for Linux x86-64), or pass `reference="mcugen"`',
        ) from None


class Reference(Protocol):
    """What a device is compared with."""

    @property
    def name(self) -> str: ...
    @property
    def unverified(self) -> tuple[str, ...]:
        """Ops whose results nothing but their own kernel knows, as messages name them."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]: ...
    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]: ...
    def forget(self) -> None: ...


_WORDS: dict[Engine, str] = {"tflite-micro": "TensorFlow Lite Micro", "mcugen": "mcugen's own reference"}


def _unset_rows(model: bytes) -> tuple[tuple[detections.Unset, ...], tuple[int, ...]]:
    """Where the interpreter leaves rows of detections as the memory was, which become zeros; the model's outputs."""
    if detections.KIND.removeprefix("CUSTOM:").encode() not in model:
        return (), ()
    schema = open_model(model).schema
    return detections.unset_of_model(schema), ints(schema.subgraphs[0].outputs)


class Oracle:
    """A model in TFLM's interpreter, or in mcugen's reference. Use as a context manager.

    Args:
        model: content of a `.tflite` file.
        afresh: begin every inference afresh, without what those before it left.
        engine: which of them; the chosen one by default.

    Raises:
        ToolError: `tflite-micro` is not installed.
        ModelError: TFLM refuses the model, crashes on it, or does not come to an end; its own words are in the message.
    """

    def __init__(self, model: bytes, *, afresh: bool = False, engine: Engine | None = None) -> None:
        self.engine = engine or chosen()[0]
        self.name = oracle_name(self.engine)
        self._afresh, self._used = afresh, False
        self.unverified: tuple[str, ...] = ()
        self._unset, self._outputs = _unset_rows(model)
        self._timeout, self._is_overdue = oracle_timeout(), False
        self._deadline = Deadline(self._end_overdue)
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        tflm = Copy if can_copy() else Fresh
        start = tflm if self.engine == "tflite-micro" else NumpyProcess
        self._process: Process = start(self._stderr)
        try:
            self._ask({"do": "load"}, [np.frombuffer(model, np.uint8)])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._deadline.close()
        self._process.close()
        self._stderr.close()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference: outputs in the model's order, shapes and dtypes."""
        self._begin()
        return detections.settled(self._unset, self._outputs, self._ask({"do": "run"}, inputs))

    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        """One inference: the values of intermediate tensors, by tensor id of the model file."""
        self._begin()
        counts = [use.count for use in self._unset if use.count not in ids]
        asked = [*ids, *counts]
        values = self._ask({"do": "tensors", "ids": asked}, inputs)
        return detections.settled(self._unset, asked, values)[: len(ids)]

    def _begin(self) -> None:
        if self._afresh and self._used:
            self.forget()
        self._used = True

    def forget(self) -> None:
        """Start the model afresh, without what it kept between inferences."""
        self._ask({"do": "forget"}, [])
        self._used = False

    def _ask(self, header: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        # The process is killed where it takes too long; what waits for its answer then comes to an end.
        try:
            with self._deadline.watching(self._timeout):
                write_message(self._process.requests, header, arrays)
                answer, results = read_message(self._process.answers)
        except (EOFError, BrokenPipeError, json.JSONDecodeError):
            self._process.kill()
            if self._is_overdue:
                raise self._too_slow() from None
            raise ModelError(
                f"{_WORDS[self.engine]} crashed on this model{self._last_words()}",
                hint="The model uses an op in a way that it cannot run"
                + ('; `reference="mcugen"` may' if self.engine == "tflite-micro" else ""),
            ) from None
        if "error" in answer:
            raise ModelError(
                f"{_WORDS[self.engine]} refuses this model: {answer['error']}{self._last_words()}",
                hint="Nothing can be verified without the oracle",
            )
        return results

    def _end_overdue(self) -> None:
        self._is_overdue = True
        self._process.kill()

    def _too_slow(self) -> ModelError:
        return ModelError(
            f"{_WORDS[self.engine]} gave no answer within {self._timeout:g} s{self._last_words()}",
            hint="Does a WHILE loop of the model never end? If it is only slow, or this machine is busy, allow more "
            f"time: {TIMEOUT_VARIABLE}=3600",
        )

    def _last_words(self) -> str:
        """What TFLM printed last, as part of a sentence."""
        self._stderr.seek(0)
        lines = [line.strip() for line in self._stderr.read()[-4000:].decode("utf-8", "replace").splitlines()]
        lines = [line for line in lines if line and not line.startswith(("Traceback", "File ", "raise "))]
        return f" ({' | '.join(lines[-3:])})" if lines else ""

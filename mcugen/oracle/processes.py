"""What a reference runs in; and the process of mcugen's own, started afresh for every model, on every system alike."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import IO


class Process(ABC):
    """A process that answers for one model.

    Attributes:
        requests, answers: its streams.
    """

    requests: IO[bytes]
    answers: IO[bytes]

    @abstractmethod
    def kill(self) -> None:
        """End it. Does nothing if it has ended."""

    def close(self) -> None:
        """End it, and let go of its streams."""
        self.kill()
        with suppress(BrokenPipeError):  # bytes for a process that has ended: nobody misses them
            self.requests.close()
        self.answers.close()


class StartedProcess(Process):
    """A worker that is started for one model. It ends with its input, and so with the process that asked for it.

    Args:
        worker: its module.
        stderr: a file, for what it prints.
    """

    def __init__(self, worker: str, stderr: IO[bytes]) -> None:
        command = [sys.executable, "-m", worker]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.requests, self.answers = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class NumpyProcess(StartedProcess):
    """mcugen's own reference.

    Args:
        stderr: a file, for what it prints.
    """

    def __init__(self, stderr: IO[bytes]) -> None:
        super().__init__("mcugen.oracle.numpy_worker", stderr)

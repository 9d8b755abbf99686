"""Most tests do not start PlatformIO, SCons and TensorFlow from nothing: that would be a third of all their time.

The same programs run, with the same arguments, in copies of a process that has imported them. Tests of the builder and
of the guard, and all that start mcugen as a program, do without.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from mcugen.convert.worker_client import start_worker
from tests.warm.copies import Copy, serving


class WarmPlatformIO:
    """Stands in for `running_tree` in the builder, in any process of this computer."""

    def __init__(self, address: str) -> None:
        self.address = address

    @contextmanager
    def running_tree(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: BinaryIO, **_: Any
    ) -> Iterator[Copy]:
        """A PlatformIO, within."""
        assert list(command[1:3]) == ["-m", "platformio"]
        request = {"arguments": command[3:], "cwd": str(cwd), "environment": dict(env)}
        build = Copy(self.address, request, [stdout.fileno()])
        try:
            yield build
        finally:
            build.kill()


class WarmTensorFlow:
    """Stands in for `start_worker`. Its server starts with the first model."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack, self._address = folder, stack, ""

    def start_worker(
        self, arguments: Sequence[str], folder: Path, log: BinaryIO, environment: Mapping[str, str]
    ) -> Any:
        """A worker, its output to be read as text. Other frameworks have a process to themselves."""
        job = json.loads((folder / "request.json").read_text())["job"]
        if job in ("convert torch", "convert onnx"):
            return start_worker(arguments, folder, log, environment)
        if not self._address:
            quiet = {**os.environ, **environment}
            self._address = self._stack.enter_context(
                serving("tests.warm.tensorflow_server", self._folder / "tensorflow", quiet)
            )
        theirs, ours = _pipe()
        request = {"arguments": list(arguments), "cwd": str(folder), "environment": dict(environment)}
        worker: Any = Copy(self._address, request, [theirs, log.fileno()])
        os.close(theirs)
        worker.stdout = ours
        return worker


def _pipe() -> tuple[int, TextIO]:
    ours, theirs = os.pipe()
    return theirs, os.fdopen(ours, encoding="utf-8")


@contextmanager
def warm(folder: Path) -> Iterator[tuple[WarmPlatformIO, WarmTensorFlow]]:
    """Both, within. Their sockets lie in `folder`."""
    with ExitStack() as stack:
        address = stack.enter_context(serving("tests.warm.platformio_server", folder / "platformio"))
        yield WarmPlatformIO(address), WarmTensorFlow(folder, stack)

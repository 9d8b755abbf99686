"""Starts :mod:`mcugen.convert.worker`: TensorFlow, PyTorch and ONNX run in a process of their own.

Their noise, their crashes and the settings they read from the environment stay out of the user's process.
A request is a JSON object; files go through the job's folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mcugen.children import dying_with_us
from mcugen.errors import ConversionError, ToolError
from mcugen.progress import Share

EXTRAS = {
    "tensorflow": "tf",
    "tf_keras": "tf",
    "keras": "tf",
    "h5py": "tf",
    "torch": "torch",
    "litert_torch": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnx2tf": "onnx",
}
"""Packages that jobs import, and the extra of mcugen that installs each."""

_WORKER = "mcugen.convert.worker"
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "AUTOGRAPH_VERBOSITY": "0",
    "PYTHONWARNINGS": "ignore",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class WorkerAnswer:
    """`error` is empty when the job was done; `result` is the job's own object."""

    result: dict[str, Any]
    error: str = ""


def run_worker(
    folder: Path,
    request: dict[str, Any],
    *,
    legacy_keras: bool = False,
    progress: Share | None = None,
    model: Path | None = None,
) -> WorkerAnswer:
    """Run one job in a fresh process, which is confined to `folder` as far as the system can.

    Args:
        model: the file or folder that is loaded, where that lies outside of `folder`: memory is allowed by its size.

    Raises:
        ToolError: a package that the job needs is not installed.
        ConversionError: the job refused the model for a reason that no other attempt would change.
    """
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    answer_file = folder / "answer.json"
    answer_file.unlink(missing_ok=True)
    package_root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, **_QUIET, "TF_USE_LEGACY_KERAS": "1" if legacy_keras else "0"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    log = folder / "log.txt"
    read = folder if model is None else model
    size = sum(path.stat().st_size for path in (read, *read.rglob("*")) if path.is_file())
    with log.open("wb") as noise:
        process = start_worker([str(folder), str(size), _WORKER, str(folder)], folder, noise, environment)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if progress is not None and line.startswith("progress "):
                    progress(float(line.split()[1]))
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()
    if not answer_file.exists():
        return WorkerAnswer({}, f"the process ended with code {process.returncode}{_last_line(log)}")
    answer = json.loads(answer_file.read_text(encoding="utf-8"))
    if "missing" in answer:
        raise ToolError(
            f"the Python package {answer['missing']} is needed for this model and is not installed",
            hint=f"Install it: pip install 'mcugen[{EXTRAS[answer['missing']]}]'",
        )
    if "refused" in answer:
        refused = answer["refused"]
        raise ConversionError(refused["what"], where=refused["where"], hint=refused["hint"])
    return WorkerAnswer(answer.get("result", {}), answer.get("error", ""))


def start_worker(
    arguments: Sequence[str], folder: Path, log: BinaryIO, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """The confined process, whose stdout is to be read; `arguments` are those of mcugen.guard.enter."""
    return subprocess.Popen(
        dying_with_us([sys.executable, "-m", "mcugen.guard.enter", *arguments]),
        cwd=folder,  # not the user's, whose files Python would take for modules
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        text=True,
    )


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f" ({lines[-1][:300]})" if lines else ""

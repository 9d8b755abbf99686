"""What runs in the confined process, where TensorFlow, PyTorch and ONNX are: see :mod:`mcugen.guard.enter`.

Reads `request.json` in the folder, does the job, writes `answer.json`. Lines "progress <0…1>" on stdout
tell how far it is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from mcugen.convert.worker_client import EXTRAS
from mcugen.errors import McugenError
from mcugen.progress import Share


def _do(folder: Path, request: dict[str, Any], progress: Share) -> dict[str, Any]:
    if request["job"] == "convert torch":
        from mcugen.convert.torch_jobs import convert_program

        return convert_program(Path(request["path"]), folder)
    if request["job"] == "convert onnx":
        from mcugen.convert.onnx_jobs import convert_onnx

        return convert_onnx(Path(request["path"]), folder, request.get("shapes", {}))
    if request["job"] == "transfer":
        from mcugen.convert.transfer_job import teach_head

        return teach_head(folder, request, progress)
    from mcugen.convert import tensorflow_jobs as jobs

    if request["job"] == "convert":
        tflite, scaling, difference = jobs.load_and_convert(
            request["kind"],
            request["path"],
            folder,
            legacy=request["legacy"],
            trusted=request["trusted"],
            scale=request.get("scale"),
            own=Path(request["own"]) if request.get("own") else None,
            shapes=request.get("shapes", {}),
            signature=request.get("signature", ""),
            cut=request.get("cut"),
        )
        (folder / "float.tflite").write_bytes(tflite)
        scaled = None if scaling is None else dataclasses.asdict(scaling)
        return {"scaling": scaled, "difference": difference}
    if request["job"] == "observe":
        return jobs.observe(
            folder, request["tensors"], request["keep"], request["statistics"], progress, afresh=request["afresh"]
        )
    if request["job"] == "shapes":
        return jobs.shapes_of(folder, request["inputs"])
    if request["job"] == "quantize_16x8":
        jobs.quantize_16x8(folder, request["per_tensor_dense"], progress)
        return {}
    raise ValueError(request["job"])


def main(folder: Path) -> None:
    """Do the job described in `folder`."""
    # Frameworks print to stdout as well: keep the channel for progress.
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def progress(fraction: float) -> None:
        channel.write(f"progress {fraction:.4f}\n")

    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    answer: dict[str, Any]
    try:
        answer = {"result": _do(folder, request, progress)}
    except McugenError as error:
        answer = {"refused": {"what": error.what, "where": error.where, "hint": error.hint}}
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        missing = package in EXTRAS
        answer = {"missing": package} if missing else {"error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # whatever a framework raises is the answer
        from mcugen.convert.tensorflow_jobs import explain

        answer = {"error": explain(error)}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Take every case of the frameworks that are installed through all forms, and write what came of it:

python -m tests.forms.run [keras] [pytorch] [onnx] [--only NAME]

What is known of other frameworks stays.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcugen import api
from mcugen.errors import McugenError
from tests.forms import keras_cases, onnx_cases, torch_cases

RESULTS = Path(__file__).parent / "results.json"
BOARD = "mps2-an386"
SAMPLES = 4
FORMS: Mapping[str, Mapping[str, Any]] = {
    "int8": {"data": "random"},
    "int16": {"data": "random", "activations": "int16"},
    "float32": {"quantize": False},
}
Write = Callable[[str, Path], Path]
FRAMEWORKS: Mapping[str, tuple[Mapping[str, Any], Write]] = {
    "keras": (keras_cases.CASES, keras_cases.write),
    "pytorch": (torch_cases.CASES, torch_cases.write),
    "onnx": (onnx_cases.CASES, onnx_cases.write),
}
EXACT = "exact"


def outcome(model: Path, form: str, folder: Path) -> str:
    """ "exact" if the emulated board gives the reference's results, else the sentence of the refusal."""
    try:
        proof = api.deploy(model, board=BOARD, samples=SAMPLES, out=folder / form, force=True, **FORMS[form])
    except McugenError as error:
        return error.what.replace(str(folder), "…")
    return EXACT if proof.exit_code == 0 else "differs"


def run_case(framework: str, name: str) -> dict[str, str]:
    """What comes of a case, by form."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = FRAMEWORKS[framework][1](name, folder)
        return {form: outcome(model, form, folder) for form in FORMS}


def main(arguments: list[str]) -> int:
    os.environ.setdefault("MCUGEN_CYCLES", "no")
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    found: dict[str, dict[str, dict[str, str]]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for framework in [f for f in FRAMEWORKS if f in arguments] or list(FRAMEWORKS):
        known = found.get(framework, {})
        results = {}
        for name in FRAMEWORKS[framework][0]:
            results[name] = run_case(framework, name) if only in ("", name) else known.get(name, {})
            print(framework, name, results[name], flush=True)
            found[framework] = {**known, **results}
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        found[framework] = results
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

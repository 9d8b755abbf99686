"""docs/LAYERS.md, from tests/forms/results.json: which layers run in which form. tools/docs.py writes it."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "tests" / "forms" / "results.json"

TITLES = {"keras": "Keras", "pytorch": "PyTorch", "onnx": "ONNX"}
FORMS = ("int8", "int16", "float32")

HEAD = """# Layers by form

Generated from `tests/forms/results.json` by `make docs`. `python -m tests.forms.run` makes the results: each layer
stands in a small model with seeded weights, which is quantized to int8, to int16 activations ("16x8"), or left in
float32, built for `mps2-an386` and run in its emulator.

✔: the emulated board gave the results of TensorFlow Lite Micro, bit for bit (float32: within the stated tolerance).
A number: refused, with the sentence below; nothing was built. How much accuracy a form costs is not said here:
`mcugen deploy MODEL --data DATA` tells it ([ACCURACY.md](ACCURACY.md)).
"""


def document() -> str:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [HEAD]
    for framework, title in TITLES.items():
        sentences: dict[str, int] = {}
        rows = []
        for name, forms in results.get(framework, {}).items():
            cells = [_cell(forms[form], sentences) for form in FORMS]
            rows.append(f"| {name} | {' | '.join(cells)} |")
        if rows:
            table = "\n".join((f"| {title} | {' | '.join(FORMS)} |", "|---|---|---|---|", *rows))
            notes = "\n".join(f"{number}. {sentence}" for sentence, number in sentences.items())
            parts.append(f"## {title}\n\n{table}\n\n{notes}".rstrip() + "\n")
    return "\n".join(parts)


def _cell(outcome: str, sentences: dict[str, int]) -> str:
    if outcome == "exact":
        return "✔"
    return str(sentences.setdefault(outcome, len(sentences) + 1))

"""docs/SUPPORTED_OPS.md is what the code says, and what it says is enough to know an op's limits."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from mcugen import ops

ROOT = Path(__file__).resolve().parents[2]


def test_document_is_up_to_date() -> None:
    generator = ROOT / "tools" / "supported_ops.py"
    if not generator.exists():
        pytest.skip("tools/ is not part of this distribution")
    written = (ROOT / "docs" / "SUPPORTED_OPS.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(generator))["document"](), "run tools/supported_ops.py"


@pytest.mark.parametrize("kind", list(ops.registry()))
def test_every_constraint_has_a_rule(kind: str) -> None:
    for constraint in (constraint for spec in ops.registry()[kind] for constraint in spec.constraints):
        rule = (constraint.__doc__ or "").strip()
        assert rule.endswith("."), f"{constraint.__name__} of {kind} does not say its rule in a sentence"

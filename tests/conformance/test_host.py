"""Every op and type of the registry in generated C on this computer against the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.suite import CASES, batches, claimed, missing, prove, report


def test_every_op_has_a_generator() -> None:
    assert missing() == []


@pytest.mark.parametrize("kind", [kind for kind in claimed() if kind not in missing()])
def test_op(kind: str, record_property: Callable[[str, object], None]) -> None:
    types = claimed()[kind]
    for batch in batches([(kind, dtype) for dtype in types], CASES):
        prove(batch)
    record_property("conformance", report("this computer", [(kind, dtype) for dtype in types], CASES))

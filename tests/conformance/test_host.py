"""Every op and type of the registry in generated C on this computer against the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance import stateful
from tests.conformance.suite import CASES, GENERATORS, batches, claimed, draw_sequences, missing, prove, report
from tests.state.models import assert_sequence_bit_exact


def test_every_op_has_a_generator() -> None:
    assert missing() == []


@pytest.mark.parametrize("kind", [kind for kind in claimed() if kind in GENERATORS])
def test_op(kind: str, record_property: Callable[[str, object], None]) -> None:
    pairs = [(kind, dtype) for dtype in claimed()[kind]]
    for batch in batches(pairs, CASES):
        prove(batch)
    record_property("conformance", report("this computer", pairs, CASES))


@pytest.mark.parametrize("kind", [kind for kind in claimed() if kind in stateful.GENERATORS])
def test_sequence(kind: str, record_property: Callable[[str, object], None]) -> None:
    """Several inferences in turn, twice, with a reset between."""
    pairs = [(kind, dtype) for dtype in claimed()[kind]]
    for pair in pairs:
        for sequence in draw_sequences(*pair, CASES):
            assert_sequence_bit_exact(sequence.model, sequence.samples)
    record_property("conformance", report("this computer", pairs, CASES))

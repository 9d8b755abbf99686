"""Every op and type of the registry in generated C on this computer, and in numpy, against the oracle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcugen.oracle.oracle import oracle_name
from mcugen.reference import NumpyReference, names, supported
from tests.conformance import stateful, variants
from tests.conformance.suite import CASES, GENERATORS, batches, claimed, draw_sequences, equal, missing, prove, report
from tests.kernels.single_op import oracle
from tests.state.models import assert_sequence_bit_exact


def assert_witness_agrees(sequence: stateful.Sequence) -> None:
    """The reference in numpy over the sequence, twice, with a new start between."""
    wanted = oracle(sequence.model, sequence.samples)
    second = NumpyReference(sequence.model)
    for attempt in range(2):
        for step, (sample, expected) in enumerate(zip(sequence.samples, wanted, strict=True)):
            for got, want in zip(second.run(sample), expected, strict=True):
                assert equal(got.reshape(want.shape), want), f"attempt {attempt}, step {step}"
        second.forget()


def test_the_witness_knows_every_op() -> None:
    assert set(claimed()) <= set(supported())


def test_what_speaks_for_the_witness_is_true() -> None:
    """Those are the cases that the tests below run, and the interpreter that they are compared with."""
    assert oracle_name("tflite-micro") == names.PROVED_BY
    assert len(claimed()) == names.PROVED_OPS
    assert sum(len(types) for types in claimed().values()) * variants.CASES == names.PROVED_CASES


def test_every_op_has_a_generator() -> None:
    assert missing() == []


@pytest.mark.parametrize("kind", [kind for kind in claimed() if kind in GENERATORS])
def test_op(kind: str, record_property: Callable[[str, object], None]) -> None:
    pairs = [(kind, dtype) for dtype in claimed()[kind]]
    for batch in batches(pairs, CASES):
        prove(batch, witness=True)
    record_property("conformance", report("this computer", pairs, CASES))


@pytest.mark.parametrize("kind", [kind for kind in claimed() if kind in stateful.GENERATORS])
def test_sequence(kind: str, record_property: Callable[[str, object], None]) -> None:
    """Several inferences in turn, twice, with a reset between."""
    pairs = [(kind, dtype) for dtype in claimed()[kind]]
    for pair in pairs:
        for sequence in draw_sequences(*pair, CASES):
            assert_sequence_bit_exact(sequence.model, sequence.samples)
            assert_witness_agrees(sequence)
    record_property("conformance", report("this computer", pairs, CASES))

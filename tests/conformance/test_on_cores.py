"""One use of every op and type on emulated cores: all of them in one firmware per core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import stateful
from tests.conformance.suite import GENERATORS, claimed, draw_sequences, report, sample
from tests.kernels.cores import M4, M55, Core, prove_samples
from tests.kernels.single_op import oracle


@pytest.mark.emulator
@pytest.mark.parametrize("core", [M4, M55], ids=lambda core: core.target.cpu)
def test_sample(core: Core, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    pairs = [(kind, dtype) for kind, types in claimed().items() if kind in GENERATORS for dtype in types]
    batch = sample(pairs)
    data = batch.samples(1)
    prove_samples(batch.model, data, oracle(batch.reference, data), core, tmp_path)
    record_property("conformance", report(core.machine, pairs, 1))


@pytest.mark.emulator
@pytest.mark.parametrize("core", [M4, M55], ids=lambda core: core.target.cpu)
def test_sequences(core: Core, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Ops with state and control flow need firmware of their own each; variables are alike in all types."""
    stated = {kind: types for kind, types in claimed().items() if kind in stateful.GENERATORS}
    pairs = [(kind, t) for kind, types in stated.items() for t in types[: None if kind in stateful.COMPUTING else 1]]
    for kind, dtype in pairs:
        (sequence,) = draw_sequences(kind, dtype, 1)
        prove_samples(sequence.model, sequence.samples, oracle(sequence.model, sequence.samples), core, tmp_path)
    record_property("conformance", report(core.machine, pairs, 1))

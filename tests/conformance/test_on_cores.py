"""One use of every op and type on emulated cores: all of them in one firmware per core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.suite import claimed, missing, report, sample
from tests.kernels.cores import M4, M55, Core, prove_samples
from tests.kernels.single_op import oracle


@pytest.mark.emulator
@pytest.mark.parametrize("core", [M4, M55], ids=lambda core: core.target.cpu)
def test_sample(core: Core, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    pairs = [(kind, dtype) for kind, types in claimed().items() if kind not in missing() for dtype in types]
    batch = sample(pairs)
    data = batch.samples(1)
    prove_samples(batch.model, data, oracle(batch.reference, data), core, tmp_path)
    record_property("conformance", report(core.machine, pairs, 1))

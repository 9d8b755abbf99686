"""What a loop's ops could be faster in is said of those that its time goes to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mcugen.runtimes.aot.plan.types import Step


@pytest.mark.parametrize(("macs", "said"), [(0, ""), (64, "an operand is broadcast")])
def test_of_a_loop_only_ops_that_multiply_count(macs: int, said: str) -> None:
    call: Any = SimpleNamespace(why_not_faster="an operand is broadcast")
    op: Any = SimpleNamespace(kind="WHILE")
    body: Any = SimpleNamespace(steps=(Step(op, (call, call), macs),))
    assert Step(op, (), 640, (body,)).why_not_faster == said
    assert Step(op, (call, call), 0).why_not_faster == "an operand is broadcast"

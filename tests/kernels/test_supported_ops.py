"""What docs/SUPPORTED_OPS.md says of kernels is what is planned, and what it says of limits is a sentence each.

tests/docs/ checks that the page is current.
"""

from __future__ import annotations

import re

import pytest

from mcugen import ops
from mcugen.resources import resource_dir
from tests.conformance.variants import planned, targets


def variants(kind: str, dtype: str) -> set[str]:
    return {each.variant for each in planned() if each.spec.kind == kind and dtype in each.spec.types}


def test_every_kind_of_core_is_planned_for() -> None:
    assert {target.kernels for target in targets()} == {(), ("mla",), ("dsp",), ("mve", "dsp")}


def test_planning_shows_the_variants() -> None:
    assert variants("CONV_2D", "int8") == {"portable", "mla", "dsp", "mve"}
    assert variants("ADD", "int8") == {"portable", "mla", "dsp", "mve"}
    assert variants("MEAN", "int8") == {"portable", "dsp", "mve"}
    assert variants("DEPTHWISE_CONV_2D", "int16") == {"portable"}
    assert variants("CONV_2D", "float32") == {"portable"}


IN_STREAMS = {"mcg_depthwise_single_s8_dsp", "mcg_depthwise_single_s8_mve"}
"""Kernels of streams, whose shapes chance does not draw: tests/state/test_streams.py has them on their cores."""


def test_the_suite_reaches_every_kernel_of_a_variant() -> None:
    """A kernel that no case leads to would be missing in the table."""
    headers = [path for path in resource_dir("firmware").rglob("*.h") if re.search(r"_(mla|dsp|mve)$", path.stem)]
    texts = {path.stem: path.read_text(encoding="utf-8") for path in headers}
    kernels = {name for name, text in texts.items() if f"}} {name}_params;" in text and f"void {name}(" in text}
    assert {"mcg_conv_2d_s8_mla", "mcg_conv_2d_s8_dsp", "mcg_conv_2d_s8_mve"} <= kernels
    assert kernels - {each.kernel for each in planned()} == IN_STREAMS


@pytest.mark.parametrize("kind", list(ops.registry()))
def test_every_constraint_has_a_rule(kind: str) -> None:
    for constraint in (constraint for spec in ops.registry()[kind] for constraint in spec.constraints):
        rule = (constraint.__doc__ or "").strip()
        assert rule.endswith("."), f"{constraint.__name__} of {kind} does not say its rule in a sentence"

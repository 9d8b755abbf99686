"""The types of the schema's objects name what the generated classes have: checkers of types cannot see those."""

from __future__ import annotations

import pytest

from mcugen.tflite import schema_types
from mcugen.tflite.schema import load_schema

CLASSES = {"QuantizationT": "QuantizationParametersT"}
"""Where our name is shorter."""

TYPES = [name for name in vars(schema_types) if name.endswith("T") and name[0].isupper()]


def test_there_are_types() -> None:
    assert {"ModelT", "SubGraphT", "TensorT", "OperatorT", "OperatorCodeT", "BufferT"} <= set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_every_attribute_is_one_of_the_generated_class(name: str) -> None:
    made = getattr(load_schema(), CLASSES.get(name, name))()
    named = set(vars(schema_types)[name].__annotations__)
    assert named
    assert named <= set(vars(made))

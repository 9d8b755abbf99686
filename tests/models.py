"""Models that tests run on: the zoo's in every clone, and real ones, as a second layer, where their folder is there.

    @pytest.mark.parametrize("name", both(["ds_cnn", "resnet"], ["kws_ref_model"]))
    def test_something(name: str) -> None:
        graph = read_graph(model_bytes(name))

A test that only a real model can be is marked `@real("kws_ref_model")`. Tests on real models that are absent are left
out when tests are collected; the summary says how many they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import zoo
from tests.conftest import find_model


def real(*names: str) -> pytest.MarkDecorator:
    """The mark of a test on these real models; a name without suffix is a `.tflite`'s."""
    return pytest.mark.real_model(*(name if "." in name else f"{name}.tflite" for name in names))


def both(zoo_names: Iterable[str], real_names: Iterable[str]) -> list[Any]:
    """Parameters of a test: models of the zoo, then real ones."""
    return [*zoo_names, *(pytest.param(name, marks=real(name)) for name in real_names)]


def model_path(name: str) -> Path:
    """The file of a model of either layer."""
    return zoo.path(name) if name in zoo.NAMES else find_model(f"{name}.tflite")


def model_bytes(name: str) -> bytes:
    return zoo.model(name) if name in zoo.NAMES else find_model(f"{name}.tflite").read_bytes()

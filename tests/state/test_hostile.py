"""Damaged models with several subgraphs end in errors that name what is wrong, never in a crash."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mcugen.errors import McugenError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import constant
from tests.state.test_control import branching, counting_loop, passed_on, two_layers
from tests.state.test_recurrent import lstm_model, svdf_model
from tests.state.test_variables import SHAPE, Q, initialized

MODELS = {
    "variables": initialized(constant(np.zeros(SHAPE, np.int8), **Q)),
    "branches": branching(two_layers(), passed_on()),
    "loop": counting_loop(),
    "lstm": lstm_model(np.random.default_rng(0)),
    "svdf": svdf_model(np.random.default_rng(0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_flipped_bytes_never_end_in_anything_but_an_error(name: str) -> None:
    data = MODELS[name]
    generator = random.Random(name)
    refused = 0
    for _ in range(150):
        broken = bytearray(data)
        for _flip in range(generator.randint(1, 4)):
            value = generator.choice([0, 1, 2, 0x7F, 0x80, 0xFF, generator.randrange(256)])
            broken[generator.randrange(8, len(broken))] = value
        try:
            make_plan(optimize(read_graph(bytes(broken))))
        except McugenError:
            refused += 1
    assert refused > 20

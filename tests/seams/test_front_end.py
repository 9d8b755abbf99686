"""A front end is one Python file and one C file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal
from tests.frontends import on_host

SPEC = """
from dataclasses import dataclass

import numpy as np

from mcugen.frontends.emitting import COMMON_HEADERS, config_text
from mcugen.frontends.types import EmittedFrontEnd, FrontEndSpec, Rows


@dataclass(frozen=True)
class Louder:
    signal: object
    gain: int

    def rows(self):
        return Rows((1,), "int32", 1, 1)

    def reference(self):
        return self

    def reset(self):
        pass

    def push(self, frames):
        return frames.astype(np.int32) * self.gain

    def emitted(self, name="mcg_front"):
        config = config_text(
            f"static const mcg_fe_louder {name} = {{{self.gain}}};",
            f"static mcg_fe_louder_state {name}_state;",
        )
        return EmittedFrontEnd("mcg_fe_louder.h", COMMON_HEADERS, config, "louder", 4, 0, 0.0)


SPEC = FrontEndSpec("louder", ("audio",), lambda table, signal: Louder(signal, table.integer("gain", 1, 100)))
"""

HEADER = """
#ifndef MCG_FE_LOUDER_H
#define MCG_FE_LOUDER_H

#include "mcg_fe_common.h"

typedef struct {
  int32_t gain;
} mcg_fe_louder;

typedef struct {
  uint32_t unused;
} mcg_fe_louder_state;

MCG_FE_FUNCTION void mcg_fe_louder_reset(const mcg_fe_louder *fe, mcg_fe_louder_state *state) {
  (void)fe;
  state->unused = 0;
}

MCG_FE_FUNCTION uint32_t mcg_fe_louder_push(const mcg_fe_louder *fe, mcg_fe_louder_state *state, const void *frames,
                                            uint32_t count, void *row, int *ready) {
  (void)state;
  *ready = count > 0;
  if (count > 0) *(int32_t *)row = *(const int16_t *)frames * fe->gain;
  return count > 0;
}

#endif
"""

SOUND = Signal("audio", "int16", 1, 16000)


@pytest.fixture
def louder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two files of a front end, where mcugen looks for them."""
    (tmp_path / "louder.py").write_text(SPEC)
    (tmp_path / "mcg_fe_louder.h").write_text(HEADER)
    monkeypatch.setattr(frontends, "__path__", [*frontends.__path__, str(tmp_path)])
    monkeypatch.setattr(on_host, "INCLUDES", (*on_host.INCLUDES, f"-I{tmp_path}"))
    frontends.registry.cache_clear()
    yield
    frontends.registry.cache_clear()
    sys.modules.pop("mcugen.frontends.louder", None)


def test_it_is_unknown_without_its_files() -> None:
    with pytest.raises(FrontEndError, match="kind: is 'louder', not one of categories, image, log_mel"):
        frontends.make("louder", SOUND, gain=2)


@pytest.mark.usefixtures("louder")
def test_a_new_front_end_runs(tmp_path: Path) -> None:
    front_end = frontends.make("louder", SOUND, gain=70)
    samples = np.array([[-32768], [0], [5], [32767]], np.int16)
    host = on_host.HostFrontEnds(tmp_path, [front_end])
    assert host.push(samples).ravel().tolist() == [-32768 * 70, 0, 350, 32767 * 70]
    assert np.array_equal(frontends.rows_of(front_end, samples), host.push(samples))


@pytest.mark.usefixtures("louder")
@pytest.mark.parametrize("gain", [3, 4])
def test_a_parameter_has_one_place(tmp_path: Path, gain: int) -> None:
    """What training sees and what the device gets change together."""
    front_end = frontends.make("louder", SOUND, gain=gain)
    assert f"{{{gain}}}" in front_end.emitted().config
    assert frontends.rows_of(front_end, np.array([1], np.int16)).item() == gain

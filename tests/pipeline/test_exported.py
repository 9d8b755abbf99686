"""An export with its pipeline, compiled for this computer: the same events as the reference, whatever a push's size."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.decisions import KINDS
from mcugen.environment import find_host_compiler
from mcugen.errors import McugenError
from mcugen.pipeline.reference import Running
from mcugen.verify.parted_oracle import open_oracle
from tests.models import model_path
from tests.pipeline.test_on_boards import STREAMING, WINDOWED, loud_and_quiet, written

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "word_app.h"

static void on_event(void *context, const word_app_event *event) {
  (void)context;
  printf("%u %u %u %u %lld\\n", (unsigned)event->frame, (unsigned)event->inference, (unsigned)event->label,
         (unsigned)event->kind, (long long)event->score);
}

int main(int count, char **arguments) {
  static word_app_value frames[1 << 20];
  FILE *file = fopen(arguments[1], "rb");
  const uint32_t total = (uint32_t)(fread(frames, sizeof frames[0], 1 << 20, file) / WORD_APP_CHANNELS);
  uint32_t at = 0;
  if (word_app_reset() != 0) return 1;
  while (at < total) {
    for (int i = 2; i < count && at < total; i++) { /* sizes of pushes, over and over */
      const uint32_t size = (uint32_t)atoi(arguments[i]), taken = total - at < size ? total - at : size;
      if (word_app_push(frames + at * WORD_APP_CHANNELS, taken, on_event, NULL) != 0) return 2;
      at += taken;
    }
  }
  return 0;
}
"""
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pedantic", "-fsanitize=undefined")


@pytest.mark.parametrize(
    ("text", "model", "numbers", "channels"),
    [
        (STREAMING, "wake_word", {"threshold": 0.2, "channels": 10}, 1),
        (WINDOWED, "autoencoder", {"threshold": 0.4, "release": 0.3}, 16),
    ],
)
def test_events_do_not_depend_on_how_a_signal_is_cut(
    tmp_path: Path, text: str, model: str, numbers: dict[str, float], channels: int
) -> None:
    pipeline = written(tmp_path, text, model, **numbers)
    made = api.export(pipeline, format="c", name="word", out=tmp_path / "word")
    app = made.models[0].app
    assert app is not None
    frames = loud_and_quiet(20_000 if channels == 1 else 400, channels, seed=5)
    signal, main, program = tmp_path / "signal", tmp_path / "main.c", tmp_path / "program"
    frames.tofile(signal)
    main.write_text(MAIN)
    compiler = find_host_compiler()
    assert compiler is not None
    sources = [str(path) for path in sorted((tmp_path / "word").glob("*.c"))]
    command = [compiler, *WARNINGS, "-O1", f"-I{tmp_path / 'word'}", "-o", str(program), str(main), *sources, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    with open_oracle(model_path(model).read_bytes()) as oracle:
        steps = list(Running(app, oracle).push(frames))
    events = [step.event for step in steps if step.event is not None]
    assert len(events) > 1
    wanted = "".join(
        f"{e.frame} {e.inference} {e.decided.label} {KINDS.index(e.decided.kind) + 1} {e.decided.score}\n"
        for e in events
    )
    rng = np.random.default_rng(1)
    cuts = [[len(frames)], [1], [7], [997, 2, 0, 31], *rng.integers(0, 300, (8, 5)).tolist()]
    for sizes in cuts:
        told = subprocess.run([str(program), str(signal), *map(str, sizes)], capture_output=True, text=True, check=True)
        assert (told.stdout, told.stderr) == (wanted, "")


def test_contexts_are_refused(tmp_path: Path) -> None:
    pipeline = written(tmp_path, WINDOWED, "autoencoder", threshold=1.0, release=1.0)
    with pytest.raises(McugenError, match="keeps its state in variables, not in a context"):
        api.export(pipeline, format="c", out=tmp_path / "x", context=True)
    assert (api.export(pipeline, format="c", out=tmp_path / "x").folder / "autoencoder_app.h").is_file()

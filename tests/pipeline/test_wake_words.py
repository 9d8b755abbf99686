"""The other wake words of pymicro-wakeword, from samples to events, where its models are."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path

import pytest

from mcugen import api
from tests.pipeline.test_spoken import RATE, saved, spoken

WORDS = ("alexa", "hey_jarvis", "hey_mycroft")

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"),
]

PIPELINE = """
[input]
kind = "audio"
rate = 16000

[frontend]
kind = "micro"
output = "uint16"

[model]
file = "{model}"
row_scale = 0.0390625

[decision]
labels = ["{label}"]
threshold = {threshold}
smooth = {smooth}
refractory_ms = 700
"""


def models() -> Path:
    """The folder with pymicro-wakeword's models: MCUGEN_WAKE_WORDS, or that of the package; skips without one."""
    given = os.environ.get("MCUGEN_WAKE_WORDS")
    spec = importlib.util.find_spec("pymicro_wakeword")
    own = Path(next(iter(spec.submodule_search_locations or []))) / "models" if spec is not None else None
    for folder in (Path(given) if given else None, own):
        if folder is not None and (folder / "alexa.tflite").is_file():
            return folder
    pytest.skip("the models of pymicro-wakeword are not there; MCUGEN_WAKE_WORDS names their folder")


@pytest.mark.parametrize("word", WORDS)
def test_a_wake_word_is_heard_and_other_words_are_not(word: str, tmp_path: Path) -> None:
    folder = models()
    facts = json.loads((folder / f"{word}.json").read_text())
    pipeline, label = tmp_path / "pipeline.toml", facts["wake_word"].lower()
    pipeline.write_text(
        PIPELINE.format(
            model=folder / facts["model"],
            label=label,
            threshold=facts["micro"]["probability_cutoff"],
            smooth=facts["micro"]["sliding_window_size"],
        )
    )
    other = spoken(tmp_path, "what is the weather like today", "en-gb")
    phrase = spoken(tmp_path, facts["wake_word"], "en-us+f3")
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    saved(recordings / "both.wav", [phrase, other], noise=20)
    proof = api.verify(pipeline, board="mps2-an386", inputs=recordings, samples=4)
    assert proof.exit_code == 0
    signal = proof.signal
    assert signal is not None
    assert (signal.wrong_rows, signal.wrong_outputs, signal.wrong_events, signal.tolerance) == (0, 0, 0, 0)
    starts = [event for event in signal.listed if event.kind == "start"]
    assert [event.label for event in starts] == [label]
    assert starts[0].seconds is not None
    assert 0.5 < starts[0].seconds < 1.0 + len(phrase) / RATE

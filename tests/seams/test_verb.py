"""A verb is one file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcugen.verbs
from mcugen import api, cli

SOURCE = '''
from __future__ import annotations

from dataclasses import dataclass

from mcugen.verbs.options.derive import command_for


@dataclass(frozen=True)
class Greeting:
    text: str
    exit_code: int = 0

    def to_dict(self):
        return {"schema": "mcugen.greet/1", "text": self.text}


def greet(model: object, *, quantize: bool = True, samples: int = 16, progress=None) -> Greeting:
    """Greet a model."""
    return Greeting(f"{model} {quantize} {samples}")


command = command_for(greet, "Greet a model.", lambda console, result: console.print(result.text))
'''


@pytest.fixture
def greet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of a verb, where mcugen looks for verbs."""
    folder = tmp_path / "verbs"
    folder.mkdir()
    (folder / "greet.py").write_text(SOURCE)
    monkeypatch.setattr(mcugen.verbs, "__path__", [*mcugen.verbs.__path__, str(folder)])
    yield
    sys.modules.pop("mcugen.verbs.greet", None)


@pytest.mark.usefixtures("greet")
def test_a_new_verb_is_a_command_and_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert "greet" in dir(api)
    assert api.greet("kws").text == "kws True 16"  # type: ignore[operator]
    assert cli.run(["greet", "kws", "--no-quantize", "-n", "3"]) == 0
    assert capsys.readouterr().out == "kws False 3\n"
    assert cli.run(["greet", "kws", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "kws True 16"
    assert cli.run(["greet", "--help"]) == 0
    assert "Verification" in capsys.readouterr().out

"""A built wheel, installed away from the repository, finds its boards, firmware and templates from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import BOARD, ROOT, int8_model


def test_wheel_works_from_any_folder(tmp_path: Path) -> None:
    wheels, installed, elsewhere = tmp_path / "wheels", tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = wheels.glob("mcugen-*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(installed), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)

    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert str(installed) in python("-c", "import mcugen; print(mcugen.__file__)")
    boards = json.loads(python("-m", "mcugen", "boards", "--json"))["boards"]
    assert {board["name"] for board in boards} == {path.stem for path in (ROOT / "boards").glob("*.toml")}
    (elsewhere / "small.tflite").write_bytes(int8_model())
    python("-m", "mcugen", "generate", "small.tflite", "--board", BOARD, "-o", "firmware")
    assert (elsewhere / "firmware" / "lib" / "mcg_model" / "mcg_model.c").is_file()
    assert str(ROOT) not in (elsewhere / "firmware" / "mcugen.json").read_text()
    assert (elsewhere / "firmware" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()

    right = 'from mcugen import api\n\nprint(api.deploy("m.tflite", board="microbit").verdict.bit_exact)\n'
    wrong = right.replace("board=", "bord=") + 'api.depoly("m.tflite")\n'
    (elsewhere / "right.py").write_text(right)
    (elsewhere / "wrong.py").write_text(wrong)
    assert type_errors(elsewhere / "right.py", environment) == []
    misspelt, unknown = type_errors(elsewhere / "wrong.py", environment)
    assert 'Unexpected keyword argument "bord" for "deploy"' in misspelt
    assert 'Module has no attribute "depoly"' in unknown


def type_errors(script: Path, environment: dict[str, str]) -> list[str]:
    """What mypy finds in a user's script, which sees the installed package."""
    command = [sys.executable, "-m", "mypy", "--config-file=", "--no-incremental", "--hide-error-context", script.name]
    done = subprocess.run(
        command, cwd=script.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]

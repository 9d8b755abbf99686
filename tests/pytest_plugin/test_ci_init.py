"""`mcugen ci init`: what it writes, and that the written job's commands work."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcugen import __version__, api
from mcugen.errors import McugenError
from tests.cli.conftest import BOARD, ROOT, int8_model
from tests.schemas import check

INSTALLS = ("apt-get ", "sudo apt-get ", "python -m pip install ")
"""What a job does to its machine; here the set-up has done it."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "small net.tflite").write_bytes(int8_model())
    return tmp_path


def job_commands(provider: str, text: str) -> list[str]:
    job: Any = yaml.safe_load(text)
    if provider == "gitlab":
        return list(job["firmware"]["script"])
    return [line for step in job["jobs"]["firmware"]["steps"] for line in step.get("run", "").splitlines()]


def written(repository: Path, provider: Any) -> list[str]:
    """The commands of the job that is written, without those that install."""
    model = repository / "models" / "small net.tflite"
    result = api.ci(model, board=BOARD, folder=repository, provider=provider)
    check(result.to_dict())
    assert result.proof.verdict.bit_exact
    commands = job_commands(provider, (repository / result.files[0]).read_text())
    installs = [command for command in commands if command.startswith(INSTALLS)]
    assert any("qemu-system-arm" in command for command in installs)
    assert any(f"mcugen=={__version__} pytest" in command for command in installs)
    rest = [command for command in commands if command not in installs]
    assert [command.split()[0] for command in rest] == ["mcugen", "python"]
    return rest


@pytest.mark.emulator
def test_the_written_job_runs(repository: Path, tmp_path: Path) -> None:
    for_github = written(repository, "github")
    (repository / "tests" / "test_firmware.py").unlink()
    rest = written(repository, "gitlab")
    assert [command.removesuffix(" --junitxml=firmware-tests.xml") for command in rest] == for_github
    shown = ""
    for command in rest:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=repository,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        shown += done.stdout + done.stderr
        assert done.returncode == 0, shown
    assert "2 passed" in shown
    # The written budgets bind: a tighter one fails.
    test = repository / "tests" / "test_firmware.py"
    test.write_text(test.read_text().replace("RAM_BYTES = ", "RAM_BYTES = 1 + 0 * "))
    done = subprocess.run(
        ["bash", "-ec", rest[-1]],
        cwd=repository,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "RAM takes" in done.stdout


def installed() -> bool:
    return any(entry.name == "mcugen" for entry in importlib.metadata.entry_points(group="pytest11"))


def environment(folder: Path) -> dict[str, str]:
    """The job's machine: `python` and `mcugen` are these here, installed or not."""
    scripts = folder / "bin"
    scripts.mkdir(exist_ok=True)
    for name, arguments in (("python", ""), ("mcugen", "-m mcugen ")):
        (scripts / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        (scripts / name).chmod(0o755)
    plugin = {} if installed() else {"PYTEST_PLUGINS": "mcugen.pytest_plugin"}
    return {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), **plugin}


@pytest.mark.emulator
def test_existing_files_are_kept(repository: Path) -> None:
    workflow = repository / ".github" / "workflows" / "firmware.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("mine")
    with pytest.raises(McugenError, match="exists already"):
        api.ci(repository / "models" / "small net.tflite", board=BOARD, folder=repository)
    assert workflow.read_text() == "mine"
    assert not (repository / "tests").exists()


def test_paths_that_a_job_cannot_use(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model.tflite"
    elsewhere.write_bytes(int8_model())
    hostile = repository / "${{ secrets.KEY }}.tflite"
    shutil.copy(elsewhere, hostile)
    for model, said in (
        (elsewhere, "outside the repository"),
        (hostile, "special in a shell"),
        (repository / "none.tflite", "does not exist"),
    ):
        with pytest.raises(McugenError, match=said):
            api.ci(model, board=BOARD, folder=repository)
    assert sorted(path.name for path in repository.iterdir()) == sorted(["models", hostile.name])


def test_a_model_whose_name_begins_with_a_dash_is_no_option(tmp_path: Path) -> None:
    (tmp_path / "-x.tflite").write_bytes(int8_model())
    made = api.ci(tmp_path / "-x.tflite", board=BOARD, provider="github", folder=tmp_path)
    assert "--mcugen-model=-x.tflite" in made.test_command
    job = (tmp_path / ".github/workflows/firmware.yml").read_text()
    assert made.test_command in job

"""`mcugen ci init`: what it writes, and that the written job's commands work."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mcugen import __version__, api
from mcugen.errors import McugenError
from mcugen.flow import origin
from mcugen.flow.estimating import OFF
from tests.cli.conftest import BOARD, ROOT, int8_model
from tests.schemas import check

INSTALLS = ("apt-get ", "sudo apt-get ", "python -m pip install ")
"""What a job does to its machine; here the set-up has done it."""


COMMIT = "5d893f5" * 5 + "12345"
GIT = {"url": "https://git.example.org/mcugen.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}


@pytest.fixture(autouse=True)
def from_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """mcugen was installed from a Git repository."""
    monkeypatch.setattr("mcugen.flow.origin.direct_url", lambda: GIT)


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
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    np.savez(repository / "eval.npz", x=x, y=np.argmax(x[:, :4], axis=1))
    result = api.ci(model, board=BOARD, folder=repository, provider=provider, eval_data="eval.npz")
    check(result.to_dict())
    assert result.proof.verdict.bit_exact
    commands = job_commands(provider, (repository / result.files[0]).read_text())
    installs = [command for command in commands if command.startswith(INSTALLS)]
    assert any("qemu-system-arm" in command for command in installs)
    assert installs[-1] == (
        f"python -m pip install --quiet 'mcugen @ git+https://git.example.org/mcugen.git@{COMMIT}' pytest"
    )
    assert not re.search(r"(?<!\S)mcugen(\[|==|\s+pytest)", installs[-1]), "a name that an index could give to anybody"
    rest = [command for command in commands if command not in installs]
    assert [command.split()[0] for command in rest] == ["mcugen", "python"]
    return rest


@pytest.mark.emulator
def test_the_written_job_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFF, raising=False)
    for_github = written(repository, "github")
    test = (repository / "tests" / "test_firmware.py").read_text()
    assert "assert_cycles_below(mcugen_device, CYCLES)" in test
    assert "INSTRUCTIONS" not in test
    (repository / "tests" / "test_firmware.py").unlink()
    rest = written(repository, "gitlab")
    assert rest == for_github
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
    assert "3 passed" in shown
    assert (repository / "firmware-tests.xml").read_text().count("<testcase") == 3
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
    assert "3 passed" not in done.stdout


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


@pytest.mark.emulator
def test_a_job_has_a_limit_a_cache_and_its_results(repository: Path) -> None:
    model = repository / "models" / "small net.tflite"
    api.ci(model, board=BOARD, folder=repository)
    job: Any = yaml.safe_load((repository / ".github/workflows/firmware.yml").read_text())["jobs"]["firmware"]
    used = {step["uses"]: step.get("with", {}) for step in job["steps"] if "uses" in step}
    assert job["timeout-minutes"] == 30
    assert used["actions/cache@v4"]["path"] == "~/.cache/pip"
    assert used["actions/cache@v4"]["key"] == "pip-${{ runner.os }}-${{ hashFiles('.github/workflows/firmware.yml') }}"
    assert used["actions/upload-artifact@v4"]["path"] == "firmware-tests.xml"
    assert next(step for step in job["steps"] if "upload" in step.get("uses", ""))["if"] == "always()"
    assert job["steps"][-2]["run"].strip().endswith("--junitxml=firmware-tests.xml")

    api.ci(model, board=BOARD, folder=repository, provider="gitlab", force=True, install="wheels/mcugen.whl")
    lab: Any = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["firmware"]
    assert (lab["timeout"], lab["cache"]["paths"]) == ("30 minutes", [".cache/pip"])
    assert lab["artifacts"]["reports"]["junit"] == "firmware-tests.xml"
    assert "python -m pip install --quiet wheels/mcugen.whl pytest" in lab["script"]


@pytest.mark.parametrize(
    ("direct", "extras", "wanted"),
    [
        (GIT, "tf", [f"mcugen[tf] @ git+https://git.example.org/mcugen.git@{COMMIT}"]),
        (
            {"url": "https://user:token@git.example.org/m.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "",
            ["mcugen @ git+https://git.example.org/m.git@abc"],
        ),
        (
            {"url": "ssh://git@git.example.org/m.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "",
            ["mcugen @ git+ssh://git@git.example.org/m.git@abc"],
        ),
        (
            {"url": "https://files.example.org/mcugen-1.whl", "archive_info": {}},
            "onnx",
            ["mcugen[onnx] @ https://files.example.org/mcugen-1.whl"],
        ),
        ({"url": "INSIDE/tools/mcu%20gen", "dir_info": {}}, "tf", ["./tools/mcu gen[tf]"]),
        ({"url": "INSIDE/wheels/mcugen-1.whl", "archive_info": {}}, "", ["./wheels/mcugen-1.whl"]),
    ],
)
def test_where_mcugen_came_from(
    direct: dict[str, Any], extras: str, wanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {**direct, "url": direct["url"].replace("INSIDE", tmp_path.as_uri())}
    monkeypatch.setattr(origin, "direct_url", lambda: found)
    assert origin.requirement(tmp_path, extras) == wanted


def test_an_index_is_named_and_is_not_pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "direct_url", lambda: None)
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@pip.example.org/simple")
    assert origin.requirement(tmp_path, "tf") == [
        "--index-url", "https://pip.example.org/simple", f"mcugen[tf]=={__version__}",
    ]  # fmt: skip
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.org/simple")
    with pytest.raises(McugenError, match=r"on PyPI its name could be somebody else's. Pass `install`: a Git URL"):
        origin.requirement(tmp_path, "tf")


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_checkout_counts_once_it_is_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, repository = tmp_path / "mcugen", tmp_path / "mine"
    for folder in (checkout, repository):
        folder.mkdir()
    (checkout / "a.txt").write_text("a")
    git(checkout, "init")
    git(checkout, "add", ".")
    git(checkout, "commit", "-m", "a")
    monkeypatch.setattr(origin, "direct_url", lambda: {"url": checkout.as_uri(), "dir_info": {"editable": True}})
    refused = rf"mcugen was installed from {checkout}, which a CI machine does not have. Pass `install`"
    with pytest.raises(McugenError, match=refused):
        origin.requirement(repository)
    git(tmp_path, "clone", "--bare", str(checkout), "remote.git")
    git(checkout, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(checkout, "fetch", "origin")
    git(checkout, "remote", "set-url", "origin", "git@git.example.org:team/mcugen.git")
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert origin.requirement(repository, "tf") == [
        f"mcugen[tf] @ git+ssh://git@git.example.org/team/mcugen.git@{commit}"
    ]
    (checkout / "a.txt").write_text("changed here only")
    with pytest.raises(McugenError, match=refused):
        origin.requirement(repository)


def test_a_mcugen_that_no_job_could_install_is_refused_first(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "direct_url", lambda: {"url": "file:///somewhere/else", "dir_info": {}})
    with pytest.raises(McugenError, match=r"from /somewhere/else, which a CI machine does not have"):
        api.ci(repository / "models" / "small net.tflite", board=BOARD, folder=repository)
    assert not (repository / "tests").exists()

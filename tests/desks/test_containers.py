"""The container, the devcontainer and GitHub's jobs say what .ci/run, tools/setup.sh and pyproject.toml do."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INSTRUCTION = re.compile(r"^([A-Z]+)\s+(.+)$", re.DOTALL)
PLATFORMS = runpy.run_path(str(ROOT / "tools" / "platforms_doc.py"))["table"]()


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        match = INSTRUCTION.match(line)
        assert match, line
        found.append((match[1], " ".join(match[2].split())))
    return found


def workflow() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text("utf-8"))


def pythons() -> list[str]:
    """The versions that pyproject.toml says are supported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [found[1] for line in project["classifiers"] if (found := re.fullmatch(r".*Python :: (3\.\d+)", line))]


def test_the_container_runs_the_set_up_of_a_checkout() -> None:
    instructions = dockerfile()
    assert instructions[0][0] == "FROM"
    assert {name for name, _ in instructions} <= {"FROM", "RUN", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    ran = [shlex.split(part) for name, rest in instructions if name == "RUN" for part in rest.split("&&")]
    assert ["/opt/mcugen/tools/setup.sh"] in ran
    assert ("COPY", ". /opt/mcugen") in instructions
    # The script installs compilers, emulators and packages; a checkout needs make and git beside it.
    apt = next(command for command in ran if command[:2] == ["apt-get", "install"])
    assert set(apt[2:]) - {"-y", "--no-install-recommends"} == {"ca-certificates", "git", "make"}
    assert "make setup" in (ROOT / ".ci/run").read_text("utf-8")
    setup = (ROOT / "Makefile").read_text("utf-8").split("\nsetup:\n")[1].splitlines()[0]
    assert setup.strip() == "@tools/setup.sh"
    assert instructions[-2:] == [("ENTRYPOINT", '["mcugen"]'), ("CMD", '["--help"]')]
    users = [rest for name, rest in instructions if name == "USER"]
    assert users == ["1000"]


def test_what_the_container_does_not_take_along() -> None:
    left_out = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "build"} <= set(left_out)
    assert not {"mcugen", "requirements", "tools", "boards", "firmware", "templates"} & set(left_out)


def test_the_devcontainer_is_that_container() -> None:
    facts = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert (ROOT / ".devcontainer" / facts["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (ROOT / ".devcontainer" / facts["build"]["context"]).resolve() == ROOT
    assert facts["postCreateCommand"] == "make setup"
    assert ("RUN", f"useradd --create-home --uid 1000 {facts['remoteUser']}") in dockerfile()


def test_githubs_jobs_are_for_every_system_and_python() -> None:
    jobs = workflow()["jobs"]
    systems = {each["system"] for each in jobs["desks"]["strategy"]["matrix"]["include"]} | {"linux-x86_64"}
    assert systems == {system["name"] for system in PLATFORMS["systems"]}
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == pythons()
    assert jobs["linux-x86_64"]["steps"][-1] == {"run": ".ci/run"}


def test_what_githubs_jobs_name_exists() -> None:
    for job in workflow()["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            for path in re.findall(r"\b(?:tests|tools|\.ci)/\w+", step.get("run", "")):
                assert (ROOT / path).exists(), path
    markers = {line.split(":")[0] for line in pytest_markers()}
    assert set(re.findall(r"not (\w+)", workflow()["env"]["FAST"])) <= markers


def pytest_markers() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: list[str] = project["tool"]["pytest"]["ini_options"]["markers"]
    return found


@pytest.mark.parametrize("part", PLATFORMS["parts"], ids=lambda part: part["what"])
def test_the_table_says_something_of_every_system(part: dict[str, str]) -> None:
    systems = {system["name"] for system in PLATFORMS["systems"]}
    assert set(part) == systems | {"what", "remark"}
    assert {part[name] for name in systems} <= set(PLATFORMS["states"])
    assert "run" not in {part[name] for name in systems - {"linux-x86_64"}}, "CI runs on Linux x86-64 alone"

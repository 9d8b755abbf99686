"""What contributors run before they push is what CI runs, and the forms of the code host are well-formed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
if not FORMS:
    pytest.skip(".github/ is not part of this distribution", allow_module_level=True)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_commits_are_checked_by_every_tool_of_lint() -> None:
    recipe = re.search(r"^lint: setup\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    linters = set(re.findall(r"-m (\w+)|/bin/([\w-]+)", recipe.group(1)))
    tools = {one or other for one, other in linters}
    assert {"ruff", "mypy", "clang-format", "codespell"} <= tools
    (local,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooked = {re.sub(r"^\.venv/bin/", "", hook["entry"]).split()[0] for hook in local["hooks"]}
    assert tools <= hooked
    assert all(hook["language"] == "system" for hook in local["hooks"]), "nothing is fetched"


@pytest.mark.parametrize("path", [path for path in FORMS if path.stem != "config"], ids=lambda path: path.stem)
def test_issue_forms_have_what_the_code_host_needs(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)

"""`--report`: the page and, beside it, the JSON file with the same facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcugen.environment import typed_command
from mcugen.errors import ProjectError
from mcugen.outputs import check_output, write_file

if TYPE_CHECKING:
    from mcugen.flow.proof import Proof
    from mcugen.report.evaluation import Evaluated


_OURS = ("mcugen.report/", "mcugen.evaluation-report/")


def check_report(report: str | Path | None, *, inputs: Sequence[object] = ()) -> Path | None:
    """The page's path; refuses what cannot be written, before the work is done.

    Args:
        inputs: what the verb reads; those that are paths are not written over.

    Raises:
        ProjectError: not an .html file, or it or its JSON file cannot be written, or would replace something else.
    """
    if report is None:
        return None
    path = Path(report)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ProjectError(
            "a report is an .html file", where=str(path), hint=f"Name it {path.with_suffix('.html').name}"
        )
    read = [given for given in inputs if isinstance(given, str | Path)]
    facts = json_beside(path)
    for file in (path, facts):
        check_output(file, inputs=read)
    if facts.exists() and not _is_ours(facts):
        raise ProjectError(
            "is not the JSON file of a report, and would be replaced by one",
            where=str(facts),
            hint="Choose another name for the report",
        )
    return path


def write_report(path: Path, proof: Proof, command: str, data: object) -> None:
    """Write both files; the page last, so that it never stands beside older facts.

    Args:
        command: how the files' banners tell what was done; where a command was typed, the report has that one.
        data: the calibration data that was given; a file is named in the report's command as well.

    Raises:
        ProjectError: the file system refuses.
    """
    from mcugen.flow.model import source_name
    from mcugen.report import render_report, report_facts

    if typed_command():
        command = typed_command()
    elif isinstance(data, str | Path) and str(data) != "random":
        command += f" --data {source_name(data)}"
    facts = report_facts(proof, command)
    page = render_report(facts)
    write_file(json_beside(path), (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode())
    write_file(path, page.encode())


def write_evaluation(path: Path, evaluated: Evaluated, command: str) -> None:
    """The same of an evaluation.

    Raises:
        ProjectError: the file system refuses.
    """
    from mcugen.report.evaluation import evaluation_facts, render_evaluation

    facts = evaluation_facts(evaluated, typed_command() or command)
    page = render_evaluation(facts)
    write_file(json_beside(path), (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode())
    write_file(path, page.encode())


def json_beside(path: Path) -> Path:
    """Where the facts of the page `path` are: "out.json" beside "out.html"."""
    return path.with_suffix(".json")


def _is_ours(path: Path) -> bool:
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and str(facts.get("schema", "")).startswith(_OURS)

"""The facts of a report, as JSON carries them. The page is made from this object and from nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.report.arena import arena_facts
from mcugen.report.detections import detection_facts
from mcugen.report.graph import graph_facts
from mcugen.report.symbols import flash_facts
from mcugen.runtimes.aot.plan.types import Plan

if TYPE_CHECKING:
    from mcugen.boards.types import Board
    from mcugen.flow.proof import Proof

SCHEMA = "mcugen.report/1"


def report_facts(proof: Proof, command: str) -> dict[str, Any]:
    """All that the page shows: the object `mcugen.report/1` of docs/JSON.md.

    Args:
        proof: the result of `deploy` or `verify`.
        command: what made the report, as one types it.
    """
    from mcugen.ui.proof import verdict_text

    facts = {
        "schema": SCHEMA,
        "mcugen": __version__,
        "command": command,
        "summary": {"passed": proof.exit_code == 0, "text": verdict_text(proof), "useful": _useful(proof)},
        "proof": proof.to_dict(),
        "board": _board_facts(proof.board),
        "labels": list(proof.ready.project.manifest.labels),
        "arena": arena_facts(proof.plan) if isinstance(proof.plan, Plan) else None,
        "flash": flash_facts(proof.firmware),
        "graph": graph_facts(proof.plan),
        "detections": detection_facts(proof),
    }
    # Once through JSON: the page sees exactly what a reader of the file sees (tuples are lists, no NaN).
    exact: dict[str, Any] = json.loads(json.dumps(facts, allow_nan=False))
    return exact


def _useful(proof: Proof) -> bool | None:
    """Whether the model says more than a guess; None where nobody knows."""
    found = proof.assessment.usefulness if proof.assessment is not None else None
    return None if found is None or found.verdict == "unknown" else found.verdict == "useful"


def _board_facts(board: Board) -> dict[str, Any]:
    return {
        "title": board.title,
        "mcu": board.mcu,
        "cpu": board.cpu,
        "fpu": board.fpu,
        "clock_hz": board.clock_hz,
    }

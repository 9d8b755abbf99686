"""Facts as documents: the memory plan, the software bill of materials, the hashes, the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcugen import __version__
from mcugen.project.folder import digest
from mcugen.runtimes.aot.plan.types import Plan
from mcugen.runtimes.aot.plan.verify import verify_plan


def memory_plan(plan: Plan) -> dict[str, Any]:
    """Every block of the arena with its life, checked once more by the code that shares nothing with the planner.

    Raises:
        PlanError: the check failed.
    """
    verify_plan(plan)
    return {
        "arena_bytes": plan.arena_bytes,
        "least_possible_bytes": plan.live_bound,
        "checked_by": "mcugen.runtimes.aot.plan.verify: every read finds what was written for it",
        "blocks": [
            {
                "offset": block.offset,
                "bytes": block.size,
                "from_op": block.first,
                "to_op": block.last,
                "tensors": [plan.graph.tensor(i).name for i in block.tensors] or ["scratch"],
            }
            for block in sorted(plan.buffers, key=lambda block: (block.offset, block.first))
        ],
    }


def sbom(name: str, version: str, files: Mapping[str, bytes], models: Sequence[Plan], tools: Mapping[str, str]) -> Any:
    """A software bill of materials, CycloneDX 1.5. It has neither time nor serial number: the same export, the same."""
    apache = [{"license": {"id": "Apache-2.0"}}]
    components: list[dict[str, Any]] = [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model-{number}",
            "name": plan.graph.name,
            "hashes": [{"alg": "SHA-256", "content": plan.graph.sha256}],
        }
        for number, plan in enumerate(models)
    ]
    components += [
        {
            "type": "file",
            "bom-ref": f"file-{path}",
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": digest(content)}],
            "licenses": apache,
        }
        for path, content in sorted(files.items())
        if path.endswith((".c", ".h"))
    ]
    made_with = [{"type": "application", "name": "mcugen", "version": __version__, "licenses": apache}]
    made_with += [{"type": "application", "name": tool, "version": found} for tool, found in sorted(tools.items())]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": {"components": made_with},
            "component": {"type": "library", "bom-ref": "export", "name": name, "version": version, "licenses": apache},
        },
        "components": components,
        "dependencies": [{"ref": "export", "dependsOn": [component["bom-ref"] for component in components]}],
    }


def hash_list(files: Mapping[str, bytes]) -> str:
    """Lines that `sha256sum -c` takes."""
    return "".join(f"{digest(content)}  {path}\n" for path, content in sorted(files.items()))

"""The table of export formats in docs/INTEGRATION.md."""

from __future__ import annotations

from mcugen.formats import formats


def table() -> str:
    """A row per format: what it is, and how it is tested."""
    lines = ["| `--as` | what it is | how it is tested |", "|---|---|---|"]
    for format in formats().values():
        page = f"[`{format.name}`](export/{format.name}.md)"
        lines.append(f"| {page} | {format.summary} | {format.proved} |")
    return "\n".join(lines)

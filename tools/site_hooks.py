"""MkDocs hooks: pages whose files lie outside docs/, and links that work on the site as well as in the repository."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent

OUTSIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "benchmarks/RESULTS.md": "results.md",
}
"""Files of the repository that are pages of the site, and their names there."""

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"`[^`\n]+`")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point relative links at pages of the site; what is no page of it (code, examples) becomes its path."""
    source = Path(page.file.abs_src_path).resolve().relative_to(ROOT)
    here = posixpath.dirname(page.file.src_uri)

    def target(match: re.Match[str]) -> str:
        text, link, anchor = match.group(1), match.group(2), match.group(3) or ""
        path = posixpath.normpath(posixpath.join(source.parent.as_posix(), link))
        if path in OUTSIDE:
            return f"[{text}]({posixpath.relpath(OUTSIDE[path], here or '.')}{anchor})"
        if path.startswith("docs/") and path != "docs/schema":
            return f"[{text}]({posixpath.relpath(path.removeprefix('docs/'), here or '.')}{anchor})"
        if not os.path.lexists(ROOT / path):
            return match.group(0)  # MkDocs reports it
        return text if text.strip("`") == path else f"{text} (`{path}`)"

    # GitHub wants a bar in a table's code escaped, Python-Markdown shows the backslash.
    return _CODE.sub(lambda match: match.group(0).replace("\\|", "|"), _LINK.sub(target, markdown))

"""Write every generated page of docs/: python tools/docs.py [--check]

With --check nothing is written; exit code 1 and the names of the pages that are stale.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

PAGES = {
    "images/structure.svg": ("structure.py", "document"),
    "BOARDS.md": ("boards_doc.py", "document"),
    "PLATFORMS.md": ("platforms_doc.py", "document"),
    "SUPPORTED_OPS.md": ("supported_ops.py", "document"),
    "LAYERS.md": ("layers_doc.py", "document"),
    "reference/cli.md": ("reference.py", "cli_page"),
    "reference/api.md": ("reference.py", "api_page"),
    "reference/json.md": ("json_reference.py", "document"),
}
"""Page in docs/, the tool that makes it, and its function."""

README_BOARDS = re.compile(r"(?<=<!-- emulated boards: make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def readme() -> str:
    """README.md with the table of emulated boards as the board files have it now."""
    table = runpy.run_path(str(ROOT / "tools" / "boards_doc.py"))["readme_table"]()
    text, count = README_BOARDS.subn(lambda _: table + "\n", (ROOT / "README.md").read_text("utf-8"))
    assert count == 1, "README.md has no place for the boards"
    return text


FORMATS = re.compile(r"(?<=<!-- formats: make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def integration() -> str:
    """docs/INTEGRATION.md with the table of export formats as the code has them now."""
    table = runpy.run_path(str(ROOT / "tools" / "export_doc.py"))["table"]()
    text, count = FORMATS.subn(lambda _: table + "\n", (DOCS / "INTEGRATION.md").read_text("utf-8"))
    assert count == 1, "docs/INTEGRATION.md has no place for the formats"
    return text


def page(name: str) -> str:
    """The text of a generated page, as the code has it now."""
    tool, function = PAGES[name]
    make: Callable[[], str] = runpy.run_path(str(ROOT / "tools" / tool))[function]
    return make().rstrip() + "\n"


def stale() -> dict[str, str]:
    """The texts of the generated pages that are not committed as the code says. Making them all takes a while."""
    made = {**{name: page(name) for name in PAGES}, "../README.md": readme(), "INTEGRATION.md": integration()}
    return {
        name: text
        for name, text in made.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text("utf-8") != text
    }


def main(arguments: list[str]) -> int:
    pages = stale()
    if arguments == ["--check"]:
        for name in pages:
            print(f"docs/{name} is stale: run make docs", file=sys.stderr)
        return 1 if pages else 0
    for name, text in pages.items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"docs/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Takes the pictures of docs/REPORT.md: python tools/report_images.py REPORT.html, in Chromium."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import Page, browser  # noqa: E402

WIDTH, HEIGHT, SCALE = 1240, 1560, 0.7
PAPER, MARGIN = (690, 1000), 50
"""An A4 page between its margins, in CSS pixels, and the margins."""


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    address = Path(sys.argv[1]).resolve().as_uri()
    with browser() as page:
        for name, top in (("light", "body"), ("dark", "#arena"), ("print", "body")):
            printed = name == "print"
            page.size(*(PAPER if printed else (WIDTH, HEIGHT)))
            page.media(dark=name == "dark", printed=printed)
            page.open(address)
            picture = take(page, top, *(PAPER if printed else (WIDTH, HEIGHT)), 1.0 if printed else SCALE)
            if printed:
                sheet = Image.new("RGB", (picture.width + 2 * MARGIN, picture.height + 2 * MARGIN), "white")
                sheet.paste(picture, (MARGIN, MARGIN))
                picture = ImageOps.expand(sheet, 1, "#bbb")
            # Few colours, the rare ones among them: small enough for a repository.
            few = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(ROOT / "docs" / "images" / f"report-{name}.png", optimize=True)
    return 0


def take(page: Page, top: str, width: int, height: int, scale: float) -> Image.Image:
    """A picture of the page from an element on."""
    y = page.run(f"document.querySelector('{top}').getBoundingClientRect().top + scrollY")
    clip = {"x": 0, "y": max(0, y - 20), "width": width, "height": height, "scale": scale}
    return Image.open(io.BytesIO(page.screenshot(captureBeyondViewport=True, clip=clip))).convert("RGB")


if __name__ == "__main__":
    sys.exit(main())

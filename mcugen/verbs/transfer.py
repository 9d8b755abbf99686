"""`mcugen transfer`: a trained network's body learns a folder of images, by a new head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.within import takes_trust
from mcugen.text import Brief
from mcugen.verbs.options.derive import Spelling, command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.convert.transfer import Taught
    from mcugen.progress import Progress

EPOCHS = 60


@dataclass(frozen=True, eq=False, repr=False)
class Transferred(Brief):
    """What was learned, and the folder with `model.keras`, `samples.npz`, `test.npz` and `labels.txt`.

    Attributes:
        images: of each class, by its name, in the model's order; `tested`: how many of all were kept for the test.
        guess: accuracy of who always says the most frequent class.
    """

    body: str
    out: Path
    taught: Taught
    images: dict[str, int]
    tested: int
    guess: float
    notes: tuple[str, ...] = ()
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.transfer/1",
            "mcugen": __version__,
            "body": self.body,
            "cut": self.taught.cut,
            "features": self.taught.features,
            "pixels": list(self.taught.pixels),
            "images": self.images,
            "tested": self.tested,
            "accuracy": round(self.taught.accuracy, 6),
            "guess": round(self.guess, 6),
            "notes": list(self.notes),
            "out": str(self.out),
        }


@takes_trust
def transfer(
    body: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    weights: str | Path | None = None,
    image_size: int | None = None,
    cut: str | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    trust_model: bool = False,
    progress: Progress | None = None,
) -> Transferred:
    """Train a new last layer on a frozen network, with a folder of labelled images.

    A fifth of each class is kept for the test, chosen by the seed. The new model takes pixels of 0 to 255.

    Args:
        body: a .keras file that takes one image; or the name of a network of keras.applications, such as
            "MobileNetV2:0.35", with its `weights`.
        data: a folder with one subfolder of images per class, whose names are the labels.
        out: folder for model.keras, samples.npz (images that were trained on), test.npz and labels.txt.
        weights: the network's file of weights without its classifier. Nothing is fetched.
        image_size: height and width in pixels, of a network by name.
        cut: the layer whose output the new layer takes; by default the input of the body's own classifier.
        epochs: how often the head sees every image.
        seed: of the split and the training. The same seed gives the same split.
        trust_model: see docs/SECURITY.md.

    Raises:
        McugenError: the body or the images cannot be used, or `out` cannot be written.
    """
    from mcugen.convert.transfer import counts_of, find_body, read_labelled, split, teach
    from mcugen.errors import DataError, ProjectError
    from mcugen.outputs import write_arrays, write_file, writing
    from mcugen.progress import no_progress, share_of

    if epochs < 1:
        raise DataError(f"is {epochs}", where="`epochs`", hint="Take 1 or more")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ProjectError("is a file", where=str(folder), hint="Name a folder")
    report = progress or no_progress
    found = find_body(body, weights, image_size)
    images = read_labelled(data, found)
    parts = split(images.y, seed)
    share = share_of(report, "train")
    taught = teach(found, images, parts, cut=cut, epochs=epochs, seed=seed, progress=share)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(folder / "samples.npz", x=images.x[parts.train], y=images.y[parts.train])
        write_arrays(folder / "test.npz", x=images.x[parts.test], y=images.y[parts.test])
    write_file(folder / "labels.txt", "".join(f"{name}\n" for name in images.classes).encode())
    write_file(folder / "model.keras", taught.keras)
    counts = counts_of(images.y, images.classes)
    tested = counts_of(images.y[parts.test], images.classes)
    return Transferred(
        found.application or found.path.name,
        folder,
        taught,
        counts,
        len(parts.test),
        max(tested.values()) / len(parts.test),
        images.notes,
    )


def _show(console: Console, result: Transferred) -> None:
    from mcugen.ui.terminal import grid, say_verdict

    low, high = result.taught.pixels
    folder = result.out
    rows = [
        ("body", f'{result.body} up to its layer "{result.taught.cut}": {result.taught.features:,} features'),
        ("pixels", f"0 to 255, for the body {low:g} to {high:g}"),
        ("images", ", ".join(f"{name} {count:,}" for name, count in result.images.items())),
        *(("note", note) for note in result.notes),
        (
            "accuracy",
            f"{result.taught.accuracy:.1%} of {result.tested:,} images not trained on; a guess {result.guess:.1%}",
        ),
        ("next", f"mcugen deploy {folder}/model.keras --data {folder}/samples.npz --eval-data {folder}/test.npz"),
    ]
    console.print(grid(rows))
    say_verdict(console, True, f"wrote {folder / 'model.keras'}")


command = command_for(
    transfer,
    "Teach a trained network new images: a frozen body, a new last layer.",
    _show,
    body=Annotated[str, typer.Argument(metavar="BODY", help="A .keras file, or a network's name.", show_default=False)],
    data=Annotated[
        Path,
        typer.Option("--data", "-d", metavar="DIR", help="A subfolder of images per class.", show_default=False),
    ],
    out=Spelling(
        Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the results.", show_default=False)],
        required=True,
    ),
    weights=Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Weights of a network by name.", show_default=False)
    ],
    image_size=Annotated[
        int | None, typer.Option("--image-size", metavar="N", help="Pixels, of a network by name.", show_default=False)
    ],
    cut=Annotated[
        str | None, typer.Option("--cut", metavar="LAYER", help="Take this layer's output.", show_default=False)
    ],
    epochs=Annotated[int, typer.Option("--epochs", metavar="N", min=1, help="How often every image is seen.")],
)

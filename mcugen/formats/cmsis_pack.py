"""A CMSIS-Pack: the description and the archive that installers take."""

from __future__ import annotations

from mcugen.formats.package import VENDOR, VERSION, archive, base_files, text
from mcugen.formats.types import Files, Format, Subject


def _files(subject: Subject) -> Files:
    description = f"{VENDOR}.{subject.name}.pdsc"
    packed = {**base_files(subject, "cmsis-pack"), description: text("pdsc.j2", subject)}
    pack = f"{VENDOR}.{subject.name}.{VERSION}.pack"
    return {description: packed[description], pack: archive(packed), "README.md": packed["README.md"]}


FORMAT = Format(
    "cmsis-pack",
    "a CMSIS-Pack: .pdsc and .pack",
    _files,
    proved=(
        "run on the host: the files that the .pdsc names, from the pack; the .pdsc is valid by Arm's schema "
        "(tested where that is at hand). Not installed with a CMSIS tool"
    ),
)

"""What the export formats have in common: sources, README, example, archives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from mcugen.emit.interface import banner
from mcugen.emit.style import Style
from mcugen.emit.templates import render
from mcugen.formats.types import Files, Part, Subject
from mcugen.formats.views import EXACT_FLOAT_FLAGS, has_float_kernels, markdown, tensor_view
from mcugen.resources import licence_text

VERSION = "1.0.0"
"""Of every package: models have no versions of their own."""

VENDOR = "mcugen"

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive, so that the same model gives the same bytes."""

_READABLE = 0o100644 << 16


def base_files(subject: Subject, format: str) -> dict[str, str | bytes]:
    """The C of all models, README.md and LICENSE."""
    return {
        **subject.model_files,
        "LICENSE": licence_text(),
        "README.md": text("README.md.j2", subject, format=format),
    }


def text(template: str, subject: Subject, **more: Any) -> str:
    """`templates/export/<template>` for the subject."""
    return render(f"export/{template}", **view(subject), **more)


def view(subject: Subject) -> Mapping[str, Any]:
    """What templates show of an export."""
    parts = [_part_view(part, subject) for part in subject.parts]
    real = any(has_float_kernels(part.program) for part in subject.parts)
    titles = " and ".join(part["title"] for part in parts)
    return {
        "banner": banner(subject.program.graph.sha256, markdown(subject.command)),
        "name": subject.name,
        "NAME": subject.name.upper(),
        "version": VERSION,
        "vendor": VENDOR,
        "sentence": f"The trained model{'s' * (len(parts) > 1)} {titles} as plain C.",
        "core": "any core" if subject.core in ("", "generic") else subject.core,
        "arena": subject.arena,
        "parts": parts,
        "sources": sources(subject),
        "real": real,
        "flags": EXACT_FLOAT_FLAGS if real else [],
    }


def sources(subject: Subject) -> list[str]:
    """The C files to compile."""
    return sorted(path for path in subject.model_files if path.endswith(".c"))


def _part_view(part: Part, subject: Subject) -> dict[str, Any]:
    plan, context = part.program, subject.arena == "context"
    style = Style(part.name, subject.arena)
    return {
        "name": part.name,
        "NAME": part.name.upper(),
        "title": markdown(plan.graph.name),
        "op_count": len(plan.steps),
        "macs": plan.macs,
        "arena_bytes": plan.arena_bytes,
        "weight_bytes": sum(plan.constant_sizes()),
        "inputs": [{**tensor_view(t), "position": n} for n, t in enumerate(plan.input_tensors())],
        "outputs": [{**tensor_view(t), "position": n} for n, t in enumerate(plan.output_tensors())],
        "labels": len(part.labels),
        "context": context,
        "app": f"{part.name}_app.h" in part.files,
        "passed": style.view()["style"]["shown"],
    }


def archive(files: Files, folder: str = "") -> bytes:
    """A zip of the files, in a folder of that name; the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{folder}/{path}" if folder else path, _LONG_AGO)
            entry.create_system, entry.external_attr, entry.compress_type = 3, _READABLE, zipfile.ZIP_DEFLATED
            zipped.writestr(entry, content)
    return packed.getvalue()


def below(folder: str, files: Files) -> dict[str, str | bytes]:
    """The files, moved into a folder."""
    return {f"{folder}/{path}": content for path, content in files.items()}

"""The Jinja environment of all templates."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

import jinja2

from mcugen.environment import cache_dir
from mcugen.resources import resource_dir


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is C, ini and Markdown; values are made safe by emit.c_text
        bytecode_cache=_kept(),
    )


class _Kept(jinja2.FileSystemBytecodeCache):
    """Compiled templates, by their content. One that cannot be written is compiled anew the next time."""

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def _kept() -> jinja2.BytecodeCache | None:
    """Where compiled templates are kept; None where others could write there, since what is kept is run."""
    folder = cache_dir() / "templates"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _Kept(str(folder)) if _is_ours_alone(folder) else None
    except OSError:
        return None


def _is_ours_alone(folder: Path) -> bool:
    facts = folder.stat()
    return not facts.st_mode & 0o022 and (not hasattr(os, "getuid") or facts.st_uid == os.getuid())


def render(template: str, **values: Any) -> str:
    """Render `templates/<template>`; a name that the template needs and does not get is an error."""
    return _environment().get_template(template).render(**values)

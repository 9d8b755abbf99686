"""The Jinja environment of all templates."""

from __future__ import annotations

import functools
from typing import Any

import jinja2

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
    )


def render(template: str, **values: Any) -> str:
    """Render `templates/<template>`; a name that the template needs and does not get is an error."""
    return _environment().get_template(template).render(**values)

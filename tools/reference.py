"""The reference pages that come from the code: command line, Python interface. tools/docs.py writes them."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

from mcugen import errors
from mcugen.cli import make_app
from mcugen.verbs import verb_command, verb_function, verb_names

PUBLIC = {
    "mcugen.convert": ("Choices",),
    "mcugen.custom": ("Use", "TensorFacts", "Call"),
    "mcugen.qat": ("quantize_aware",),
    "mcugen.report": ("render_report",),
    "mcugen.testing": (
        "assert_flash_below",
        "assert_ram_below",
        "assert_instructions_below",
        "assert_cycles_below",
        "Outputs",
    ),
}
"""What is public besides the verbs, by module."""

_ROLE = re.compile(r":(?:func|class|mod|meth):`([^`]*)`")


def cli_page() -> str:
    """docs/reference/cli.md: every verb with its arguments and options."""
    group: Any = typer.main.get_command(make_app())
    lines = [
        "# Command line",
        "",
        "Every verb is also a function of [the Python API](api.md), and takes `--json` ([JSON](../JSON.md)).",
        "Exit codes: 0 success, 1 a negative verdict, 2 an error the user can fix, 70 a bug in mcugen.",
        "",
    ]
    for name in verb_names():
        lines += [f"## mcugen {name}", "", *_verb(name, group.commands[name])]
    return "\n".join(lines)


def _verb(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    hints = get_type_hints(verb_command(name))
    usage = " ".join(_argument_usage(p, hints) for p in arguments)
    yield from [_cell(command.help), "", f"    mcugen {name} {usage + ' ' if usage else ''}[OPTIONS]", ""]
    if arguments:
        yield from ["| argument | meaning |", "|---|---|"]
        for parameter in arguments:
            yield f"| `{_code(_placeholder(parameter, hints))}` | {_cell(parameter.help)} |"
        yield ""
    yield from ["| option | meaning | default |", "|---|---|---|"]
    for parameter in options:
        yield f"| {_names(parameter, hints)} | {_cell(parameter.help)} | {_default(parameter)} |"
    yield ""


def _argument_usage(parameter: Any, hints: dict[str, Any]) -> str:
    text = _placeholder(parameter, hints)
    return text if parameter.required else f"[{text}]"


def _placeholder(parameter: Any, hints: dict[str, Any]) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    kind = hints[parameter.name]
    inner = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) is Literal:
        return "|".join(inner)
    kind = inner[0] if inner else kind
    return {int: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _names(parameter: Any, hints: dict[str, Any]) -> str:
    value = "" if parameter.is_flag else f" {_code(_placeholder(parameter, hints))}"
    long = [name for name in parameter.opts if name.startswith("--")]
    short = [name for name in parameter.opts if not name.startswith("--")]
    return ", ".join([*(f"`{name}`" for name in short), *(f"`{name}{value}`" for name in long)])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "*required*"
    if parameter.is_flag or parameter.default is None or not parameter.show_default:
        return ""
    return f"`{parameter.default}`"


def _code(text: str) -> str:
    return text.replace("|", "\\|")


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


def api_page() -> str:
    """docs/reference/api.md: signatures and docstrings of what is public."""
    lines = [
        "# Python API",
        "",
        "Every verb of the [command line](cli.md) is a function of the same name in `mcugen.api`. A verb returns a",
        "result with `to_dict()` (its [JSON](../JSON.md)) and `exit_code`, prints nothing, and raises",
        "`mcugen.errors.McugenError` for what a user can cause. `progress` is called with the name",
        "of a step and its share done, −1 where that is unknown.",
        "",
        "```python",
        "from mcugen import api",
        "",
        'proof = api.deploy("model.keras", board="mps2-an386", data="samples.npz", out="firmware")',
        "assert proof.verdict.bit_exact",
        "```",
        "",
        "## mcugen.api",
        "",
    ]
    for name in verb_names():
        lines += [f"### {name}", "", *_function(name, verb_function(name))]
    for module, names in PUBLIC.items():
        lines += [f"## {module}", ""]
        for name in names:
            value = getattr(importlib.import_module(module), name)
            lines += [f"### {name}", ""]
            lines += _class(value) if inspect.isclass(value) else _function(name, value)
    return "\n".join([*lines, *_error_table()])


def _function(name: str, function: Callable[..., Any]) -> list[str]:
    return ["```python", *_signature(name, function), "```", "", *_docstring(function)]


def _signature(name: str, function: Callable[..., Any]) -> Iterator[str]:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    result = _annotation(signature.return_annotation)
    if not parameters:
        yield f"{name}() -> {result}"
        return
    yield f"{name}("
    starred = False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "    *,"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        starred = starred or star == "*"
        yield f"    {star}{parameter.name}: {_annotation(parameter.annotation)}{default},"
    yield f") -> {result}"


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _class(value: type) -> list[str]:
    lines = _docstring(value)
    if is_dataclass(value):
        lines += ["| field | type |", "|---|---|"]
        lines += [f"| `{field.name}` | `{_code(_annotation(field.type))}` |" for field in fields(value)]
        lines.append("")
    return lines


def _docstring(value: object) -> list[str]:
    """A docstring in Google's style as Markdown."""
    text = _ROLE.sub(r"`\1`", inspect.getdoc(value) or "")
    lines: list[str] = []
    section = ""
    for line in text.splitlines():
        heading = re.fullmatch(r"(Args|Attributes|Returns|Yields|Raises):", line)
        if heading:
            section = heading.group(1)
            lines += [f"**{'Arguments' if section == 'Args' else section}**", ""]
        elif section and (item := re.fullmatch(r" {4}(\S[^:]*): (.*)", line)):
            names = ", ".join(f"`{name}`" for name in item.group(1).split(", "))
            lines.append(f"- {names}: {item.group(2)}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line)
    return [*lines, ""]


def _error_table() -> Iterator[str]:
    yield from ["## mcugen.errors", "", *_docstring(errors.McugenError)]
    yield from ["| error | when |", "|---|---|"]
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.McugenError) and value is not errors.McugenError:
            parent = value.__bases__[0].__name__
            suffix = "" if parent == "McugenError" else f" (a `{parent}`)"
            yield f"| `{name}` | {_cell(inspect.getdoc(value))}{suffix} |"
    yield ""

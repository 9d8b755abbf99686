"""Checks the syntax of Renode's files without Renode, as far as mcugen's own use it.

Everything that these checkers do not know is an error: they are made for what is emitted, not for all of Renode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

_NAME = r"[A-Za-z_]\w*"
_STRING = r'"[^"\n]*"'
_VALUE = rf"(?:@?[^\s\"]+|{_STRING})"
_COMMANDS = {
    "mach": rf"mach create {_STRING}",
    "machine": r"machine LoadPlatformDescription [@$]\S+",
    "sysbus": r"sysbus LoadELF [@$]\S+",
    "emulation": rf"emulation CreateServerSocketTerminal (?:\$\w+|\d+) {_STRING} (?:true|false)",
    "connector": rf"connector Connect sysbus(?:\.{_NAME})+ {_NAME}",
    "runMacro": rf"runMacro \${_NAME}",
    "start": "start",
}
"""First word of a Monitor command → the whole."""

_BUILT_IN = {"ORIGIN", "CWD"}
_ROBOT_SECTIONS = ("Comments", "Settings", "Variables", "Test Cases", "Keywords")
_ROBOT_SETTINGS = {"Library", "Resource", "Suite Setup", "Suite Teardown", "Test Setup", "Test Teardown"}
_ROBOT_KEYWORDS: Mapping[str, tuple[int, int]] = {
    "Execute Command": (1, 1),
    "Run Process": (1, 99),
    "Log": (1, 2),
    "Should Be Equal As Integers": (2, 3),
}
"""Keyword → the least and the most arguments."""

_ROBOT_BUILT_IN = {"CURDIR", "RENODEKEYWORDS"}


def syntax_errors(path: str, text: str) -> list[str]:
    """What is wrong with a `.resc`, `.repl` or `.robot` file, each with its line; empty if nothing is."""
    checkers: dict[str, Callable[[str], list[str]]] = {".resc": _resc, ".repl": _repl, ".robot": _robot}
    return checkers[PurePosixPath(path).suffix](text)


def _resc(text: str) -> list[str]:
    """Monitor commands, one per line. Variables, macros, terminals and the machine come before their use."""
    errors: list[str] = []
    known, macros, terminals = set(_BUILT_IN), set[str](), set[str]()
    machine = False
    lines = list(enumerate(text.splitlines(), 1))
    while lines:
        number, raw = lines.pop(0)
        line = raw.strip()
        if not line or line.startswith("#") or re.fullmatch(r":(?:name|description): \S.*", line):
            continue
        if macro := re.fullmatch(rf"macro ({_NAME})", line):
            body = _macro_body(lines)
            if body is None:
                return [*errors, f"line {number}: the macro's text has no end, or does not begin on the next line"]
            macros.add(macro[1])
            lines = body + lines
            continue
        if assigned := re.fullmatch(rf"\$({_NAME})\s*\??=\s*({_VALUE})", line):
            errors += _unknown_variables(number, assigned[2], known)
            known.add(assigned[1])
            continue
        word = line.split(" ")[0]
        if not re.fullmatch(_COMMANDS.get(word, r"(?!)"), line):
            errors.append(f"line {number}: not a command as it should be: {line}")
            continue
        errors += _unknown_variables(number, line, known | macros)
        if word == "mach":
            machine = True
        elif not machine:
            errors.append(f"line {number}: there is no machine yet")
        if word == "emulation":
            terminals.add(line.split('"')[1])
        if word == "connector" and line.split(" ")[-1] not in terminals:
            errors.append(f"line {number}: nothing is called {line.split(' ')[-1]}")
    return errors


def _macro_body(lines: list[tuple[int, str]]) -> list[tuple[int, str]] | None:
    """Takes the lines of a macro, between lines of three quotes, off the front; None if they are not there."""
    if not lines or lines.pop(0)[1].strip() != '"""':
        return None
    body: list[tuple[int, str]] = []
    while lines:
        number, line = lines.pop(0)
        if line.strip() == '"""':
            return body
        body.append((number, line))
    return None


def _unknown_variables(number: int, text: str, known: set[str]) -> list[str]:
    unknown = [name for name in re.findall(rf"\$({_NAME})", text) if name not in known]
    return [f"line {number}: ${name} is not set" for name in unknown]


def _repl(text: str) -> list[str]:
    """Comments, and `using` of other platforms: all that mcugen writes."""
    errors, used = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("//"):
            continue
        if re.fullmatch(r'using "platforms/(?:boards|cpus)/[\w-]+\.repl"', line):
            used = True
        else:
            errors.append(f'line {number}: neither a comment nor using "platforms/…": {line}')
    return errors if used else [*errors, "no platform is used"]


def _robot(text: str) -> list[str]:
    """Sections, settings, and tests of known keywords, with cells two spaces or more apart."""
    errors: list[str] = []
    section, tests, steps = "", 0, 0
    known = set(_ROBOT_BUILT_IN)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if header := re.fullmatch(r"\*\*\* (.+) \*\*\*", line):
            section = header[1]
            if section not in _ROBOT_SECTIONS:
                errors.append(f"line {number}: no such section: {section}")
            continue
        cells = re.split(r" {2,}", line.strip())
        if section == "Settings" and (cells[0] not in _ROBOT_SETTINGS or len(cells) < 2):
            errors.append(f"line {number}: not a setting: {line}")
        elif section == "Variables":
            if not re.fullmatch(r"\$\{\w+\}", cells[0]) or len(cells) != 2:
                errors.append(f"line {number}: not a variable with a value: {line}")
            known.add(cells[0][2:-1])
        elif section == "Test Cases" and not line.startswith(" "):
            tests += 1
        elif section == "Test Cases":
            steps += 1
            errors += _robot_step(number, cells, known)
        elif section == "":
            errors.append(f"line {number}: stands before the first section")
    if not tests or not steps:
        errors.append("there is no test with a step")
    return errors


def _robot_step(number: int, cells: list[str], known: set[str]) -> list[str]:
    result = re.fullmatch(r"\$\{(\w+)\}=", cells[0])
    call = cells[1:] if result else cells
    if not call or call[0] not in _ROBOT_KEYWORDS:
        return [f"line {number}: not a keyword: {' '.join(call)}"]
    least, most = _ROBOT_KEYWORDS[call[0]]
    errors = []
    if not least <= len(call) - 1 <= most:
        errors.append(f"line {number}: {call[0]} with {len(call) - 1} arguments")
    used = {name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", " ".join(call[1:]))}
    errors += [f"line {number}: ${{{name}}} is not set" for name in sorted(used - known)]
    if result:
        known.add(result[1])
    return errors

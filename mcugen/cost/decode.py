"""Which instructions a firmware has, and what a core's timing asks of each: made of objdump's text."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcugen.cores.architectures import ARM, Architecture
from mcugen.errors import ToolError

_SECONDS = 120.0


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        kind: what it is to a core's timing, one of `KINDS`.
        size: in bytes.
        words: 32-bit registers of a load or store of several, the PC included.
        writes: registers that it computes. Of loads those that they load.
        address: registers that an address is made of.
        to_pc: it loads the PC.
        writes_back: it changes the address register.
        indexed: its address is the sum of two registers.
    """

    address_of: int
    size: int
    name: str
    operands: str
    kind: str
    words: int = 0
    writes: frozenset[str] = frozenset()
    address: frozenset[str] = frozenset()
    to_pc: bool = False
    writes_back: bool = False
    indexed: bool = False

    @property
    def end(self) -> int:
        return self.address_of + self.size


_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)"

_KINDS = (
    # In this order: the first that matches the name, without its condition and width.
    ("load_multiple", r"ldm(?:ia|db|fd|ea)?|pop|vldm(?:ia|db)?|vpop"),
    ("store_multiple", r"stm(?:ia|db|fd|ea)?|push|vstm(?:ia|db)?|vpush"),
    ("load_double", r"ldrd"),
    ("store_double", r"strd"),
    ("load", r"ldr(?:b|h|sb|sh|t|bt|ht|sbt|sht|ex|exb|exh)?|vldr"),
    ("store", r"str(?:b|h|t|bt|ht|ex|exb|exh)?|vstr"),
    ("table_branch", r"tb[bh]"),
    ("branch_register", r"bx|blx"),
    ("branch_link", r"bl"),
    ("compare_branch", r"cbn?z"),
    ("branch", r"b"),
    ("if_then", r"it[te]{0,3}"),
    ("divide", r"[su]div"),
    ("multiply_long", r"[su]mull"),
    ("multiply_add_long", r"[su]mlal|umaal"),
    (
        "multiply_add",
        r"ml[as]|smla[bt][bt]|smlaw[bt]|smla?l[bt][bt]|sml[as]l?dx?|smml[as]r?|smlald?x?|smlsldx?|usada8",
    ),
    ("multiply", r"muls?|smul[bt][bt]|smulw[bt]|smu[as]dx?|smmulr?|usad8"),
    ("float_divide", r"vdiv|vsqrt"),
    ("float_multiply_add", r"vn?ml[as]|vfn?m[as]"),
    ("float_move_pair", r"vmov_pair"),
    ("float_status", r"vmrs|vmsr"),
    ("float", r"v\w+"),
    ("system", r"mrs|msr|dmb|dsb|isb|cps\w*|svc|bkpt|wfi|wfe|sev|clrex"),
    ("data", r"[a-z]\w*"),
)

KINDS = tuple(dict.fromkeys([*(kind for kind, _ in _KINDS), "conditional_branch", "move_pc"]))

_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)
_BRANCHES = re.compile(rf"b{_CONDITION}$")
_CONDITIONAL = re.compile(rf"{_CONDITION}$")

# Names that end like a condition, and are none.
_WHOLE_NAMES = frozenset(
    {"teq", "mls", "smmls", "umlal", "smlal", "vmls", "bics", "lsls", "adcs", "sbcs", "movs", "muls", "vcvt", "svc"}
    | {"umaal", "vnmls", "vfms", "vfnms", "vabs", "smlals", "cps"}
)

_ALIAS = {"ip": "r12", "fp": "r11", "sl": "r10", "sb": "r9"}
_REGISTER = re.compile(r"\b(?:r\d+|sp|lr|pc|ip|fp|sl|sb|s\d+|d\d+)\b")
_NUMBERED = {f"r{number}": number for number in range(13)} | {"sp": 13, "lr": 14, "pc": 15}

_LINE = re.compile(r"^ *([0-9a-f]+):\t([0-9a-f]{4}(?: ?[0-9a-f]{4})?) *\t([^\s.]\S*)(?:\t(.*))?$", re.MULTILINE)


def _registers(text: str) -> frozenset[str]:
    return frozenset(_ALIAS.get(name, name) for name in _REGISTER.findall(text))


def _kind(name: str, operands: str) -> str:
    """What an instruction is; `name` without width and type."""
    if _BRANCHES.match(name) and name != "bal":
        return "conditional_branch"
    plain = name if name in _WHOLE_NAMES or name.startswith(("it", "cb")) else _CONDITIONAL.sub("", name)
    if plain == "vmov" and len(re.findall(r"\br\d+\b", operands)) == 2:
        name = plain = "vmov_pair"
    for candidate in dict.fromkeys((name, plain)):
        kind = next((kind for kind, pattern in _PATTERNS[:-1] if pattern.fullmatch(candidate)), None)
        if kind is not None:
            break
    else:
        kind = "data"
    if kind == "data" and re.match(r"(?:mov|add)s?$", plain) and re.match(r"pc\b", operands):
        return "move_pc"
    return kind


def _listed(operands: str) -> list[str]:
    """The registers of a list in braces."""
    inside = operands[operands.index("{") + 1 : operands.index("}")]
    found: list[str] = []
    for part in (part.strip() for part in inside.split(",")):
        first, _, last = part.partition("-")
        first, last = _ALIAS.get(first, first), _ALIAS.get(last, last)
        if not last:
            found.append(first)
        elif first in _NUMBERED:
            names = list(_NUMBERED)
            found += names[_NUMBERED[first] : _NUMBERED[last] + 1]
        else:
            found += [f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)]
    return found


def decoded(address: int, size: int, full_name: str, operands: str) -> Instruction:
    """One instruction of its text.

    Args:
        full_name: with width and type, as objdump writes it ("ldmia.w", "vmla.f32").
        operands: without comment.
    """
    name = full_name.split(".")[0]
    kind = _kind(name, operands)
    words, to_pc, writes_back, indexed = 0, False, False, False
    writes: frozenset[str] = frozenset()
    at: frozenset[str] = frozenset()
    if kind in ("load_multiple", "store_multiple"):
        listed = _listed(operands)
        words = sum(2 if register.startswith("d") else 1 for register in listed)
        base = operands[: operands.index("{")]
        at, writes_back = _registers(base) or frozenset({"sp"}), "!" in base or not base.strip()
        if kind == "load_multiple":
            writes, to_pc = frozenset(listed), "pc" in listed
    elif kind in ("load", "store", "load_double", "store_double"):
        target, _, rest = operands.partition("[")
        at = _registers(rest)
        inside, _, behind = rest.partition("]")
        writes_back = behind.startswith("!") or bool(behind.strip(" ,"))
        indexed = len(_registers(inside)) > 1
        if kind.startswith("load"):
            writes = _registers(target)
            to_pc = kind == "load" and "pc" in writes
        if kind in ("load", "store") and name.startswith("v") and re.match(r"d\d", operands):
            words = 2
    elif not re.match(r"cmp|cmn|tst|teq|nop|vcmp", name) and "branch" not in kind:
        parts = operands.split(",")
        both = kind in ("multiply_long", "multiply_add_long") or re.match(r"smlald|smlsld|smlal", name)
        writes = _registers(",".join(parts[: 2 if both else 1]))
    return Instruction(address, size, name, operands, kind, words, writes, at, to_pc, writes_back, indexed)


class Listing(Mapping[int, Instruction]):
    """The instructions of what `objdump -d` prints, by address; each is decoded when it is first asked for.

    An inference executes a part of a firmware's code.
    """

    def __init__(self, text: str) -> None:
        self._lines = {int(line[1], 16): line for line in _LINE.finditer(text)}
        self._decoded: dict[int, Instruction] = {}

    def __getitem__(self, address: int) -> Instruction:
        found = self._decoded.get(address)
        if found is None:
            line = self._lines[address]
            operands = re.sub(r"\s*[;@].*", "", line[4] or "").strip()
            found = decoded(address, len(line[2].replace(" ", "")) // 2, line[3], operands)
            self._decoded[address] = found
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def instructions_of(elf: Path, architecture: Architecture = ARM) -> Mapping[int, Instruction]:
    """A firmware's instructions by address.

    Raises:
        ToolError: the compiler's objdump is not there, or it fails.
    """
    program = shutil.which(f"{architecture.tools}objdump")
    if program is None:
        raise ToolError(f"{architecture.tools}objdump was not found", hint=architecture.how_to_install_compiler())
    try:
        result = subprocess.run(
            [program, "-d", "-w", str(elf)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError("the firmware cannot be disassembled", where=str(elf)) from error
    return Listing(result.stdout)

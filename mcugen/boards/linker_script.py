"""A user's own linker script, made fit for our start-up code.

The script stays as it is but for additions: our vector table and build id come first in flash, and our start-up's names
are given to the places that the script marks with its own. Scripts of three kinds are known: those with our names, with
ST's (CubeMX, CubeIDE), and with CMSIS's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mcugen.boards.types import Board, Region
from mcugen.errors import BoardError

MAX_BYTES = 256 * 1024

_DIALECTS: Mapping[str, Mapping[str, str]] = {
    "ours": {
        name: name
        for name in (
            "mcg_data_start",
            "mcg_data_end",
            "mcg_data_image",
            "mcg_bss_start",
            "mcg_bss_end",
            "mcg_stack_top",
        )
    },
    "ST's": {
        "mcg_data_start": "_sdata",
        "mcg_data_end": "_edata",
        "mcg_data_image": "_sidata",
        "mcg_bss_start": "_sbss",
        "mcg_bss_end": "_ebss",
        "mcg_stack_top": "_estack",
    },
    "CMSIS's": {
        "mcg_data_start": "__data_start__",
        "mcg_data_end": "__data_end__",
        "mcg_data_image": "__etext",
        "mcg_bss_start": "__bss_start__",
        "mcg_bss_end": "__bss_end__",
        "mcg_stack_top": "__StackTop",
    },
}
"""Kind of script → our name → its name of the same place."""

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_REGION = re.compile(
    r"(?P<name>\w+)\s*(?:\((?P<attributes>[\w!\s]*)\))?\s*:\s*(?:ORIGIN|org|o)\s*=\s*(?P<origin>[^,\n]+?)\s*,"
    r"\s*(?:LENGTH|len|l)\s*=\s*(?P<size>[^\s}]+(?:[ \t]*[-+*/][^\n}]*)?)"
)
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)([kKmM]?)")


@dataclass(frozen=True)
class _Memory:
    name: str
    attributes: str
    origin: int
    size: int


def with_linker_script(board: Board, path: str | Path | None) -> Board:
    """The board with the memories of the user's linker script, and the script's text.

    Args:
        path: the script; None where the user named none.

    Raises:
        BoardError: the board needs a script and there is none, or the other way round; or one that cannot be read or
            has not what start-up needs.
    """
    if path is None:
        if board.own_linker_script:
            raise BoardError(
                f"{board.name} is a generic board, whose memories are unknown",
                where="`linker_script`",
                hint="Pass the linker script that came with your chip: `linker_script=FILE.ld`",
            )
        return board
    if not board.own_linker_script:
        raise BoardError(
            f"{board.name} has a linker script already",
            where="`linker_script`",
            hint="Omit it, or choose a board cortex-m…, which takes one",
        )
    where = str(path)
    text = _read(Path(path), where)
    code = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)  # positions stay the same
    memories = _memories(code, where)
    flash = _chosen(memories, r"(?i).*(flash|rom)\w*", "x", "w", where)
    ram = _chosen(memories, r"(?i)s?ram\d*", "w", "", where)
    symbols = _dialect(code, where)
    script = _adapted(text, code, flash.name, ram.name, symbols, board.stack_bytes, where)
    return replace(
        board,
        flash=Region("flash", flash.origin, flash.size),
        ram=Region("ram", ram.origin, ram.size),
        linker_script=script,
    )


def _read(path: Path, where: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BoardError(f"the linker script cannot be read: {error.strerror}", where=where) from error
    if len(data) > MAX_BYTES:
        raise BoardError(f"larger than {MAX_BYTES} bytes, so not a linker script", where=where)
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BoardError("the linker script is not UTF-8 text", where=where) from error


def _memories(code: str, where: str) -> list[_Memory]:
    block = re.search(r"\bMEMORY\s*\{(.*?)\}", code, re.DOTALL)
    found = []
    for region in _REGION.finditer(block[1] + "\n" if block else ""):
        origin, size = _number(region["origin"]), _number(region["size"])
        if origin is None or size is None:
            raise BoardError(
                f"origin or length of its region {region['name']} is not a plain number",
                where=where,
                hint="Write numbers such as 0x20000000 and 128K there",
            )
        if origin % 16 or size % 16 or not 1024 <= size <= 1 << 31 or origin + size > 1 << 32:
            raise BoardError(f"its region {region['name']} has an impossible address or size", where=where)
        found.append(_Memory(region["name"], (region["attributes"] or "").lower(), origin, size))
    if not found:
        raise BoardError(
            "the linker script has no MEMORY { … } with regions",
            where=where,
            hint="Pass the whole script, not one that includes it",
        )
    return found


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text.strip().rstrip(",").strip())
    if found is None:
        return None
    digits = found[1]
    octal = digits.isdigit() and digits.startswith("0")  # as the linker reads it
    if octal and re.search("[89]", digits):
        return None
    return int(digits, 8 if octal else 0) * {"": 1, "k": 1024, "m": 1024 * 1024}[found[2].lower()]


def _chosen(memories: list[_Memory], names: str, needs: str, lacks: str, where: str) -> _Memory:
    """The region of a kind: by its name, or else the only one with such attributes."""
    by_name = [memory for memory in memories if re.fullmatch(names, memory.name)]
    by_attribute = [m for m in memories if needs in m.attributes and not (lacks and lacks in m.attributes)]
    for found in (by_name, by_attribute):
        if len(found) == 1:
            return found[0]
    kind = "RAM" if needs == "w" else "flash"
    shown = ", ".join(memory.name for memory in memories)
    raise BoardError(
        f"it is not clear which of its regions ({shown}) is the {kind}",
        where=where,
        hint=f"Name it {'RAM' if needs == 'w' else 'FLASH'} in a copy of the script",
    )


def _dialect(code: str, where: str) -> Mapping[str, str]:
    """Our names → the script's, of the kind of script that this is."""
    words = set(re.findall(r"[\w.]+", code))
    missing = {kind: sorted(set(names.values()) - words) for kind, names in _DIALECTS.items()}
    for kind, lacking in missing.items():
        if not lacking:
            return _DIALECTS[kind]
    closest = min(missing, key=lambda kind: len(missing[kind]))
    raise BoardError(
        f"the linker script does not define {', '.join(missing[closest])}, which scripts with {closest} names do",
        where=where,
        hint="Start-up needs the places of .data, of its image in flash, of .bss, and the top of the stack",
    )


def _adapted(
    text: str, code: str, flash: str, ram: str, symbols: Mapping[str, str], stack_bytes: int, where: str
) -> str:
    sections = re.search(r"\bSECTIONS\s*\{", code)
    if sections is None:
        raise BoardError("the linker script has no SECTIONS { … }", where=where)
    first = f"""
  /* Added by mcugen: the vector table comes first, and the host knows the firmware by its build id. */
  .mcg_vectors : {{ KEEP(*(.mcg_vectors)) }} > {flash}
  .note.gnu.build-id :
  {{
    mcg_build_id_start = .;
    KEEP(*(.note.gnu.build-id))
    mcg_build_id_end = .;
  }} > {flash}
"""
    names = "".join(f"{ours} = {theirs};\n" for ours, theirs in symbols.items() if ours != theirs)
    last = f"""
/* Added by mcugen: its start-up's names of what this script defines. */
{names}mcg_stack_bottom = mcg_stack_top - {stack_bytes};
mcg_init_array_start = 0;
mcg_init_array_end = 0;
ASSERT(mcg_bss_end <= mcg_stack_bottom || mcg_stack_top <= mcg_data_start, "{ram} is too small for variables and stack")
ASSERT(mcg_data_start % 4 == 0 && mcg_data_end % 4 == 0, ".data has to begin and end at multiples of 4")
ASSERT(mcg_data_image % 4 == 0, "the image of .data has to begin at a multiple of 4")
ASSERT(mcg_bss_start % 4 == 0 && mcg_bss_end % 4 == 0, ".bss has to begin and end at multiples of 4")
ASSERT(mcg_stack_bottom % 8 == 0, "the stack has to end at a multiple of 8")
"""
    return f"{text[: sections.end()]}{first}{text[sections.end() :].rstrip()}\n{last}"

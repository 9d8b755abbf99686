"""The most stack that an inference takes: the compiler's call graph, and what the machine code pushes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcugen.errors import ToolError
from mcugen.evidence.tools import beside, require, run_tool

INDIRECT = "__indirect_call"


@dataclass
class Function:
    """A function: its own bytes of stack, None where only its name is known, and the functions that it calls."""

    own: int | None = None
    bounded: bool = True
    calls: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Bound:
    """The deepest chain of calls from a function.

    Attributes:
        bytes: None where there is no bound, for the reasons in `problems`.
        chain: functions with their own bytes, the caller first.
    """

    function: str
    bytes: int | None
    chain: tuple[tuple[str, int], ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "function": self.function,
            "bytes": self.bytes,
            "chain": [{"function": name, "bytes": own} for name, own in self.chain],
            "problems": list(self.problems),
        }


_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
_OWN = re.compile(r"\\n(\d+) bytes \(([^)]*)\)")


def call_graph(text: str) -> dict[str, Function]:
    """The functions of a file that GCC wrote with -fcallgraph-info=su."""
    found: dict[str, Function] = {}
    for title, label in _NODE.findall(text):
        node = found.setdefault(_short(title), Function())
        if own := _OWN.search(label):
            node.own = int(own[1])
            node.bounded = "dynamic" not in own[2] or "bounded" in own[2]
    for source, target in _EDGE.findall(text):
        found.setdefault(_short(source), Function()).calls.add(_short(target))
    return found


def _short(title: str) -> str:
    """A function's name: static ones have their file before it."""
    return title.rpartition(":")[2]


_START = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_PUSH = re.compile(r"\t(?:push|stmdb\tsp!,|stmfd\tsp!,|vpush)\S*\s*\{([^}]*)\}")
_SUB = re.compile(r"\tsub(?:w|\.w|s)?\tsp, (?:sp, )?#(\d+)")
_STORE = re.compile(r"\tstr\S*\t.*\[sp, #-(\d+)\]!")
_CALL = re.compile(r"\tb(?:l|lx|\S*)?(?:\.w|\.n)?\t[0-9a-f]+ <([^>+]+)>")
_THROUGH = re.compile(r"\tblx\tr\d|\tbx\tr(?!14)\d|\tmov\tpc, r")


def machine_code(listing: str) -> dict[str, Function]:
    """The functions of an objdump listing for Arm. A bound from above: everything pushed anywhere in it counts."""
    found: dict[str, Function] = {}
    current: Function | None = None
    name = ""
    for line in listing.splitlines():
        if start := _START.match(line):
            name = start[1]
            current = found.setdefault(name, Function(own=0))
        if current is None:
            continue
        assert current.own is not None
        if pushed := _PUSH.search(line):
            current.own += _registers(pushed[1])
        elif taken := (_SUB.search(line) or _STORE.search(line)):
            current.own += int(taken[1])
        elif called := _CALL.search(line):
            if called[1] != name:
                current.calls.add(called[1])
        elif _THROUGH.search(line):
            current.calls.add(INDIRECT)
    return found


def _registers(listed: str) -> int:
    """Bytes of registers as objdump lists them, {r4, r5, lr} or {d8-d10}."""
    total = 0
    for part in listed.replace(" ", "").split(","):
        size = 8 if part.startswith("d") else 4
        first, dash, last = part.partition("-")
        total += size * (int(last[1:]) - int(first[1:]) + 1 if dash else 1)
    return total


def bound(functions: Mapping[str, Function], start: str, others: Mapping[str, Function]) -> Bound:
    """The deepest chain of calls.

    Args:
        functions: the model's own.
        others: of the libraries that it calls, by machine code.
    """
    problems: list[str] = []
    deepest: dict[str, tuple[int, tuple[tuple[str, int], ...]]] = {}

    def depth(name: str, above: tuple[str, ...]) -> tuple[int, tuple[tuple[str, int], ...]]:
        if name in above:
            problems.append(f"{name} is recursive")
            return 0, ()
        if name in deepest:
            return deepest[name]
        known = functions.get(name)
        node = known if known is not None and known.own is not None else others.get(name)
        if node is None or node.own is None:
            what = f"{above[-1]} calls through a pointer" if name == INDIRECT else f"the stack of {name} is not known"
            problems.append(what)
            return 0, ()
        if not node.bounded:
            problems.append(f"the stack of {name} depends on data")
        below = max((depth(called, (*above, name)) for called in sorted(node.calls)), default=(0, ()))
        deepest[name] = (node.own + below[0], ((name, node.own), *below[1]))
        return deepest[name]

    total, chain = depth(start, ())
    return Bound(start, None if problems else total, chain, tuple(dict.fromkeys(problems)))


def stack_bound(compiler: str, flags: list[str], source: Path, elf: Path, name: str) -> dict[str, Bound]:
    """The bounds of a model's `invoke` and `init`, as the compiler builds it with these flags.

    Args:
        source: the model's C; its folder holds the kernels.
        elf: a firmware with the same model, for what the C library's functions take.
        name: the model's prefix.

    Raises:
        ToolError: the compiler or the disassembler failed.
    """
    folder = source.parent
    graph = source.with_suffix(".ci")
    built = run_tool([compiler, *flags, "-fcallgraph-info=su", "-c", source.name, "-o", f"{name}.o"], folder, name)
    if built.code != 0 or not graph.is_file():
        raise ToolError(f"the call graph was not written: {built.output[:2000]}", where=name)
    own = call_graph(graph.read_text())
    disassemble = [require(beside(compiler, "objdump"), "the compiler's package"), "-d"]
    listings = [run_tool([*disassemble, path], folder, name) for path in (f"{name}.o", str(elf))]
    if failed := next((listed for listed in listings if listed.code != 0), None):
        raise ToolError(f"the code was not disassembled: {failed.output[:2000]}", where=name)
    written, library = (machine_code(listed.output) for listed in listings)
    for function, node in own.items():  # the compiler does not know what assembly pushes
        if node.own is not None and function in written:
            node.own = max(node.own, written[function].own or 0)
    graph.unlink()
    source.with_name(f"{name}.o").unlink()
    return {what: bound(own, f"{name}_{what}", library) for what in ("invoke", "init")}

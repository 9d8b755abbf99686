"""Every small change of a C header that a careless hand could make: one operator, constant, condition or statement.

Comments, declarations of types, assembly, and what the host's preprocessor leaves out stay as they are. Macros that
are code (no strings in them) are changed like functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<space>\s+|\\\n|/\*.*?\*/|//[^\n]*)"
    r'|(?P<string>"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')'
    r"|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<operator><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]#])",
    re.DOTALL,
)

_REPLACED: Mapping[str, Sequence[str]] = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "<<": (">>",),
    ">>": ("<<",),
    "|": ("&",),
    "^": ("&",),
    "/": ("*",),
    "%": ("*",),
    "+=": ("-=",),
    "-=": ("+=",),
    "*=": ("+=",),
    "|=": ("&=",),
    "&=": ("|=",),
    "<<=": (">>=",),
    ">>=": ("<<=",),
    "++": ("--",),
    "--": ("++",),
    "?": ("&& 0 ?", "|| 1 ?"),
}
_REPLACED_BETWEEN: Mapping[str, str] = {"+": "-", "-": "+", "*": "+", "&": "|"}
"""Operators that are something else in front of an operand."""

_WORDS: Mapping[str, str] = {
    **{a: b for pair in (("mcg_min", "mcg_max"), ("mcg_low", "mcg_high")) for a, b in (pair, pair[::-1])},
    "mcg_even_bytes": "mcg_odd_bytes",
    "mcg_odd_bytes": "mcg_even_bytes",
    "mcg_pair": "mcg_pair_of_highs",
    "INT8_MIN": "INT8_MAX",
    "INT8_MAX": "INT8_MIN",
    "INT16_MIN": "INT16_MAX",
    "INT16_MAX": "INT16_MIN",
}

_HEAD = re.compile(r"^(?:(?:MCG_INLINE|MCG_SHARED)\b[^;{(]*?(\w+)\(|#define (\w+)\()", re.MULTILINE)
"""Of a function, or of a macro with arguments."""

_TYPE_WORDS = {
    "const",
    "void",
    "char",
    "int",
    "float",
    "double",
    "unsigned",
    "struct",
    "restrict",
    "static",
    "register",
}
_NOT_STATEMENTS = {"if", "for", "while", "else", "do", "switch", "return", "typedef", "__asm__", "case", "default"}


@dataclass(frozen=True)
class CMutant:
    """A changed text of a file.

    Attributes:
        function: the function or macro that the change is in; "" outside of all.
        line: number of the changed line.
        before, after: the lines it changes, as they are and as they become, in one line each.
    """

    number: int
    function: str
    line: int
    before: str
    after: str
    text: str


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def mutants(source: str, compiled: frozenset[int]) -> list[CMutant]:
    """All changes of a header, in the order of its lines.

    Args:
        source: the header.
        compiled: numbers of the lines that the host's preprocessor keeps.
    """
    tokens = _tokens(source)
    types = _types(tokens)
    found: dict[str, CMutant] = {}
    for start, end, text in sorted(_changes(tokens, _skipped(tokens, source), types)):
        line = source.count("\n", 0, start) + 1
        if line in compiled or _in_macro(source, start):
            mutant = _mutant(source, start, end, text, line, len(found))
            if mutant.text != source:
                found.setdefault(mutant.text, mutant)
    return list(found.values())


def _mutant(source: str, start: int, end: int, text: str, line: int, number: int) -> CMutant:
    changed = source[:start] + text + source[end:]
    begin = source.rfind("\n", 0, start) + 1
    stop, new_stop = source.find("\n", end), changed.find("\n", start + len(text))
    before, after = " ".join(source[begin:stop].split()), " ".join(changed[begin:new_stop].split())
    heads = list(_HEAD.finditer(source, 0, end))
    function = next((name for name in heads[-1].groups() if name), "") if heads else ""
    return CMutant(number, function, line, before, after, changed)


def _tokens(source: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise ValueError(f"not a token of C: {source[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group(), match.start()))
    return tokens


def _types(tokens: Sequence[_Token]) -> frozenset[str]:
    """Words that are types: the language's own, what ends like one, and names of ours that are not called."""
    pairs = zip(tokens, [*tokens[1:], _Token("operator", ";", 0)], strict=True)
    ours = {t.text for t, after in pairs if t.text.startswith("mcg_") and after.text != "("}
    standard = {t.text for t in tokens if t.kind == "word" and t.text.endswith("_t")}
    return frozenset(_TYPE_WORDS | ours | standard)


def _in_macro(source: str, at: int) -> bool:
    """Whether a place is in the body of a `#define`."""
    begin = source.rfind("\n", 0, at) + 1
    while begin > 1 and source[begin - 2] == "\\":
        begin = source.rfind("\n", 0, begin - 1) + 1
    return source[begin:].lstrip().startswith("#define")


def _skipped(tokens: Sequence[_Token], source: str) -> frozenset[int]:
    """Numbers of tokens that are not code: directives, types' declarations and assembly."""
    skipped: set[int] = set()
    n = 0
    while n < len(tokens):
        token = tokens[n]
        if token.text == "#":
            end = _line_end(source, token.start)
            last = n
            while last < len(tokens) and tokens[last].start < end:
                last += 1
            skipped |= set(_not_code(tokens, n, last))
            n = last
        elif token.text in ("typedef", "__asm__"):
            last = _statement_end(tokens, n)
            skipped |= set(range(n, last + 1))
            n = last + 1
        else:
            n += 1
    return frozenset(skipped)


def _not_code(tokens: Sequence[_Token], first: int, end: int) -> Iterator[int]:
    """Of the tokens of a directive: all but the body of a macro with arguments and without strings."""
    body = end
    is_macro = end - first > 3 and tokens[first + 1].text == "define" and tokens[first + 3].text == "("
    if is_macro and tokens[first + 3].start == tokens[first + 2].end:
        part = range(first, end)
        if not any(tokens[k].kind == "string" for k in part):
            body = _closing(tokens, first + 3) + 1
    yield from range(first, body)


def _line_end(source: str, start: int) -> int:
    end = source.find("\n", start)
    while source[end - 1] == "\\":
        end = source.find("\n", end + 1)
    return end


def _statement_end(tokens: Sequence[_Token], first: int) -> int:
    """The semicolon that ends the statement or declaration that begins here."""
    depth = 0
    for n in range(first, len(tokens)):
        depth += (tokens[n].text in "({[") - (tokens[n].text in ")}]")
        if tokens[n].text == ";" and depth == 0:
            return n
        if depth < 0:
            break
    return first


def _closing(tokens: Sequence[_Token], opening: int) -> int:
    depth = 0
    for n in range(opening, len(tokens)):
        depth += (tokens[n].text == "(") - (tokens[n].text == ")")
        if depth == 0:
            return n
    return opening


def _changes(
    tokens: Sequence[_Token], skipped: frozenset[int], types: frozenset[str]
) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text) of every change."""
    for n, token in enumerate(tokens):
        if n in skipped:
            continue
        before = tokens[n - 1] if n else token
        texts: list[str] = []
        if token.kind == "number":
            texts = _other_numbers(tokens, n, types)
        elif token.kind == "operator":
            texts = _other_operators(tokens, n, types)
        elif token.kind == "word" and token.text in _WORDS and before.text not in types:
            texts = [_WORDS[token.text]]
        for text in texts:
            yield token.start, token.end, text
        if token.text in ("if", "while"):
            close = tokens[_closing(tokens, n + 1)]
            for value in ("0", "1") if token.text == "if" else ("0",):
                yield tokens[n + 1].start, close.end, f"({value})"
        if _begins_statement(tokens, n, types):
            yield token.start, tokens[_statement_end(tokens, n)].end, ";"


def _other_numbers(tokens: Sequence[_Token], n: int, types: frozenset[str]) -> list[str]:
    digits = tokens[n].text.rstrip("uUlL")
    suffix = tokens[n].text[len(digits) :]
    value = int(digits, 0)
    if n > 2 and tokens[n - 1].text == "[" and tokens[n - 3].text in types:
        # The size of an array: a larger one is as good, and that of an argument means nothing.
        return [] if _in_parentheses(tokens, n - 1) else [f"{value - 1}"]
    return [f"{value + 1}{suffix}", f"{value - 1}{suffix}" if value else f"(-1{suffix})"]


def _other_operators(tokens: Sequence[_Token], n: int, types: frozenset[str]) -> list[str]:
    text = tokens[n].text
    if text == "!":
        return [""]
    if text in _REPLACED:
        return list(_REPLACED[text])
    if text not in _REPLACED_BETWEEN:
        return []
    if _is_between(tokens, n, types):
        return [_REPLACED_BETWEEN[text]]
    return [""] if text == "-" else []


def _is_between(tokens: Sequence[_Token], n: int, types: frozenset[str]) -> bool:
    """Whether the operator has an operand on its left."""
    before = tokens[n - 1]
    if before.kind in ("number", "string"):
        return True
    if before.kind == "word":
        return before.text not in types | {"return"}
    if before.text == ")":
        return not _is_cast(tokens, n - 1, types)
    return before.text == "]"


def _is_cast(tokens: Sequence[_Token], close: int, types: frozenset[str]) -> bool:
    depth, n = 0, close
    while n >= 0:
        depth += (tokens[n].text == ")") - (tokens[n].text == "(")
        if depth == 0:
            break
        n -= 1
    inside = tokens[n + 1 : close]
    is_call = n > 0 and tokens[n - 1].kind == "word" and tokens[n - 1].text not in types | {"return"}
    return bool(inside) and not is_call and all(t.text in types or t.text == "*" for t in inside)


def _begins_statement(tokens: Sequence[_Token], n: int, types: frozenset[str]) -> bool:
    """Whether a statement begins here that can be left out: no declaration, no return of a value."""
    token = tokens[n]
    before = tokens[n - 1].text if n else ""
    if before not in (";", "{", "}", "else") or _in_parentheses(tokens, n):
        return False
    if token.text == "return":
        return tokens[n + 1].text == ";"
    if token.kind == "word":
        is_declaration = token.text in types or token.text.isupper()
        return not is_declaration and token.text not in _NOT_STATEMENTS and tokens[n + 1].text != ":"
    return token.text in ("++", "--", "*")


def _in_parentheses(tokens: Sequence[_Token], n: int) -> bool:
    """Whether the nearest open bracket is a round one, as in the head of a loop."""
    depth = 0
    for token in reversed(tokens[:n]):
        if token.text in (")", "}", "]"):
            depth += 1
        elif token.text in ("(", "{", "["):
            if depth == 0:
                return token.text == "("
            depth -= 1
    return False

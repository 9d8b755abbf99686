"""Every small fault that a Python module can be given, each a change of its text at a place that its syntax tells.

Left alone are what no test should look at (docstrings, messages, annotations, decorators, imports, what is only for
type checkers) and statements whose removal only leaves a name undefined, which any test that runs them notices.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

_ORDERINGS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<")}
_COMPARISONS = {
    **_ORDERINGS,
    "==": ("!=",),
    "!=": ("==",),
    "is": ("is not",),
    "is not": ("is",),
    "in": ("not in",),
    "not in": ("in",),
}
_COMPARE_TOKENS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_OPERATORS: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.FloorDiv: ("//", ("*",)),
    ast.Div: ("/", ("*",)),
    ast.Mod: ("%", ("*",)),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.BitXor: ("^", ("|",)),
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
_WRAPPERS = frozenset({"abs", "reversed", "sorted"})
"""Functions whose call may be left away, so that only its first argument stays."""

_LOGGERS = frozenset({"log", "logger", "logging", "warnings"})


@dataclass(frozen=True)
class Mutant:
    """One fault: the text of the module from `start` to `end` (in bytes) is replaced.

    Attributes:
        function: qualified name of the function it is in; "" outside of all.
        line: number of the line where it begins.
        before, after: the lines it changes, as they are and as they become, in one line each.
        enclosing: first lines of the functions around it, as code objects tell them.
    """

    number: int
    start: int
    end: int
    text: str
    function: str
    line: int
    before: str
    after: str
    enclosing: tuple[int, ...]

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutants_of(source: bytes) -> list[Mutant]:
    """All faults of a module, in the order of its lines. Those that are no Python or change nothing are left out."""
    finder = _Finder(source)
    finder.visit_block(ast.parse(source).body)
    tree = ast.dump(ast.parse(source))
    found: list[Mutant] = []
    seen: set[bytes] = set()
    for mutant in sorted(finder.found, key=lambda m: (m.start, m.end)):
        mutated = mutant.apply(source)
        if mutated in seen:
            continue
        seen.add(mutated)
        try:
            changed = ast.dump(ast.parse(mutated)) != tree
        except SyntaxError:
            continue
        if changed:
            found.append(replace(mutant, number=len(found)))
    return found


class _Finder(ast.NodeVisitor):
    """Walks over a module and notes its faults."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0]
        for line in source.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._names: list[str] = []
        self._enclosing: list[int] = []
        self._bound: list[Counter[str]] = [Counter()]
        self.found: list[Mutant] = []

    # Places in the text

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _note(self, start: int, end: int, text: str) -> None:
        line = self._source.count(b"\n", 0, start)
        first, last = self._starts[line], self._source.find(b"\n", end)
        last = len(self._source) if last < 0 else last
        before, after = self._source[first:last], self._source[first:start] + text.encode() + self._source[end:last]
        self.found.append(
            Mutant(
                number=-1,
                start=start,
                end=end,
                text=text,
                function=".".join(self._names),
                line=line + 1,
                before=_in_one_line(before),
                after=_in_one_line(after),
                enclosing=tuple(self._enclosing),
            )
        )

    def _replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        self._note(*self._span(node), text)

    def _between(self, left: ast.expr, right: ast.expr, token: str, others: tuple[str, ...]) -> None:
        """Replace an operator between two operands."""
        start, end = self._span(left)[1], self._span(right)[0]
        pattern = r"\s+".join(re.escape(word) for word in token.split())
        word = token[0].isalpha()
        place = re.search(rf"\b{pattern}\b" if word else pattern, self._source[start:end].decode())
        if place is None:  # a comment stands between them, or the like
            return
        for other in others:
            self._note(start + place.start(), start + place.end(), other)

    # Statements

    def visit_block(self, body: list[ast.stmt]) -> None:
        for n, statement in enumerate(body):
            if n == 0 and _is_docstring(statement):
                continue
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            self.visit(default)
        self._names.append(node.name)
        self._enclosing.append(
            min(node.lineno, *(d.lineno for d in node.decorator_list)) if node.decorator_list else node.lineno
        )
        self._bound.append(_bindings(node))
        self.visit_block(node.body)
        self._bound.pop()
        self._enclosing.pop()
        self._names.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        self.visit_block([s for s in node.body if not _is_docstring(s)])
        self._names.pop()

    def visit_Import(self, node: ast.Import) -> None:
        pass

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        pass

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _is_logging(node.value):
            return
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return
        if all(self._may_go(target) for target in node.targets):
            self._replace(node, "pass")
        for target in node.targets:
            if not isinstance(target, ast.Name):
                self.visit(target)
        self.visit(node.value)

    def _may_go(self, target: ast.expr) -> bool:
        """Whether an assignment may be removed without a name left undefined."""
        if isinstance(target, ast.Name):
            return self._bound[-1][target.id] > 1
        return isinstance(target, (ast.Attribute, ast.Subscript))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            return
        if self._may_go(node.target) and not isinstance(node.target, ast.Name):
            self._replace(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        if type(node.op) in _OPERATORS:
            token, others = _OPERATORS[type(node.op)]
            self._between(node.target, node.value, f"{token}=", tuple(f"{other}=" for other in others))
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace(node, "pass")
            return
        if not isinstance(node.value, ast.Constant):
            self._replace(node, "return None")
        self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    def visit_Assert(self, node: ast.Assert) -> None:
        if not _narrows_a_type(node.test):
            self._replace(node, "pass")
            self._condition(node.test)

    def visit_If(self, node: ast.If) -> None:
        if _is_type_checking(node.test):
            return
        self._condition(node.test)
        self.visit_block(node.body)
        self.visit_block(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._replace(node.test, "False")
            self.visit(node.test)
        self.visit_block(node.body)
        self.visit_block(node.orelse)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.visit_block(node.body)
        self.visit_block(node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        self.visit_block(node.body)
        for handler in node.handlers:
            self.visit_block(handler.body)
        self.visit_block(node.orelse)
        self.visit_block(node.finalbody)

    # Expressions

    def _condition(self, test: ast.expr) -> None:
        self._replace(test, "True")
        self._replace(test, "False")
        self.visit(test)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        for branch in (node.body, node.orelse):
            self._replace(node, f"({self._text(branch)})")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        for test in node.ifs:
            self._replace(test, "True")
            self.visit(test)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, right, op in zip(operands, operands[1:], node.ops, strict=False):
            token = _COMPARE_TOKENS[type(op)]
            self._between(left, right, token, _COMPARISONS[token])
        for operand in operands:
            for part in operand.elts if isinstance(operand, (ast.Tuple, ast.Set, ast.List)) else (operand,):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    self._replace(part, repr(part.value + "~"))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        token, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, token, (other,))
        for dropped in node.values:
            self._replace(dropped, "True" if token == "and" else "False")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _OPERATORS and not (_is_text(node.left) or _is_text(node.right)):
            token, others = _OPERATORS[type(node.op)]
            self._between(node.left, node.right, token, others)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if not isinstance(node.op, ast.UAdd):
            self._replace(node, f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, str(not value))
        elif isinstance(value, int):
            self._replace(node, str(value + 1))
            self._replace(node, f"({value - 1})" if value < 1 else str(value - 1))
        elif isinstance(value, float):
            self._replace(node, repr(value * 2 if value else 1.0))
            self._replace(node, repr(value / 2 if value else -1.0))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        if isinstance(node.slice, ast.Constant) and node.slice.value == 0:
            self._replace(node.slice, "1")  # the last is often the first
        else:
            self.visit(node.slice)

    def visit_Slice(self, node: ast.Slice) -> None:
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                self._replace(part, "")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _NAMES:
            self._replace(node, _NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in _NAMES:
            _, end = self._span(node)
            self._note(end - len(node.attr), end, _NAMES[node.attr])
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _WRAPPERS and node.args:
            self._replace(node, self._text(node.args[0]))
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg != "strict":  # of zip: says what always holds
                self.visit(keyword.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A message, and before Python 3.12 its parts have no places in the text."""


def _in_one_line(text: bytes) -> str:
    return " ".join(text.decode().split())


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _is_logging(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    owner = value.func.value
    return isinstance(owner, ast.Name) and owner.id.lstrip("_") in _LOGGERS


def _narrows_a_type(test: ast.expr) -> bool:
    """Whether an assertion only tells type checkers what they cannot see."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name):
        return test.func.id == "isinstance"
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.IsNot)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value is None
    )


def _bindings(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Counter[str]:
    """How often each name is bound in a function; its arguments count."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return Counter([*names, *_stored_names(function)])


def _stored_names(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id

"""What a `.pt2` file may hold. While it loads one, PyTorch runs code that is hidden in it; this refuses it first."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcugen.errors import ModelError
from mcugen.reading import parsing, unpacked_bytes

_MAX_BYTES = 1 << 30
_MEMBER = re.compile(
    r"[^/]+/(models/model\.json|data/(weights|constants|sample_inputs)/[\w.-]+|extra/[\w./-]+"
    r"|archive_(format|version)|byteorder|\.data/[\w.-]+|\.format_version|\.storage_alignment|version)"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|higher_order|torchvision|quantized_decomposed)\.\w+(\.\w+)?"
    r"|torch\.sym_\w+"
    r"|_operator\.(getitem|add|sub|mul|neg|pow|mod|floordiv|truediv|eq|ne|lt|le|gt|ge|and_|or_)"
)
_IN_EXPRESSIONS = frozenset(
    {
        "Symbol",
        "Integer",
        "Rational",
        "Float",
        "Add",
        "Mul",
        "Pow",
        "Mod",
        "PythonMod",
        "Min",
        "Max",
        "FloorDiv",
        "CeilDiv",
        "CleanDiv",
        "IntTrueDiv",
        "True",
        "False",
        "true",
        "false",
        "oo",
        "int_oo",
        "Eq",
        "Ne",
        "Equality",
        "Unequality",
        "StrictLessThan",
        "StrictGreaterThan",
        "LessThan",
        "GreaterThan",
        "And",
        "Or",
        "Not",
    }
)
_SYMBOL = re.compile(r"[su]\d+")
_HINT = "Export it again, with a fixed input shape: torch.export.save(torch.export.export(model.eval(), (x,)), path)"


def check_archive(path: Path) -> None:
    """Raises:
    ModelError: damaged, compiled, from an old PyTorch, or with anything that runs code when it is loaded.
    """
    where = str(path)
    with parsing(lambda _: ModelError("the PyTorch program is damaged", where=where, hint=_HINT)):
        if unpacked_bytes(path) > _MAX_BYTES:
            raise ModelError("the program is larger than any board here can hold", where=where)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            strange = next((n for n in names if not _MEMBER.fullmatch(n)), None)
            if strange is not None:
                raise ModelError(f'holds "{strange}", which no exported program needs', where=where, hint=_HINT)
            documents = {n: json.loads(archive.read(n)) for n in names if n.endswith(".json") and "/extra/" not in n}
    for key, value in (item for document in documents.values() for item in _items(document)):
        refusal = _refusal(key, value)
        if refusal:
            raise ModelError(f"the PyTorch program {refusal}", where=where, hint=_HINT)


def _refusal(key: str, value: Any) -> str:
    """Why an entry is not taken; empty if it is."""
    if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
        return f'holds the object "{str(value)[:80]}", which is no tensor'
    if key == "target" and isinstance(value, str) and not _OPERATOR.fullmatch(value):
        return f"uses {value[:80]}, which is none of PyTorch's own operators"
    if key == "expr_str" and not _is_arithmetic(value):
        return "holds an expression for a size that is more than arithmetic"
    if key == "guards_code" and value:
        return "depends on sizes that it checks with code of its own"
    return ""


def _is_arithmetic(text: Any) -> bool:
    if not isinstance(text, str) or len(text) > 2000:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    allowed = (
        ast.Expression,
        ast.Call,
        ast.keyword,
        ast.Constant,
        ast.Load,
        ast.UnaryOp,
        ast.BinOp,
        ast.operator,
        ast.unaryop,
        ast.Compare,
        ast.cmpop,
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id not in _IN_EXPRESSIONS and not _SYMBOL.fullmatch(node.id):
                return False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not _SYMBOL.fullmatch(node.value):  # the name of a Symbol
                return False
        elif not isinstance(node, allowed):
            return False
    return True


def _items(document: Any) -> Iterator[tuple[str, Any]]:
    """All keys and values of a JSON document."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from value.items()
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)

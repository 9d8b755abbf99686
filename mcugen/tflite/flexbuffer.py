"""Reads a FlexBuffer map of numbers, the form that options of custom ops have.

The bytes are a stranger's: every offset is checked, nothing is followed but the map itself, and its keys must be in
order, as the format demands and as TensorFlow Lite's reader looks them up.
"""

from __future__ import annotations

import struct

_NULL, _INT, _UINT, _FLOAT, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _BOOL = 0, 1, 2, 3, 6, 7, 8, 9, 26
_SIGNED = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UNSIGNED = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_REAL = {4: "<f", 8: "<d"}
_MOST_KEYS = 256
_LONGEST_KEY = 64

Number = bool | int | float


def read_numbers(raw: bytes) -> dict[str, Number]:
    """The numbers of a map by their keys; values of other kinds (text, vectors) and null are left out.

    Raises:
        ValueError: the bytes are no FlexBuffer whose root is a map.
    """
    if len(raw) < 3:
        raise ValueError("the options are no FlexBuffer: they are too short")
    width, kind = raw[-1], raw[-2]
    if width not in _UNSIGNED or kind >> 2 != _MAP:
        raise ValueError("the options are no FlexBuffer map")
    place = len(raw) - 2 - width
    start = place - _unsigned(raw, place, width)
    return _map(raw, start, 1 << (kind & 3))


def _map(raw: bytes, start: int, width: int) -> dict[str, Number]:
    count = _unsigned(raw, start - width, width)
    key_width = _unsigned(raw, start - 2 * width, width)
    keys = start - 3 * width - _unsigned(raw, start - 3 * width, width)
    if count > _MOST_KEYS or key_width not in _UNSIGNED or _unsigned(raw, keys - key_width, key_width) != count:
        raise ValueError("the options' FlexBuffer map is damaged")
    found: dict[str, Number] = {}
    last = ""
    for n in range(count):
        place = keys + n * key_width
        key = _key(raw, place - _unsigned(raw, place, key_width))
        if n and key <= last:
            raise ValueError("the keys of the options' FlexBuffer map are not in order")
        last = key
        value = _number(raw, start + n * width, width, _unsigned(raw, start + count * width + n, 1))
        if value is not None:
            found[key] = value
    return found


def _number(raw: bytes, place: int, width: int, packed: int) -> Number | None:
    kind = packed >> 2
    if kind in (_INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT):
        place, width = place - _unsigned(raw, place, width), 1 << (packed & 3)
        kind += _INT - _INDIRECT_INT
    if kind == _BOOL:
        return _unsigned(raw, place, width) != 0
    formats = {_INT: _SIGNED, _UINT: _UNSIGNED, _FLOAT: _REAL}.get(kind)
    if formats is None:
        return None
    if width not in formats:
        raise ValueError(f"the options hold a float of {width} bytes")
    number: Number = struct.unpack(formats[width], _bytes(raw, place, width))[0]
    return number


def _key(raw: bytes, place: int) -> str:
    if not 0 <= place < len(raw):
        raise ValueError("a key of the options lies outside of them")
    end = raw.find(b"\0", place, place + _LONGEST_KEY + 1)
    if end < 0:
        raise ValueError("a key of the options has no end")
    return raw[place:end].decode("latin-1")


def _unsigned(raw: bytes, place: int, width: int) -> int:
    return int.from_bytes(_bytes(raw, place, width), "little")


def _bytes(raw: bytes, place: int, width: int) -> bytes:
    if place < 0 or place + width > len(raw):
        raise ValueError("the options' FlexBuffer points outside of them")
    return raw[place : place + width]

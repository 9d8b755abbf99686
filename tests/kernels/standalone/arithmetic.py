"""The kernels' arithmetic, function by function, against exact whole numbers over arguments at every limit."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np

from mcugen.resources import resource_dir
from tests.kernels.standalone.program import CASES, KERNELS

SOURCE = Path(__file__).parent / "arithmetic.c"
HEADERS = ("mcg_compiler.h", "mcg_common.h", "mcg_requantize.h", "mcg_dsp.h", "mcg_filter_s16.h")

LOW, HIGH = -(1 << 31), (1 << 31) - 1
_EDGES = (0, 1, 2, 3, 5, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x40000000, 0x7FFF0000, HIGH)
_MULTIPLIERS = (0, 1 << 30, (1 << 30) + 1, 0x5A827999, 0x7FFFFFFE, HIGH)

Row = tuple[int, int, int, int, int, int, int]


def write_arithmetic(folder: Path) -> None:
    """A program that calls every function, and the rows it compares."""
    (folder / KERNELS).mkdir(parents=True)
    for header in (resource_dir("firmware") / KERNELS).rglob("*.h"):
        if header.name in HEADERS:
            shutil.copy(header, folder / KERNELS)
    shutil.copy(SOURCE, folder)
    rows = [row for function in (_whole, _requantized, _wide, _bytes) for row in function()]
    (folder / CASES).write_bytes(np.array(rows, np.int64).tobytes())


def _row(function: int, wanted: int, *arguments: int) -> Row:
    a, b, c, d, e = (*arguments, *[0] * (5 - len(arguments)))
    return function, a, b, c, d, e, wanted


def _numbers(count: int) -> list[int]:
    """Limits of both signs, then random numbers of every size."""
    rng = np.random.default_rng(count)
    edges = sorted({n for edge in _EDGES for n in (edge, -edge, -edge - 1)})
    sizes = zip(rng.integers(LOW, HIGH, count), rng.integers(0, 31, count), strict=True)
    return edges + [int(n) >> int(bits) for n, bits in sizes]


def signed(value: int, bits: int = 32) -> int:
    """The low bits of a number as two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def nearest_up(real: Fraction) -> int:
    """To nearest, ties up."""
    return floor(real + Fraction(1, 2))


def nearest_away(real: Fraction) -> int:
    """To nearest, ties away from zero."""
    return nearest_up(real) if real >= 0 else -nearest_up(-real)


def mul_high(a: int, b: int) -> int:
    return nearest_up(Fraction(a * b, 1 << 31))


def _whole() -> Iterator[Row]:
    for a, b in itertools.product(_numbers(20), repeat=2):
        yield _row(0, min(a, b), a, b)
        yield _row(1, max(a, b), a, b)
        if (a, b) != (LOW, LOW):
            yield _row(4, mul_high(a, b), a, b)
            yield _row(5, mul_high(a, b), a, b)
        yield _row(6, min(mul_high(a, b), HIGH), a, b)
    for a, (low, high) in itertools.product(_numbers(20), ((-128, 127), (LOW, HIGH), (3, 3), (-5, 100))):
        yield _row(2, min(max(a, low), high), a, low, high)
    for a, bits in itertools.product((*_numbers(60), *range(-70, 70)), range(32)):
        yield _row(3, signed(a << bits), a, bits)
        yield _row(7, nearest_away(Fraction(a, 1 << bits)), a, bits)


def _requantized() -> Iterator[Row]:
    """Functions 8 to 11; the short ones where they may be used."""
    for value, multiplier, shift in itertools.product(_numbers(40), _MULTIPLIERS, range(-31, 31)):
        shifted = signed(value << max(shift, 0))
        product = mul_high(shifted, multiplier)
        wanted = nearest_away(Fraction(product, 1 << max(-shift, 0)))
        yield _row(8, wanted, value, multiplier, shift)
        if shift > -1 or abs(value) >= 1 << 30:
            continue
        yield _row(9, wanted, value, multiplier, shift)
        if multiplier:
            doubled = signed(2 * multiplier)
            yield _row(10, wanted, value, doubled, -shift)
            for zero in (-128, -3, 127):
                yield _row(11, min(max(wanted + zero, -128), 127), value, doubled, -shift, zero)


def _wide() -> Iterator[Row]:
    """mcg_requantize_wide: sums of up to 47 bits, whose products with 15 bits of multiplier leave 32 bits wrapped."""
    rng = np.random.default_rng(3)
    sums = [0, 1, -1, (1 << 47) - 1, 1 - (1 << 47), 1 << 32, -(1 << 32)]
    sums += [
        int(n) >> int(s) for n, s in zip(rng.integers(-(1 << 46), 1 << 46, 40), rng.integers(0, 46, 40), strict=True)
    ]
    for value, multiplier, shift in itertools.product(sums, (0, 1, 1 << 14, 0x5A82, 0x7FFF), range(-31, 8)):
        yield _row(12, signed(nearest_up(Fraction(value * multiplier, 1 << (15 - shift)))), value, multiplier, shift)


def _pair(low: int, high: int) -> int:
    return signed((low & 0xFFFF) | (high & 0xFFFF) << 16)


def _halves(word: int) -> tuple[int, int]:
    return signed(word, 16), signed(word >> 16, 16)


def _of_bytes(word: int) -> tuple[int, int, int, int]:
    b0, b1, b2, b3 = (signed(word >> (8 * n), 8) for n in range(4))
    return b0, b1, b2, b3


def _bytes() -> Iterator[Row]:
    rng = np.random.default_rng(4)
    words = [0, -1, 0x7F7F7F7F, signed(0x80808080), signed(0x80FF7F01), signed(0x8000FFFF), 0x7FFF0001]
    words += [int(n) for n in rng.integers(LOW, HIGH, 40)]
    for a in words:
        b0, b1, b2, b3 = _of_bytes(a)
        low, high = _halves(a)
        yield _row(13, low, a)
        yield _row(14, high, a)
        yield _row(17, _pair(b0, b2) & 0xFFFFFFFF, a)
        yield _row(18, _pair(b1, b3) & 0xFFFFFFFF, a)
        yield _row(23, a & 0xFFFFFFFF, a)
        yield _row(24, a & 0xFFFFFFFF, a)
    for a, b in itertools.product(words, repeat=2):
        (low, high), (low2, high2) = _halves(a), _halves(b)
        b0, b1, b2, b3 = _of_bytes(b)
        larger = [max(pair) & 0xFF for pair in zip(_of_bytes(a), _of_bytes(b), strict=True)]
        unsigned = 0xFFFFFFFF
        yield _row(15, _pair(low, low2) & unsigned, a, b)
        yield _row(16, _pair(high, high2) & unsigned, a, b)
        total = low * low2 + high * high2
        if total - 1234 >= LOW and abs(low * low2) + abs(high * high2) < HIGH - 1234:
            yield _row(19, total - 1234, a, b, -1234)
        yield _row(20, int.from_bytes(bytes(larger), "little"), a, b)
        yield _row(21, _pair(low + b0, high + b2) & unsigned, a, b)
        yield _row(22, _pair(low + b1, high + b3) & unsigned, a, b)

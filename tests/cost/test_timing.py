"""Cycles of code that was written by hand, against the sums that the cores' manuals give."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcugen.boards.shipped import load_board
from mcugen.cost import rules
from mcugen.cost.decode import KINDS, Instruction, decoded, instructions_of
from mcugen.cost.estimate import estimate
from mcugen.cost.rules import core_timing, timed_cores
from mcugen.cost.timing import core_cycles, successions
from mcugen.cost.types import Accesses, Bounds, Counts
from mcugen.errors import McugenError, ToolError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TIMES = 10
"""How often the loops below go round."""

# Each instruction with its cycles: one figure, or low, nominal and high.
M4 = """
    ldr r1, [r0]                @ 2
    ldr r2, [r3]                @ 1     directly behind a load
    ldr r4, [r2]                @ 2     its address is what was just loaded
    ldrd r4, r5, [r0]           @ 3
    ldmia.w r0!, {r5, r6, r7}   @ 4
    smlad r1, r5, r6, r1        @ 1
    smlal r4, r5, r6, r1        @ 1
    add.w r8, r1, #4            @ 1
    str.w r1, [r8]              @ 1 2 2 the address was just computed
    strb r1, [r0, r2]           @ 2
    str r1, [r0], #4            @ 1 1 2
    vldr s0, [r0]               @ 2
    vmla.f32 s1, s0, s0         @ 3
    vdiv.f32 s1, s0, s0         @ 14
    cmp r0, r7                  @ 1
    it ne                       @ 0     behind a short one
    addne r0, #1                @ 1
    udiv r9, r1, r2             @ 2 7 12
    subs r3, #1                 @ 1
"""
M3 = """
    ldr r1, [r0]                @ 2
    ldr r2, [r3]                @ 1
    mla r1, r2, r3, r1          @ 2
    mul r1, r2, r1              @ 1
    smull r4, r5, r6, r1        @ 3 4 5
    smlal r4, r5, r6, r1        @ 4 6 7
    ssat r1, #8, r1             @ 1
    strb r1, [r0, r2]           @ 2
    stmdb sp!, {r4, r5}         @ 3
    subs r3, #1                 @ 1
"""
M0 = """
    ldr r1, [r0]                @ 2
    ldr r2, [r0, #4]            @ 2
    muls r1, r2                 @ 1
    ldmia r0!, {r4, r5, r6}     @ 4
    strb r1, [r0, r2]           @ 2
    push {r4, r5}               @ 3
    pop {r4, r5}                @ 3
    sxtb r1, r1                 @ 1
    subs r3, #1                 @ 1
"""
BRANCH = {"cortex-m4": (2, 2, 3), "cortex-m3": (2, 2, 3), "cortex-m0": (3, 3, 3), "cortex-m0plus": (2, 2, 2)}
"""A conditional branch that is taken to an instruction that begins at a word."""

CODE = {"cortex-m4": M4, "cortex-m3": M3, "cortex-m0": M0, "cortex-m0plus": M0}


def assembled(folder: Path, core: str, text: str) -> Mapping[int, Instruction]:
    source, elf = folder / "code.s", folder / "code.elf"
    source.write_text(f".syntax unified\n.thumb\n.text\n.balign 8\n{text}\n")
    fpu = ["-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"] if core == "cortex-m4" else []
    subprocess.run(["arm-none-eabi-as", f"-mcpu={core}", *fpu, "-o", elf, source], check=True)
    code = dict(instructions_of(elf))
    while code[max(code)].name == "nop":  # padding
        del code[max(code)]
    return code


def straight_line(code: Mapping[int, Instruction], times: int = 1, last: int | None = None) -> Counts:
    """All the code, so often, each time from its first instruction on."""
    addresses = sorted(code)
    end = addresses[-1] if last is None else last
    edges = {(end, addresses[0]): times - 1} if times > 1 else {}
    return Counts({(addresses[0], len(addresses)): times}, edges)


def total(cycles: Mapping[int, Bounds]) -> tuple[float, float, float]:
    whole = sum(cycles.values(), Bounds(0, 0, 0))
    return whole.low, whole.nominal, whole.high


@pytest.mark.emulator
@pytest.mark.parametrize("core", CODE)
def test_a_loop_takes_what_the_manual_says(core: str, tmp_path: Path) -> None:
    code = assembled(tmp_path, core, f"loop:{CODE[core]}    bne loop\n")
    expected = [line.partition("@")[2].split() for line in CODE[core].strip().splitlines()]
    figures = [[int(f) for f in line if f.isdigit()] for line in expected]
    figures = [f * 3 if len(f) == 1 else f for f in figures]
    timing = core_timing(core)
    assert timing is not None
    cycles = core_cycles(straight_line(code, TIMES), code, timing)
    for address, figure in zip(sorted(code), figures, strict=False):
        found = cycles.get(address, Bounds(0, 0, 0))
        assert [found.low, found.nominal, found.high] == [TIMES * each for each in figure], code[address]
    branch = [TIMES + (TIMES - 1) * (each - 1) for each in BRANCH[core]]
    assert [*total({0: cycles[max(code)]})] == branch
    assert total(cycles) == tuple(sum(TIMES * f[i] for f in figures) + branch[i] for i in range(3))


@pytest.mark.emulator
@pytest.mark.parametrize(("core", "call", "back", "pop"), [("cortex-m0", 4, 3, 4 + 2), ("cortex-m0plus", 3, 2, 3 + 2)])
def test_calls_and_returns(core: str, call: int, back: int, pop: int, tmp_path: Path) -> None:
    code = assembled(tmp_path, core, "a: bl b\n pop {r4, pc}\nb: bx lr\n")
    first, second, third = sorted(code)
    counts = Counts(
        {(first, 1): 1, (second, 1): 1, (third, 1): 1},
        {(first, third): 1, (third, second): 1, (second, first): 1},
    )
    timing = core_timing(core)
    assert timing is not None
    cycles = core_cycles(counts, code, timing)
    assert [cycles[at].nominal for at in (first, third, second)] == [call, back, pop]


@pytest.mark.emulator
def test_targets_of_32_bits_beside_a_word_cost_a_cycle(tmp_path: Path) -> None:
    timing = core_timing("cortex-m4")
    assert timing is not None
    for pad, more in (("nop", 1), ("nop\n nop", 0)):
        code = assembled(tmp_path, "cortex-m4", f"{pad}\nloop: add.w r8, r1, #4\n bne loop\n")
        target, branch = sorted(code)[-2:]
        counts = Counts({(target, 2): 2}, {(branch, target): 1})
        assert total({0: core_cycles(counts, code, timing)[branch]}) == (3, 3 + more, 4 + more)


@pytest.mark.emulator
def test_blocks_may_be_cut_anywhere(tmp_path: Path) -> None:
    timing = core_timing("cortex-m4")
    assert timing is not None
    code = assembled(tmp_path, "cortex-m4", f"loop:{M4}    bne loop\n")
    whole = straight_line(code, TIMES)
    at = sorted(code)
    for cut in range(1, len(at)):
        parts = {(at[0], cut): TIMES, (at[cut], len(at) - cut): TIMES}
        pieces = replace(whole, blocks=parts, edges={**whole.edges, (at[cut - 1], at[cut]): TIMES})
        assert successions(pieces, code) == successions(whole, code)
        assert core_cycles(pieces, code, timing) == core_cycles(whole, code, timing)


@pytest.mark.emulator
def test_the_small_multiplier(tmp_path: Path) -> None:
    timing = core_timing("cortex-m0")
    assert timing is not None
    code = assembled(tmp_path, "cortex-m0", "muls r1, r2\n")
    found = {each: total(core_cycles(straight_line(code), code, timing, each)) for each in ("fast", "small", "")}
    assert found == {"fast": (1, 1, 1), "small": (32, 32, 32), "": (1, 1, 32)}


def test_unaligned_accesses_cost_a_cycle_each() -> None:
    timing = core_timing("cortex-m4")
    assert timing is not None
    code = {0: decoded(0, 2, "ldr", "r1, [r0]")}
    counts = Counts({(0, 1): 5}, {}, {0: Accesses(3, (0, 5), (0, 0))})
    assert total(core_cycles(counts, code, timing)) == (13, 13, 13)


def test_what_is_not_known_is_refused() -> None:
    timing = core_timing("cortex-m0")
    assert timing is not None
    code = {0: decoded(0, 4, "udiv", "r1, r2, r3")}
    with pytest.raises(ToolError, match=r"no rule for udiv r1, r2, r3"):
        core_cycles(Counts({(0, 1): 1}), code, timing)
    with pytest.raises(ToolError, match="something at 0x4 was executed"):
        core_cycles(Counts({(0, 2): 1}), code, timing)


NAMES = {
    "load": "ldr ldrb ldrsh ldrne ldrbcc vldr",
    "store": "str strb strh strhne vstr",
    "load_multiple": "ldm ldmia ldmdb pop popne vldmia vpop",
    "store_multiple": "stmia stmdb push vpush",
    "load_double": "ldrd ldrdeq",
    "store_double": "strd strdeq",
    "branch": "b",
    "conditional_branch": "bne beq bcs bls ble blt bvs",
    "branch_link": "bl",
    "branch_register": "bx blx bxne",
    "compare_branch": "cbz cbnz",
    "table_branch": "tbb tbh",
    "if_then": "it ite ittt",
    "divide": "sdiv udiv udivne",
    "multiply": "mul muls smulbb smuad smmul smmulr smulwt mulne",
    "multiply_add": "mla mls smlabb smlad smladx smlatb smmla smmlar smlald smlawb smmls",
    "multiply_long": "smull umull",
    "multiply_add_long": "smlal umlal umaal",
    "float": "vadd vmul vcvt vmov vcmp vabs vneg vsub",
    "float_multiply_add": "vmla vmls vfma vfms vnmla",
    "float_divide": "vdiv vsqrt",
    "float_status": "vmrs",
    "system": "mrs msr dsb cpsid",
    "data": "add adds bic bics lsls movs movne teq cmp ssat usat sxtb16 pkhbt uxtab rev sbcs clz orr",
}


def test_names_of_instructions_have_their_kind() -> None:
    for kind, names in NAMES.items():
        for name in names.split():
            operands = "{r4, r5}" if "multiple" in kind and not name.startswith("v") else "{s0, s1}"
            text = operands if "multiple" in kind else "r1, [r0]" if kind in ("load", "store") else "r1, r2, r3"
            full = f"r0!, {text}" if name.startswith(("ldm", "stm", "vldm")) else text
            assert decoded(0, 2, name, full).kind == kind, name
    assert decoded(0, 2, "mov", "pc, r3").kind == "move_pc"
    assert decoded(0, 4, "vmov", "r2, r3, d0").kind == "float_move_pair"
    popped = decoded(0, 2, "pop", "{r4-r7, pc}")
    assert (popped.words, popped.to_pc) == (5, True)
    assert decoded(0, 4, "vpush", "{d8-d9}").words == 4


def test_every_core_has_sources_and_rules() -> None:
    assert timed_cores() == ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4")
    for core in timed_cores():
        timing = core_timing(core)
        assert timing is not None
        assert timing.documents
        assert set(timing.rules) <= set(KINDS)
        assert all(rule.source for rule in timing.rules.values())
        assert all(low <= nominal <= high for low, nominal, high in timing.refill.values())
    for core in ("cortex-m7", "cortex-m33", "cortex-m55", "rv32imc"):
        assert core_timing(core) is None


def test_the_page_says_what_the_validation_found() -> None:
    timing = core_timing("cortex-m4")
    assert timing is not None
    found = timing.validation
    assert found is not None
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "TIMING.md").read_text(encoding="utf-8")
    ratios = [float(row.split("|")[6]) for row in page.splitlines() if re.match(r"\| (?:microTVM|ONNC)", row)]
    assert (len(ratios), min(ratios), max(ratios)) == (found.points, found.low, found.high)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    assert found.mean == pytest.approx(mean, abs=0.001)
    assert all(core_timing(core).validation is None for core in timed_cores() if core != "cortex-m4")  # type: ignore[union-attr]


def test_a_wrong_data_file_is_refused(tmp_path: Path) -> None:
    good = Path(rules.cores.__file__).parent / "portable" / "cortex-m0.toml"
    text = good.read_text()
    for old, new, said in (
        ("cycles = 2\n", "cycles = [3, 2, 1]\n", "neither a number of cycles nor three that rise"),
        ('["data"]', '["dates"]', "'dates' is no kind of instruction"),
        ('source = "trm, 3.3, table 3-1"', 'source = "somebody"', "does not begin with one of the documents"),
        ("[refill]", "[refills]", "'refills'] is unknown"),
    ):
        assert old in text
        data = tomllib.loads(text.replace(old, new, 1))
        with pytest.raises(McugenError, match=said.replace("[", r"\[").replace("]", r"\]")):
            rules._timing("cortex-m0", data, good)


@pytest.mark.emulator
def test_bounds_hold_the_errors_that_were_found(traced: Any) -> None:
    """On a board of a core that was compared with real ones, and not where there is no time or no comparison."""
    found = traced("mps2-an386")
    decoded = instructions_of(found.ready.firmware.elf)
    sold, bare = (
        estimate(found.trace, load_board(name), found.ready.firmware, decoded, "")
        for name in ("nucleo-l4r5zi", "mps2-an386")
    )
    assert sold.validation is not None
    assert sold.cycles is not None
    assert bare.cycles is not None
    assert bare.validation is None
    assert sold.cycles.high == pytest.approx(sold.cycles.nominal / sold.validation.low)
    assert sold.cycles.low <= sold.cycles.nominal / sold.validation.high
    assert bare.cycles.high < 1.1 * bare.cycles.nominal
    assert all(op.cycles.high >= op.cycles.nominal / sold.validation.low - 1 for op in sold.per_op)

"""What a board file says of several memories: read, written into projects, and refused where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.boards.text import board_toml
from mcugen.boards.types import Board
from mcugen.errors import BoardError, DoesNotFitError, ProjectError
from mcugen.flow.memories import read_reserved, reserved_in
from mcugen.flow.model import load_model, plan_model
from mcugen.flow.runtime import Choice
from mcugen.project.bsp import bsp_files
from mcugen.resources import resource_dir
from mcugen.runtimes.aot.plan import Plan
from tests import zoo

NAME = "mps2-an386-qspi"
GOOD = (resource_dir("boards") / f"{NAME}.toml").read_text()


def read(tmp_path: Path, text: str) -> Board:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_board(str(path))


def test_memories_are_read_and_written_back(tmp_path: Path) -> None:
    board = load_board(NAME)
    assert [region.name for region in board.placed] == ["dtcm", "qspi"]
    dtcm, qspi = board.placed
    assert (dtcm.kind, dtcm.dma, dtcm.is_ram, dtcm.holds) == ("dtcm", False, True, ("arena", "weights"))
    assert (qspi.kind, qspi.dma, qspi.is_ram, qspi.holds) == ("qspi", True, False, ("weights",))
    assert board.ram.read_cycles == (2, 4, 8)
    assert (board.flash_bytes, board.ram_bytes) == (131_072 + (16 << 20), (512 + 128) << 10)
    assert read(tmp_path, board_toml(board)).memories == board.memories


BAD = [
    ('kind = "dtcm"', 'kind = "tcm"', "field memory.dtcm.kind: is 'tcm', not one of dtcm, sram, psram, flash, qspi"),
    ('kind = "dtcm"\n', "", "field memory.dtcm.kind: is missing; it is one of dtcm"),
    ('kind = "sram"', 'kind = "qspi"', "field memory.ram.kind: is 'qspi', not one of dtcm, sram, psram"),
    ("[0, 0, 0]", "[0, 0]", "field memory.dtcm.read_cycles: is not three figures that rise"),
    ("[2, 4, 8]", "[4, 2, 8]", "field memory.ram.read_cycles: is not three figures that rise"),
    ("[2, 4, 8]", "[2, 4, 80000]", "field memory.ram.read_cycles: is "),
    (
        "read_cycles = [2, 4, 8]\n",
        "",
        "field memory.ram.read_cycles: is missing: without it nothing tells what belongs in dtcm",
    ),
    ('holds = ["weights"]', 'holds = ["arena"]', 'field memory.qspi.holds: names "arena", which no qspi can hold'),
    ('holds = ["weights"]', 'holds = ["code"]', "field memory.qspi.holds: holds 'code', not one of arena, weights"),
    ('kind = "sram"', 'kind = "sram"\nholds = ["arena"]', "field memory.ram.holds: is for further memories"),
    (
        'kind = "qspi"',
        'kind = "qspi"\nwrite_cycles = [1, 1, 1]',
        "field memory.qspi.write_cycles: does not go with qspi",
    ),
    ("dma = false", "dma = 0", "field memory.dtcm.dma: is 0, not true or false"),
    ("origin = 0x20200000", "origin = 0x20040000", "field memory.dtcm: overlaps ram"),
    ("origin = 0x20000000", "origin = 0x20220000", "field memory.dtcm: ends where ram begins, with the stack"),
    ("[memory.dtcm]", "[memory.vectors]", "field memory.vectors.holds: does not go with a memory for the table"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_bad_memories_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BoardError) as refused:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(refused.value)


def test_a_price_needs_its_source(tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if "RM0433: at the core" not in line]
    with pytest.raises(BoardError, match=r"memory\.dtcm\.source: is missing"):
        read(tmp_path, "\n".join(lines))


def test_flash_has_one_price(tmp_path: Path) -> None:
    timing = '[timing]\nmiss_cycles = [1, 1, 1]\nsource = "x"\ncode_cache = { lines = 0, line_bytes = 4 }\n'
    timing += "data_cache = { lines = 0, line_bytes = 4 }\n"
    with pytest.raises(BoardError, match=r"memory.flash.read_cycles: does not go with \[timing\]"):
        read(tmp_path, GOOD + timing)


def test_a_framework_places_nothing(tmp_path: Path) -> None:
    text = (resource_dir("boards") / "nucleo-h743zi.toml").read_text()
    more = '[memory.dtcm]\norigin = 0x20000000\nsize = 131_072\nkind = "dtcm"\nholds = ["arena"]\n\n[uart]'
    with pytest.raises(BoardError, match=r"memory\.dtcm\.holds: does not go with a framework"):
        read(tmp_path, text.replace("[uart]", more))


def test_start_up_knows_memories_only_where_there_are_several() -> None:
    several, one = bsp_files(load_board(NAME)), bsp_files(load_board("mps2-an386"))
    assert set(several) - set(one) == {"lib/mcg_bsp/mcg_memories.c", f"lib/mcg_bsp/{NAME}.ld"}
    assert "mcg_init_qspi" in several["lib/mcg_bsp/mcg_memories.c"]
    assert "mcg_in_" not in one["lib/mcg_bsp/mps2-an386.ld"].replace("mcg_in_ram", "")


def test_what_is_reserved() -> None:
    board = load_board(NAME)
    assert read_reserved(None) == {}
    found = read_reserved(["sram=32K", "qspi=1m", "dtcm=100"])
    assert found == {"sram": 32_768, "qspi": 1 << 20, "dtcm": 100}
    assert reserved_in(board, found) == {"ram": 32_768, "qspi": 1 << 20, "dtcm": 100}


@pytest.mark.parametrize("text", ["sram", "sram=", "=32K", "sram=-1", "sram=1G", "sram=0x10", "SRAM=1", "sram=1K "])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ProjectError, match="does not say what to reserve"):
        read_reserved(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"psram": 1}, "psram is not one of its memories"),
        ({"ram": 1, "sram": 1}, "two amounts are reserved in one memory"),
        ({"dtcm": 131_073}, "131,073 bytes are reserved in dtcm, which has 131,072"),
    ],
)
def test_what_cannot_be_reserved(given: dict[str, int], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        reserved_in(load_board(NAME), given)


def test_one_limit_of_several_rams_is_refused() -> None:
    model = load_model(zoo.path("sine"))
    with pytest.raises(ProjectError, match="has several RAMs, for which one limit says too little"):
        plan_model(model, load_board(NAME), Choice(max_ram=100_000))


def test_what_is_reserved_is_not_taken() -> None:
    model, board = load_model(zoo.path("ds_cnn")), load_board(NAME)
    plan = plan_model(model, board, Choice(reserve={"dtcm": 130_000}))
    assert isinstance(plan, Plan)
    assert plan.taken_in("dtcm") <= 131_072 - 130_000
    assert plan.reserved == (("dtcm", 130_000),)
    one = load_board("stm32vldiscovery")
    with pytest.raises(
        DoesNotFitError, match=r"8,192 bytes are reserved in ram, but the firmware leaves only \d,\d{3}\."
    ):
        plan_model(model, one, Choice(reserve={"ram": 8_192}))
    with pytest.raises(DoesNotFitError, match="does not fit the memories of"):
        plan_model(model, board, Choice(reserve={"dtcm": 131_072, "ram": 524_288}))


def test_nothing_is_reserved_twice() -> None:
    with pytest.raises(ProjectError, match="sram is reserved twice"):
        read_reserved(["sram=1", "sram=2"])

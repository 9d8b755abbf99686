from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from mcugen.builder.linker_map import InputSection, parse_map
from mcugen.builder.sizes import Sizes, measure
from mcugen.errors import ToolError
from tests.builder.tiny import needs_arm_gcc

# Lines as GNU ld 2.40 writes them; <> stands for the end of a line that ends in a space.
MAP = """Archive member included to satisfy reference by file (symbol)

/lib/libgcc.a(_muldi3.o)      lib1/mcg_model/m.o (__aeabi_lmul)

Discarded input sections

 .text.gone     0x00000000       0x10 lib1/mcg_model/m.o

Linker script and memory map

LOAD lib1/mcg_model/m.o

.text           0x00000000       0x60
 *(.text .text.*)
 .text.main     0x00000000       0x10 src/main with space.o
                0x00000000                main
 .text.a_name_that_is_too_long_for_its_column
                0x00000010        0x6 lib1/mcg_model/m.o
 *fill*         0x00000016        0x2 <>
 .text          0x00000018       0x20 /lib/libgcc.a(_muldi3.o)
                0x00000018                __aeabi_lmul
 .rodata.str1.1
                0x00000038        0x5 lib1/mcg_model/m.o
                                  0x7 (size before relaxing)

.a_long_output_section
                0x20000000       0x10
 .bss.mcg_arena
                0x20000000       0x10 lib1/mcg_model/m.o

Cross Reference Table

Symbol                                            File
__aeabi_lmul                                      /lib/libgcc.a(_muldi3.o)
                                                  lib1/mcg_model/m.o
main                                              src/main with space.o
nobody_defines_this_very_long_symbol_name_of_many_characters
                                                  lib1/mcg_model/m.o
""".replace("<>", "")


def test_every_form_of_line_is_read() -> None:
    model, libgcc = "lib1/mcg_model/m.o", "/lib/libgcc.a(_muldi3.o)"
    assert parse_map(MAP).sections == (
        InputSection(".text", ".text.main", 0, 0x10, "src/main with space.o"),
        InputSection(".text", ".text.a_name_that_is_too_long_for_its_column", 0x10, 6, model),
        InputSection(".text", ".text", 0x18, 0x20, libgcc, padding=2),
        InputSection(".text", ".rodata.str1.1", 0x38, 5, model),
        InputSection(".a_long_output_section", ".bss.mcg_arena", 0x20000000, 0x10, model),
    )


def test_cross_references_name_the_users_of_each_file() -> None:
    references = parse_map(MAP).references
    assert references["/lib/libgcc.a(_muldi3.o)"] == {"lib1/mcg_model/m.o"}


@pytest.mark.parametrize("title", ["Linker script and memory map", "Cross Reference Table"])
def test_a_map_without_a_part_is_refused(title: str) -> None:
    with pytest.raises(ToolError, match=title):
        parse_map(MAP.replace(title, "Something else"))


MODEL = """
const int mcg_const_0_weights[25] = {1};
const signed char mcg_const_0_shift[3] = {1};
const int table[5] = {7};
static int initialised = 5;
__attribute__((section(".bss.mcg_arena"), aligned(16))) unsigned char mcg_arena[112];
long long model(long long a, int i) {
  initialised += i;
  return a * mcg_const_0_weights[i] + mcg_const_0_shift[i] + table[i] + mcg_arena[i] + initialised;
}
"""

MAIN = """
long long model(long long a, int i);
int counter[6];
volatile long long result;
int main(void) {
  result = model(counter[1], counter[2]) MORE;
  return counter[result & 3];
}
"""

SCRIPT = """
ENTRY(main)
MEMORY { FLASH (rx) : ORIGIN = 0, LENGTH = 64K
         RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 64K }
SECTIONS {
  .text : { *(.text .text.*) *(.rodata .rodata.*) . = ALIGN(64); } > FLASH
  .ARM.exidx : { *(.ARM.exidx*) } > FLASH
  .mcg_stack (NOLOAD) : { . += 256; } > RAM
  .data : { *(.data .data.*) } > RAM AT > FLASH
  .bss (NOLOAD) : { *(.bss .bss.* COMMON) } > RAM
  /DISCARD/ : { *(.ARM.attributes) }
}
"""


def link(folder: Path, more: str = "") -> tuple[Path, Path]:
    """A small firmware for Cortex-M0, where a 64-bit product is a routine of libgcc."""
    (folder / "script.ld").write_text(SCRIPT)
    objects = {"lib0a1/mcg_model/model.o": MODEL, "src/main.o": MAIN.replace("MORE", more)}
    for name, source in objects.items():
        target = folder / name
        target.parent.mkdir(parents=True)
        target.with_suffix(".c").write_text(source)
        flags = ["-mcpu=cortex-m0", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections"]
        subprocess.run(
            ["arm-none-eabi-gcc", *flags, "-c", target.with_suffix(".c"), "-o", target], check=True, cwd=folder
        )
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb", "-nostdlib", "-Tscript.ld", "-Wl,--gc-sections"]
    command += ["-Wl,--cref", "-Wl,-Map=fw.map", *objects, "-lgcc", "-o", "fw.elf"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "fw.elf", folder / "fw.map"


def part_of(sizes: Sizes, name: str) -> str:
    return next(symbol.part for symbol in sizes.symbols if symbol.name == name)


@needs_arm_gcc
def test_a_real_link_adds_up(tmp_path: Path) -> None:
    elf, map_file = link(tmp_path)
    sizes = measure(elf, map_file)
    with elf.open("rb") as stream:
        sections = {s.name: s["sh_size"] for s in ELFFile(stream).iter_sections() if s["sh_flags"] & 2}
    flash, ram = sizes.flash, sizes.ram
    assert flash.total == sections[".text"] + sections[".data"] + sections.get(".ARM.exidx", 0)
    assert flash.code + flash.weights + flash.harness == flash.total
    assert ram.total == sections[".mcg_stack"] + sections[".data"] + sections[".bss"]
    assert ram.arena + ram.static + ram.stack == ram.total
    assert (ram.arena, ram.stack) == (112, 256)
    assert 100 + 3 <= flash.weights <= 100 + 3 + 3
    assert flash.code >= 20 + 4, "the table, and the image of the initialised variable"
    assert "GCC" in sizes.toolchain
    assert part_of(sizes, "mcg_const_0_weights") == "weights"
    assert part_of(sizes, "table") == "code"
    assert part_of(sizes, "model") == "code"
    assert part_of(sizes, "main") == "harness"
    assert part_of(sizes, "mcg_arena") == "arena"
    assert part_of(sizes, "counter") == "static"


@needs_arm_gcc
def test_a_library_routine_is_code_only_if_nobody_else_needs_it(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "shared").mkdir()
    alone = measure(*link(tmp_path / "alone"))
    shared = measure(*link(tmp_path / "shared", more="* result"))
    assert part_of(alone, "__aeabi_lmul") == "code"
    assert part_of(shared, "__aeabi_lmul") == "harness"
    routine = next(s.size for s in alone.symbols if s.name == "__aeabi_lmul")
    assert alone.flash.code - shared.flash.code >= routine


@needs_arm_gcc
def test_damaged_or_foreign_files_are_refused(tmp_path: Path) -> None:
    elf, map_file = link(tmp_path)
    foreign = tmp_path / "foreign.map"
    foreign.write_text(re.sub(r"^( \.text\.model.* 0x\w+ +)0x\w+", r"\g<1>0x4000", map_file.read_text(), flags=re.M))
    with pytest.raises(ToolError, match=r"more bytes than the ELF"):
        measure(elf, foreign)
    (tmp_path / "cut.elf").write_bytes(elf.read_bytes()[:40])
    (tmp_path / "text.elf").write_text("not an ELF file")
    with pytest.raises(ToolError, match=r"absent\.map"):
        measure(elf, tmp_path / "absent.map")
    for name in ("cut.elf", "text.elf"):
        with pytest.raises(ToolError, match=name):
            measure(tmp_path / name, map_file)

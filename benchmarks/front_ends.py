"""Cycles and memory of every kind of front end, by core.

    .venv/bin/python benchmarks/front_ends.py --write    puts the section into benchmarks/RESULTS.md

Each front end is compiled as in a project, without a model, and makes two rows in the emulator; the second is traced
and timed by the rules of docs/TIMING.md, so figures are the same on every computer with this compiler. Both rows must
be those of the reference, byte for byte.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import frontends
from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.cost.decode import instructions_of
from mcugen.cost.estimate import Estimate, estimate, fronts_of
from mcugen.cost.plugin import plugin, plugin_arguments
from mcugen.cost.record import read_trace
from mcugen.emulators.qemu import find_qemu
from mcugen.formats.views import EXACT_FLOAT_FLAGS
from mcugen.frontends import FrontEnd, Signal
from mcugen.frontends.image_pixels import FORMATS
from mcugen.project.bsp import bsp_files, compile_flags, link_flags
from mcugen.resources import resource_dir
from mcugen.ui.cost import count

HERE = Path(__file__).resolve().parent
TITLE = "## Front ends"
BOARDS = {"M4F": "mps2-an386", "M3": "lm3s6965evb", "netduinoplus2": "netduinoplus2"}
FLAGS = ("-std=c99", "-O2", *EXACT_FLOAT_FLAGS)
OTHERS = (
    "Others' code beside it, measured once in December 2026: built with the same compiler, `-O2`, run in the same "
    "emulators on the same frames, traced and timed by the same rules, memory of the window included. TFLM is "
    "tflite-micro 90b983c2b3 with kissfft v130, settings and rows equal to those above; its memory is mostly heap. "
    "CMSIS-DSP is v1.17.1 with `ARM_MATH_LOOPUNROLL` and tf.signal's window, triangles and transform; its int16 takes "
    "magnitudes of 16 bits, and its rows were not compared.",
    "",
    "| front end | RAM B | tables B | M4F, cycles | M3, cycles | netduinoplus2, cycles |",
    "|---|---:|---:|---:|---:|---:|",
    "| TFLM's microfrontend, microWakeWord's settings | 13.8 k | 1,161 | 106 k | 112 k | 106 k |",
    "| CMSIS-DSP `arm_mfcc_f32`, 13 of 40 channels | 5,064 | 10,332 | 79.9 k | 1.19 M | 84.2 k |",
    "| CMSIS-DSP `arm_mfcc_q15`, 13 of 40 channels | 4,040 | 36,982 | 78.7 k | 124 k | 83.4 k |",
)
"""Figures that no script here makes, as this repository holds no code of others."""


@dataclass(frozen=True)
class Case:
    """A front end, and what it is called."""

    name: str
    kind: str
    signal: Signal
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def front_end(self) -> FrontEnd:
        return frontends.make(self.kind, self.signal, **self.fields)


@dataclass(frozen=True)
class Measured:
    """What the second row took on a board: bytes of tables and code beside it."""

    estimate: Estimate
    tables: int
    code: int

    @property
    def cycles(self) -> float:
        assert self.estimate.cycles is not None, self.estimate.why
        return self.estimate.cycles.nominal


SOUND = Signal("audio", "int16", 1, 16000)
AXES = Signal("motion", "int16", 3, 100)
FEATURES = ("mean", "variance", "rms", "zero_crossings", "min", "max")


def camera(form: str, width: int, height: int) -> Signal:
    return Signal("image", "uint8", width * FORMATS[form].bytes_of_two // 2, None, height, width, form)


def cases() -> Iterator[Case]:
    """All kinds, with the choices that decide over their cost."""
    yield Case("`micro`, microWakeWord's", "micro", SOUND, {"output": "uint16"})
    yield Case("`micro`, micro_speech's", "micro", SOUND, {"step_ms": 20, "output": "int8"})
    yield Case("`micro`, no gain control", "micro", SOUND, {"output": "uint16", "pcan": False})
    for like in ("tf", "librosa"):
        for kind in ("log_mel", "mfcc"):
            for arithmetic in ("float32", "int16"):
                choices = {"like": like, "arithmetic": arithmetic}
                yield Case(f"`{kind}`, {like}, {arithmetic}", kind, SOUND, choices)
    yield Case("`log_mel`, tf, float32, no logarithm", "log_mel", SOUND, {"log": "none"})
    clip = {"clip": 16000, "window": 512, "stride": 256, "channels": 40}
    yield Case("`spectrogram`, 1 s, 63 columns", "spectrogram", SOUND, clip)
    small: dict[str, Any] = {"width": 28, "height": 28, "colours": "grey"}
    yield Case("`image`, 96×64 rgb565 to 28×28 grey, area", "image", camera("rgb565le", 96, 64), small)
    yield Case("… bilinear", "image", camera("rgb565le", 96, 64), {**small, "method": "bilinear"})
    yield Case("… float32", "image", camera("rgb565le", 96, 64), {**small, "output": "float32", "scale": 255.0})
    larger: dict[str, Any] = {"width": 96, "height": 96, "output": "int8"}
    for form, to in (("grey", "grey"), ("rgb888", "rgb"), ("yuyv", "grey"), ("yuyv", "rgb"), ("bayer_rggb", "rgb")):
        choices = {**larger, "colours": to}
        yield Case(f"`image`, 160×120 {form} to 96×96 {to}, area", "image", camera(form, 160, 120), choices)
    yield Case("`motion`, 3 axes in units", "motion", AXES, {"offset": 3.0, "size": 1000.0})
    window: dict[str, Any] = {"window": 100, "step": 50, "size": 1000.0}
    yield Case("`motion`, windows of 100, 6 features", "motion", AXES, {**window, "features": list(FEATURES)})
    yield Case("`motion`, windows of 100, 16 frequencies", "motion", AXES, {**window, "fft_bins": 16})
    columns = Signal("table", "float32", 16)
    yield Case("`table`, 16 columns", "table", columns, {"offset": 3.0, "size": 7.0})
    limits = [float(limit) for limit in range(9)]
    for output in ("index", "one_hot", "multi_hot", "count"):
        buckets: dict[str, Any] = {"boundaries": limits, "output": output}
        yield Case(f"`categories`, 16 columns of 10, {output}", "categories", columns, buckets)
    yield Case("`raw`, 3 axes", "raw", AXES)


def frames_of(signal: Signal, number: int) -> NDArray[Any]:
    """Seeded frames: noise with a tone."""
    rng, shape = np.random.default_rng(7), (number, signal.channels)
    if signal.dtype == "float32":
        return rng.normal(4, 5, shape).astype(np.float32)
    if signal.dtype == "uint8":
        return rng.integers(0, 256, shape).astype(np.uint8)
    tone = 6000 * np.sin(np.arange(number) * 0.2)[:, np.newaxis]
    return np.asarray(np.clip(np.rint(tone + rng.normal(0, 2000, shape)), -32768, 32767).astype(np.int16))


def front_text(front_end: FrontEnd) -> str:
    """The front end as the one .c file that is measured."""
    emitted = front_end.emitted()
    kind = emitted.kind
    return f"""#include "{emitted.header}"
#include "measured.h"

{emitted.config}
void start(void) {{ mcg_fe_{kind}_reset(&mcg_front, &mcg_front_state); }}

__attribute__((noinline)) void measured(const uint8_t *from, uint32_t count, void *row) {{
  while (count > 0) {{
    int ready = 0;
    const uint32_t taken = mcg_fe_{kind}_push(&mcg_front, &mcg_front_state, from, count, row, &ready);
    from += taken * {front_end.signal.frame_bytes}u;
    count -= taken;
  }}
}}

__attribute__((noinline)) void finished(void) {{ __asm__ volatile("" ::: "memory"); }}
"""


class Bench:
    """A board's start-up code, compiled once, and what is built with it."""

    def __init__(self, board: Board, folder: Path) -> None:
        self.board, self.folder = board, folder
        for name, text in bsp_files(board).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        firmware = resource_dir("firmware")
        self.includes = [folder / "lib/mcg_bsp", firmware / "harness", HERE / "frontends"]
        self.includes += [firmware / "frontends", firmware / "kernels" / "common"]
        sources = [*sorted((folder / "lib/mcg_bsp").glob("*.c")), firmware / "harness" / "mcg_crc.c"]
        self._objects = [self.compiled(source, "-Os", "-std=c99") for source in sources]

    def compiled(self, source: Path, *flags: str) -> Path:
        """The object file of a source."""
        made = self.folder / f"{source.stem}.o"
        includes = [f"-I{path}" for path in self.includes]
        command = [self.board.architecture.compiler, *compile_flags(self.board), *flags, *includes]
        subprocess.run([*command, "-c", str(source), "-o", str(made)], check=True)
        return made

    def linked(self, objects: Sequence[Path], frames: NDArray[Any], first: int, step: int, row_bytes: int) -> Path:
        """A firmware of these objects, which define what measured.h declares."""
        listed = ", ".join(map(str, frames.tobytes()))
        text = f"#include <stdint.h>\n__attribute__((aligned(4))) const uint8_t frames[] = {{{listed}}};\n"
        (self.folder / "frames.c").write_text(text)
        sizes = {"FRAMES_FIRST": first, "FRAMES_STEP": step, "FRAME_BYTES": frames[0].nbytes, "ROW_BYTES": row_bytes}
        macros = [f"-D{name}={size}u" for name, size in sizes.items()]
        around = [self.compiled(HERE / "frontends" / "main.c", "-Os", "-std=c99", *macros)]
        around.append(self.compiled(self.folder / "frames.c", "-O0"))
        elf = self.folder / "firmware.elf"
        command = [self.board.architecture.compiler, *link_flags(self.board)]
        command += map(str, (*objects, *around, *self._objects))
        subprocess.run([*command, "-lm", "-o", str(elf)], cwd=self.folder, check=True)
        return elf

    def traced(self, elf: Path) -> tuple[list[int], Estimate]:
        """The checksums of both rows, and what the second one takes."""
        board, out = self.board, self.folder / "trace"
        regions = (board.flash, board.ram, *board.regions)[:7]
        at = self._symbols(elf)
        fronts = fronts_of([board])
        arguments = [
            *((key, f"{at[name][0]:x}") for key, name in (("invoke", "measured"), ("hooked", "finished"))),
            ("own", f"{at['main'][0]:x}-{sum(at['main']):x}"),
            *(("region", f"{region.origin:x}-{region.end:x}") for region in regions),
        ]
        for front in fronts:
            code, data = front.code, front.data
            lines = -1 if front.shared else data.lines
            sizes = (code.lines, code.line_bytes, code.ways, lines, data.line_bytes, data.ways)
            arguments.append(("cache", ":".join(map(str, sizes))))
        assert board.emulator is not None
        command = [
            *(find_qemu(board.architecture), "-M", board.emulator.machine, *board.architecture.qemu_args),
            *("-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", str(elf)),
            *plugin_arguments(plugin(board.architecture), out, arguments),
        ]
        said = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as emulator:
            assert emulator.stdout is not None
            try:
                for line in emulator.stdout:
                    if line.startswith(("done", "fault")):
                        break
                    said.append(int(line, 16))
            finally:
                emulator.kill()
        assert len(said) == 2, f"the firmware said {said}, then {line!r}"
        names = (*(region.name for region in regions), "elsewhere")
        trace = read_trace(out.read_text(encoding="ascii").splitlines(), board.cpu, names, fronts, 0)
        symbols: Any = SimpleNamespace(symbols=())
        decoded = instructions_of(elf, board.architecture)
        return said, estimate(trace, board, symbols, decoded, board.name)

    def _symbols(self, elf: Path) -> dict[str, tuple[int, int]]:
        """Address and size by name."""
        command = [f"{self.board.architecture.tools}nm", "-S", str(elf)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        fields = [line.split() for line in lines if len(line.split()) == 4]
        return {name: (int(address, 16) & ~1, int(size, 16)) for address, size, _, name in fields}

    def sizes(self, objects: Sequence[Path]) -> tuple[int, int]:
        """Bytes of tables and of code."""
        command = [f"{self.board.architecture.tools}size", "-A", *map(str, objects)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        fields = [line.split() for line in lines if line.startswith(".")]
        tables, code = (sum(int(f[1]) for f in fields if f[0].startswith(part)) for part in (".rodata", ".text"))
        return tables, code

    def measure(self, front_end: FrontEnd) -> Measured:
        """A front end's second row, which must be the reference's, as the first."""
        source = self.folder / "front.c"
        source.write_text(front_text(front_end))
        made = self.compiled(source, *FLAGS, "-Wall", "-Wextra", "-Werror")
        rows = front_end.rows()
        frames = frames_of(front_end.signal, rows.frames_first + rows.frames_step)
        expected = frontends.rows_of(front_end, frames)
        assert len(expected) == 2
        elf = self.linked([made], frames, rows.frames_first, rows.frames_step, expected[0].nbytes)
        said, found = self.traced(elf)
        assert said == [zlib.crc32(row.tobytes()) for row in expected], "the rows are not the reference's"
        return Measured(found, *self.sizes([made]))


def line_of(case: Case, found: Mapping[str, Measured]) -> str:
    """A case's line of the table."""
    front_end = case.front_end
    emitted, rows = front_end.emitted(), front_end.rows()
    row_bytes = rows.values * np.dtype(rows.dtype).itemsize
    sold = found["netduinoplus2"].estimate
    assert sold.time_ms is not None
    time_us = sold.time_ms.nominal * 1000
    cells = [f"{emitted.state_bytes:,}", f"{emitted.scratch_bytes:,}", f"{row_bytes:,}"]
    cells += [f"{found['M4F'].tables:,}", f"{found['M4F'].code:,}"]
    cells += [count(one.cycles) for one in found.values()]
    per_second = front_end.signal.rate / rows.frames_step if front_end.signal.rate else 0
    if per_second and front_end.signal.kind == "audio":
        cells += [count(found[core].cycles * per_second) for core in ("M4F", "M3")]
        cells.append(f"{time_us / 1e4 * per_second:.2f} %")
    else:
        cells += ["–", "–", f"{time_us / 1000:.3g} ms per row" if time_us > 100 else f"{time_us:.3g} µs per row"]
    return f"| {case.name} | {' | '.join(cells)} |"


def section(lines: Sequence[str], others: Sequence[str]) -> str:
    told = [
        f"Made by benchmarks/front_ends.py: GCC 12.2, {' '.join(FLAGS)}, each front end alone. Nominal cycles of a",
        "row by the rules of docs/TIMING.md: M4F is mps2-an386 and M3 lm3s6965evb, both without wait states,",
        "netduinoplus2 (M4F, 168 MHz) with those of its flash. Frames are noise with a tone, and the rows on the",
        "boards were the reference's, byte for byte. State is kept between pushes, scratch is not; tables and code are",
        "on M4F. Software floating point of M3 is in its cycles, not in the code. Sound has 16,000 samples per second,",
        "windows of 30 ms every 10 ms (micro_speech: 20 ms) and 40 channels.",
    ]
    told += ["Without an FPU, int16 is what to take; with one, float32 is faster and takes twice the scratch."]
    header = "| front end | state B | scratch B | row B | tables B | code B | M4F, cycles | M3, cycles |"
    header += " netduinoplus2, cycles | M4F, cycles per s | M3, cycles per s | of netduinoplus2's time |"
    return "\n".join([TITLE, "", " ".join(told), "", header, "|---|" + "---:|" * 11, *lines, "", *others]) + "\n"


def write(text: str) -> None:
    """Replace the section in benchmarks/RESULTS.md, or add it at the end."""
    path = HERE / "RESULTS.md"
    parts = path.read_text(encoding="utf-8").rstrip("\n").split("\n## ")
    own, new = TITLE.removeprefix("## ") + "\n", text.removeprefix("## ").rstrip("\n") + "\n"
    places = [n for n, part in enumerate(parts) if part.startswith(own)]
    if places:
        parts[places[0]] = new
    else:
        parts = [*parts[:-1], parts[-1] + "\n", new]
    path.write_text("\n## ".join(parts).rstrip("\n") + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the section into benchmarks/RESULTS.md")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    options = parser.parse_args(arguments)
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        benches = {}
        for core, name in BOARDS.items():
            folder = Path(temporary) / name
            folder.mkdir()
            benches[core] = Bench(load_board(name), folder)
        for case in cases():
            if options.only in case.name:
                lines.append(line_of(case, {core: one.measure(case.front_end) for core, one in benches.items()}))
                print(lines[-1], flush=True)
    if options.write and not options.only:
        write(section(lines, OTHERS))
    return 0


if __name__ == "__main__":
    sys.exit(main())

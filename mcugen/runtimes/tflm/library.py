"""Finds the user's TensorFlow Lite Micro and checks that it suits a board.

TFLM is in no package registry, and nothing here contains or compiles it. The user names it once (`--tflm` or
MCUGEN_TFLM_DIR): a checkout in which its own Makefile has been run, or a library that PlatformIO knows.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mcugen.boards.types import Board
from mcugen.cores.architectures import ARM
from mcugen.errors import BoardError, ToolError

TFLM_DIR = "MCUGEN_TFLM_DIR"
"""Environment variable: the checkout, or a library specification for PlatformIO. Emitted projects read it too."""

MAKEFILE = "tensorflow/lite/micro/tools/make/Makefile"
DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
ARCHIVE = "lib/libtensorflow-microlite.a"

BUILD_TYPES = ("release", "release_with_logs", "default", "debug")
"""TFLM's own names; the first that was built is taken. Only release has no texts, all but default and debug no
assertions."""

HOW = (
    f"Name it once: `tflm=DIR` or {TFLM_DIR}=DIR, a checkout of https://github.com/tensorflow/tflite-micro; or a "
    "library for PlatformIO (a registry name, or a folder with a library.json)"
)

LIBRARY_DEFINES = ("TF_LITE_STATIC_MEMORY", "TF_LITE_STRIP_ERROR_STRINGS", "TF_LITE_DISABLE_X86_NEON", "NDEBUG")
"""What a PlatformIO library of TFLM and the project around it are compiled with: a release build."""

CXX_LIBRARY = "libstdc++-arm-none-eabi-newlib"
"""Debian's package of the C++ library for Arm, which firmware with TFLM needs."""

NEEDS = (
    f"TensorFlow Lite Micro's Makefile needs a Python with Pillow and NumPy, and git; firmware needs {CXX_LIBRARY}. "
    "Add -j8, say, to build on several processors"
)


@dataclass(frozen=True)
class Variant:
    """One build of TFLM's library, as its Makefile names it.

    Attributes:
        arch: TARGET_ARCH, the core and its FPU.
        build_type: one of BUILD_TYPES.
        optimised: built with CMSIS-NN's kernels (OPTIMIZED_KERNEL_DIR=cmsis_nn).
    """

    arch: str
    build_type: str
    optimised: bool

    @property
    def folder(self) -> str:
        """Where the Makefile puts the build, below the checkout."""
        kernels = "_cmsis_nn" if self.optimised else ""
        return f"gen/cortex_m_generic_{self.arch}_{self.build_type}{kernels}_gcc"

    @property
    def archive(self) -> str:
        return f"{self.folder}/{ARCHIVE}"

    @property
    def defines(self) -> tuple[str, ...]:
        """The macros that the library was compiled with and that TFLM's headers ask about."""
        found = ["TF_LITE_STATIC_MEMORY", "MCG_TFLM_LOG_CALLBACK"]
        if self.optimised:
            found.append("CMSIS_NN")
        if self.build_type in ("release", "release_with_logs"):
            found.append("NDEBUG")
        if self.build_type == "release":
            found.append("TF_LITE_STRIP_ERROR_STRINGS")
        return tuple(found)

    def make_command(self, toolchain: str = "") -> str:
        """What the user runs in the checkout to get this build.

        Args:
            toolchain: folder of arm-none-eabi-gcc, without which the Makefile downloads a compiler of its own.
        """
        kernels = ["OPTIMIZED_KERNEL_DIR=cmsis_nn"] if self.optimised else []
        compiler = [f"TARGET_TOOLCHAIN_ROOT={shlex.quote(toolchain + '/')}"] if toolchain else []
        return " ".join(
            [
                "make",
                "-f",
                MAKEFILE,
                "TARGET=cortex_m_generic",
                f"TARGET_ARCH={self.arch}",
                *kernels,
                f"BUILD_TYPE={self.build_type}",
                *compiler,
                "microlite",
            ]
        )

    def how_to_build(self) -> str:
        """The same for this computer."""
        compiler = shutil.which("arm-none-eabi-gcc")
        return self.make_command(str(Path(compiler).parent) if compiler else "")


@dataclass(frozen=True)
class Library:
    """The TFLM that a project is built with.

    Attributes:
        variant: the build in a checkout; None for a PlatformIO library.
        lib_deps: the specification for PlatformIO; "" for a checkout.
        root: the checkout, or None where it is not known (the project can still be emitted).
    """

    variant: Variant | None
    lib_deps: str
    root: Path | None

    @property
    def optimised(self) -> bool:
        """Whether its kernels may be CMSIS-NN's (of a PlatformIO library that is not known)."""
        return self.variant is None or self.variant.optimised

    @property
    def newest(self) -> bool:
        """Whether it can be relied on to have the newer int8-only kernels."""
        return self.variant is not None

    @property
    def name(self) -> str:
        """How a project's manifest names it: the build's folder, or the specification."""
        return self.variant.folder if self.variant else self.lib_deps


@dataclass(frozen=True)
class Checkout:
    """Of which date and commit a checkout of TFLM is; None and "" where git does not know."""

    date: date | None
    commit: str

    def __str__(self) -> str:
        return f"of {self.date} (commit {self.commit[:12]})" if self.date else "of an unknown date"


UNKNOWN = Checkout(None, "")


def checkout_of(root: Path | None) -> Checkout:
    """Of which date a checkout is."""
    if root is None or not (root / ".git").exists():
        return UNKNOWN
    command = ["git", "-C", str(root), "log", "-1", "--date=format-local:%Y-%m-%d", "--format=%H %cd"]
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        commit, _, day = done.stdout.strip().partition(" ")
        return Checkout(date.fromisoformat(day), commit)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return UNKNOWN


def named_checkout(tflm: str | None = None) -> Checkout:
    """Of which date the checkout is that the user named.

    Args:
        tflm: what the user said; None takes MCUGEN_TFLM_DIR.
    """
    named = tflm if tflm is not None else os.environ.get(TFLM_DIR, "")
    root = Path(named).expanduser() if named else None
    return checkout_of(root if root is not None and (root / MAKEFILE).is_file() else None)


def tflm_arch(board: Board) -> str:
    """TFLM's TARGET_ARCH for a board's core and FPU.

    Raises:
        ToolError: TFLM's Makefile knows no such combination.
    """
    core, hard = board.cpu, bool(board.fpu)
    names = {
        ("cortex-m0", False): "cortex-m0",
        ("cortex-m0plus", False): "cortex-m0plus",
        ("cortex-m3", False): "cortex-m3",
        ("cortex-m4", False): "cortex-m4",
        ("cortex-m4", True): "cortex-m4+fp",
        ("cortex-m7", False): "cortex-m7",
        ("cortex-m7", True): "cortex-m7+fp",
        ("cortex-m33", True): "cortex-m33",
        ("cortex-m55", True): "cortex-m55",
        ("cortex-m55", False): "cortex-m55+nofp",
    }
    arch = names.get((core, hard))
    if core == "cortex-m33" and not hard and "dsp" not in board.features:
        arch = "cortex-m33+nodsp"
    if arch is None:
        fpu = board.fpu or "soft float"
        raise ToolError(
            f"TensorFlow Lite Micro's Makefile knows no {core} with {fpu}",
            where=f"board {board.name}",
            hint="Use the ahead-of-time runtime, or a PlatformIO library of TFLM with `tflm`",
        )
    return arch


def runs_on(board: Board) -> bool:
    """Whether the runtime is made for the board: a core of Arm's, started by code of ours."""
    return board.architecture is ARM and board.framework is None and not board.own_linker_script


def default_variant(board: Board, build_type: str = "") -> Variant:
    """The build that suits a board best, or that of a type."""
    return Variant(tflm_arch(board), build_type or "release", board.cpu not in ("cortex-m0", "cortex-m0plus"))


def choose_library(board: Board, tflm: str | None = None, build_type: str = "") -> Library:
    """The TFLM for a board: what the user named, or the build that a project will ask for.

    Args:
        tflm: what the user said; None takes MCUGEN_TFLM_DIR.
        build_type: one of BUILD_TYPES; "" for the first that was built.

    Raises:
        BoardError: the core is not Arm's.
        ToolError: the folder holds no TFLM, or TFLM cannot be built for the board.
    """
    if board.architecture is not ARM:
        raise BoardError(
            f"the TFLM runtime supports Arm cores only; this one is {board.architecture.name}",
            where=f"board {board.name}",
            hint='Omit `runtime="tflm"`: the model runs compiled ahead of time',
        )
    named = tflm if tflm is not None else os.environ.get(TFLM_DIR, "")
    if not named:
        return Library(default_variant(board, build_type), "", None)
    root = Path(named).expanduser()
    if (root / MAKEFILE).is_file():
        root = root.resolve()
        types = (build_type,) if build_type else BUILD_TYPES
        return Library(_best_built(root, board, types) or default_variant(board, build_type), "", root)
    if build_type:
        raise ToolError(
            "is a library for PlatformIO, which is built in one way only", where=named, hint="Omit `tflm_build`"
        )
    if root.is_dir() and not (root / "library.json").is_file() and not (root / "library.properties").is_file():
        raise ToolError(
            f"is neither a checkout of TensorFlow Lite Micro (it has no {MAKEFILE}) nor a PlatformIO library",
            where=named,
            hint=HOW,
        )
    if root.is_dir():
        return Library(None, f"symlink://{root.resolve()}", None)
    if not re.fullmatch(r"[A-Za-z0-9@][A-Za-z0-9 @/:._+^~=<>,#?&%-]{0,200}", named) or named.startswith(("/", ".")):
        raise ToolError("there is no such folder", where=named, hint=HOW)
    return Library(None, named, None)


def named_library(name: str) -> Library:
    """The library of a project that was generated with it; where it is on this computer does not matter for that."""
    variant = parse_variant(name)
    return Library(variant, "" if variant else name, None)


def require_library(name: str, board: Board, tflm: str | None = None) -> Path | None:
    """The checkout for a project that was generated with the library `name`, checked; None for a PlatformIO library.

    Args:
        name: `Library.name` of the project's manifest.

    Raises:
        ToolError: TFLM is not named, not built for the board, or built for something else.
    """
    variant = parse_variant(name)
    if variant is None:
        return None
    named = tflm if tflm is not None else os.environ.get(TFLM_DIR, "")
    if not named:
        raise ToolError(
            "the project needs TensorFlow Lite Micro, and it is not known where that is",
            where=f"board {board.name}",
            hint=f"{HOW}. In a checkout, run: {variant.how_to_build()}",
        )
    root = Path(named).expanduser().resolve()
    if not (root / MAKEFILE).is_file():
        raise ToolError(f"is no checkout of TensorFlow Lite Micro (it has no {MAKEFILE})", where=named, hint=HOW)
    archive = root / variant.archive
    if not archive.is_file():
        raise ToolError(
            f"has no build of TensorFlow Lite Micro for this project ({variant.archive})",
            where=str(root),
            hint=f"Run there: {variant.how_to_build()}",
        )
    check_archive(archive, variant, board)
    return root


def parse_variant(name: str) -> Variant | None:
    """The build that a folder name stands for; None for other names."""
    types = "|".join(sorted(BUILD_TYPES, key=len, reverse=True))
    found = re.fullmatch(rf"gen/cortex_m_generic_(cortex-m[0-9a-z+]+)_({types})(_cmsis_nn)?_gcc", name)
    return Variant(found[1], found[2], found[3] is not None) if found else None


def check_archive(archive: Path, variant: Variant, board: Board) -> None:
    """Check that a library is what its folder says, and is for the board's core.

    Raises:
        ToolError: another architecture, float ABI or kernel set; a damaged library.
    """
    hint = f"Delete the folder and run there: {variant.how_to_build()}"
    names: set[str] = set()
    facts: Facts | None = None
    for name, content in members(archive):
        names.add(name)
        if name == "micro_interpreter.o":
            facts = object_facts(content, str(archive))
    if facts is None:
        what = "is not TensorFlow Lite Micro's library (no micro_interpreter.o)"
        raise ToolError(what, where=str(archive), hint=hint)
    hard = bool(board.fpu)
    if facts.hard_float != hard:
        raise ToolError(
            f"passes floats {'in FPU' if facts.hard_float else 'in core'} registers, the board's code "
            f"{'in FPU' if hard else 'in core'} ones",
            where=str(archive),
            hint=hint,
        )
    if facts.arch not in _ARCHES[board.cpu]:
        raise ToolError(f"is for another core than the board's {board.cpu}", where=str(archive), hint=hint)
    if ("arm_convolve_s8.o" in names) != variant.optimised:
        has = "has" if "arm_convolve_s8.o" in names else "lacks"
        raise ToolError(f"{has} CMSIS-NN's kernels, against its folder's name", where=str(archive), hint=hint)


# Tag_CPU_arch of "Addenda to, and Errata in, the ABI for the Arm Architecture": 10 v7, 11 v6-M, 12 v6S-M, 13 v7E-M,
# 16 v8-M.base, 17 v8-M.main, 21 v8.1-M.main.
_ARCHES = {
    "cortex-m0": {11, 12},
    "cortex-m0plus": {11, 12},
    "cortex-m3": {10},
    "cortex-m4": {13},
    "cortex-m7": {13},
    "cortex-m33": {17},
    "cortex-m55": {21},
}


@dataclass(frozen=True)
class Facts:
    """Build attributes of an object file: Tag_CPU_arch, and whether floats are passed in FPU registers."""

    arch: int
    hard_float: bool


def object_facts(content: bytes, where: str) -> Facts:
    """The build attributes of an Arm object file.

    Raises:
        ToolError: not an Arm object file.
    """
    import io

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        section: Any = ELFFile(io.BytesIO(content)).get_section_by_name(".ARM.attributes")
        attributes = (
            {}
            if section is None
            else {a.tag: a.value for a in section.subsections[0].subsubsections[0].iter_attributes()}
        )
    except (ELFError, IndexError, KeyError, ValueError, AssertionError) as error:
        raise ToolError(f"holds a damaged object file: {error}", where=where) from error
    arch = attributes.get("TAG_CPU_ARCH")
    if not isinstance(arch, int):
        raise ToolError("is not a library for Arm cores", where=where)
    return Facts(arch, attributes.get("TAG_ABI_VFP_ARGS", 0) == 1)


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the members of a `.a` library.

    Raises:
        ToolError: not a library, or a damaged one.
    """
    magic, header_bytes, long_names = b"!<arch>\n", 60, b""
    try:
        with archive.open("rb") as file:
            if file.read(len(magic)) != magic:
                raise ToolError("is not a library", where=str(archive))
            while header := file.read(header_bytes):
                name, size_text = header[:16].rstrip(), header[48:58].strip()
                if len(header) != header_bytes or header[58:] != b"`\n" or not size_text.isdigit():
                    raise ToolError("is damaged", where=str(archive), hint="Build it again")
                content = file.read(int(size_text))
                file.read(len(content) % 2)
                if name == b"//":
                    long_names = content
                elif name not in (b"/", b"/SYM64/"):
                    if name.startswith(b"/") and name[1:].isdigit():
                        name = long_names[int(name[1:]) :].split(b"/\n", 1)[0]
                    yield name.rstrip(b"/").decode("utf-8", "replace"), content
    except OSError as error:
        raise ToolError(f"cannot be read: {error.strerror}", where=str(archive)) from error


def _best_built(root: Path, board: Board, types: Sequence[str]) -> Variant | None:
    """The first build for the board that is there."""
    arch = tflm_arch(board)
    for build_type in types:
        for optimised in (True, False):
            variant = Variant(arch, build_type, optimised)
            if (root / variant.archive).is_file():
                return variant
    return None


def build_flags(library: Library, root: str) -> list[str]:
    """Compiler and linker flags of a project.

    Args:
        root: the checkout, as the project's configuration writes it.
    """
    if library.variant is None:
        # For the library and for what calls it: they decide how structures are laid out, and whether there are texts.
        return [f"-D{name}" for name in LIBRARY_DEFINES]
    includes = ["", f"/{DOWNLOADS}/flatbuffers/include", f"/{DOWNLOADS}/gemmlowp"]
    return [
        *(f"-isystem {_quoted(root + path)}" for path in includes),
        *(f"-D{name}" for name in library.variant.defines),
        f"-L {_quoted(f'{root}/{Path(library.variant.archive).parent}')}",
        f"-l{Path(library.variant.archive).stem.removeprefix('lib')}",
        "-lm",
    ]


def _quoted(path: str) -> str:
    return path if path.startswith("${") else shlex.quote(path)

"""Emits a whole PlatformIO project, and reads one back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen import __version__
from mcugen.boards.read import read_board
from mcugen.boards.text import board_toml
from mcugen.boards.types import Board
from mcugen.emit import c_text
from mcugen.emit.interface import QUANTIZED_LIMITS, banner
from mcugen.emit.templates import render
from mcugen.errors import BoardError, ProjectError
from mcugen.graph.types import DType, Tensor
from mcugen.names import Protocol
from mcugen.ops.common import describe
from mcugen.project.arduino import arduino_files
from mcugen.project.bsp import (
    bsp_files,
    compile_flags,
    default_max_payload,
    harness_files,
    link_flags,
    linker_script,
    mlperf_files,
)
from mcugen.project.folder import OWN_BY_USER, differences, digest, replace_folder
from mcugen.project.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    Manifest,
    is_inside,
    manifest_text,
    parse_manifest,
    plan_facts,
)
from mcugen.project.mlperf import benchmark_of
from mcugen.resources import resource_dir
from mcugen.runtimes.program import Program
from mcugen.runtimes.tflm.library import parse_variant

_LEAST_PAYLOAD = 256
_SPEED_FLAGS = ["-O2"]
"""Of the ahead-of-time runtime unless it shall be small. The rest is built with -Os, as is what calls TFLM's
interpreter, whose kernels are built already."""

_EXACT_FLOAT_FLAGS = ["-ffp-contract=off"]
"""Kernels of float32 round after every product, as the reference, in whatever project the library is built."""


@dataclass(frozen=True)
class Project:
    """An emitted project on disk."""

    folder: Path
    manifest: Manifest
    board: Board


def emit_project(
    plan: Program,
    board: Board,
    out_dir: Path,
    *,
    model_files: Mapping[str, str | bytes],
    extra_files: Mapping[str, str | bytes] | None = None,
    command: str = "",
    labels: Sequence[str] = (),
    protocol: Protocol = "mcugen",
    force: bool = False,
) -> Project:
    """Write the project's folder. The same arguments give the same bytes, wherever and whenever.

    Args:
        plan: a verified plan for the board's core.
        out_dir: absent, empty, or a project of mcugen's, which is replaced. What tools put there (`.git`, `.pio`,
            …) stays.
        model_files: the model library, by path relative to `lib/mcg_model/` (a runtime emits it).
        extra_files: further files, by path relative to the project.
        command: shown in the files' banners; without paths of this computer, or the bytes depend on them.
        labels: class names, for the manifest and the README.
        protocol: what the firmware speaks over its UART.
        force: replace files that the user changed. Files that the user added are kept in any case.

    Raises:
        ProjectError: `out_dir` is not mcugen's, holds changed or added files, or cannot be written.
        BoardError: the runtime does not go with the board's framework.
    """
    _check_runtime(plan, board)
    folder = out_dir.expanduser().resolve()
    keep = _check_replaceable(folder, force)
    in_library = {f"lib/mcg_model/{path}": content for path, content in model_files.items()}
    files = _project_files(plan, board, {**in_library, **(extra_files or {})}, command, len(labels), protocol)
    manifest = Manifest(
        mcugen=__version__,
        board=board.name,
        command=command,
        labels=tuple(labels),
        protocol=protocol,
        files={path: digest(content) for path, content in files.items()},
        **plan_facts(plan),
    )
    files[MANIFEST_NAME] = manifest_text(manifest).encode()
    replace_folder(folder, files, [path for path in keep if path not in files])
    return Project(folder, manifest, board)


def load_project(folder: Path) -> Project:
    """Read an emitted project back. Nothing in it is trusted.

    Raises:
        ProjectError: not a project of mcugen's, a damaged manifest, or one made by another version.
        BoardError: the project's board file is missing or breaks the format.
    """
    folder = folder.expanduser().resolve()
    manifest = _read_manifest(folder)
    if manifest.mcugen != __version__:
        made_by = manifest.mcugen if re.fullmatch(r"[0-9A-Za-z.+-]{1,40}", manifest.mcugen) else "another version"
        raise ProjectError(
            f"was made by mcugen {made_by}, this is mcugen {__version__}",
            where=str(folder),
            hint=f"Generate it again with this version, or use that one: pip install mcugen=={made_by}",
        )
    path = _board_path(manifest.board)
    if path not in manifest.files:
        raise BoardError("the project has no board file", where=str(folder / path))
    return Project(folder, manifest, read_board(folder / path))


def changed_files(project: Project) -> list[str]:
    """Emitted files that are no longer as mcugen wrote them (changed or deleted), sorted."""
    changed, _added = differences(project.folder, project.manifest.files)
    missing = [path for path in project.manifest.files if not (project.folder / path).exists()]
    return sorted({*changed, *missing})


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_NAME
    hint = "Make one with mcugen generate MODEL --board BOARD -o DIR"
    if folder.is_file():
        raise ProjectError("is a file, not the folder of a project", where=str(folder), hint=hint)
    if not folder.is_dir():
        raise ProjectError("there is no such folder", where=str(folder), hint=hint)
    if not path.is_file():
        raise ProjectError(f"is not a project of mcugen's: it has no {MANIFEST_NAME}", where=str(folder), hint=hint)
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ProjectError(f"is larger than {MAX_MANIFEST_BYTES} bytes", where=str(path), hint=hint)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"cannot be read: {error}", where=str(path), hint=hint) from error
    return parse_manifest(text, str(path))


def _check_replaceable(folder: Path, force: bool) -> list[str]:
    """Refuse to replace what is not mcugen's. Gives the paths in the folder that have to be kept."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise ProjectError("is a file, not a folder", where=str(folder), hint="Choose another output folder")
    if not any(folder.iterdir()):
        return []
    if not (folder / MANIFEST_NAME).is_file():
        raise ProjectError(
            f"is not empty and not mcugen's (it has no {MANIFEST_NAME}), so nothing was written",
            where=str(folder),
            hint="Choose another output folder, or empty this one yourself",
        )
    try:
        old = _read_manifest(folder)
    except ProjectError as error:
        hint = "What is in the folder cannot be told apart from your own work: choose another, or empty it yourself"
        raise ProjectError(error.what, where=error.where, hint=hint) from error
    changed, added = differences(folder, {**old.files, MANIFEST_NAME: digest((folder / MANIFEST_NAME).read_bytes())})
    if (changed or added) and not force:
        names = [f"{path} (changed)" for path in changed] + [f"{path} (added)" for path in added]
        more = f", and {len(names) - 10} more" if len(names) > 10 else ""
        raise ProjectError(
            f"holds files that are not as mcugen wrote them: {', '.join(names[:10])}{more}",
            where=str(folder),
            hint="Choose another output folder, or give --force: changed files are then replaced, added ones kept",
        )
    return [*added, *(name for name in sorted(OWN_BY_USER) if (folder / name).exists())]


def _project_files(
    plan: Program, board: Board, given: Mapping[str, str | bytes], command: str, labels: int, protocol: Protocol
) -> dict[str, bytes]:
    """All files but the manifest, by path in the project."""
    first_line = banner(plan.graph.sha256, command)
    files: dict[str, str | bytes] = {
        "README.md": _readme(plan, board, banner(plan.graph.sha256, markdown(command)), labels),
        _board_path(board.name): board_toml(board),
    }
    files["lib/mcg_model/library.json"] = render(
        "project/model_library.json.j2",
        version=__version__,
        flags=_library_flags(plan),
    )
    files |= given
    files |= arduino_files(board, plan, first_line) if board.framework else _bare_metal_files(board, plan, first_line)
    if protocol == "mlperf":
        files |= mlperf_files(board, benchmark_of(plan))
    else:
        files |= harness_files(board, max_payload(plan, board))
    for path in files:
        if not is_inside(path):
            raise AssertionError(f"emitted path {path!r} leaves the project")
    return {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}


def _library_flags(plan: Program) -> list[str]:
    """Compiler flags of the model library."""
    if plan.runtime != "aot":
        return []
    fast = _SPEED_FLAGS if plan.goal != "size" else []
    return [*fast, *_EXACT_FLOAT_FLAGS] if _has_float_kernels(plan) else fast


def _has_float_kernels(plan: Program) -> bool:
    return plan.runtime == "aot" and any("_f32" in step.kernels for step in plan.steps)


def max_payload(plan: Program, board: Board) -> int:
    """Bytes of payload per frame of the link: what suits the board, or less where the model leaves little RAM."""
    payload = default_max_payload(board)
    spare = board.ram.size - board.stack_bytes - plan.arena_bytes - plan.static_bytes
    while payload > _LEAST_PAYLOAD and spare < 4 * payload:  # two frames are buffered
        payload //= 2
    return max(payload, _LEAST_PAYLOAD)


def _check_runtime(plan: Program, board: Board) -> None:
    """TFLM needs C++'s start-up and its library's sections, which other people's linker scripts do not promise."""
    if plan.runtime != "tflm" or (board.framework is None and not board.own_linker_script):
        return
    starts = board.framework.name if board.framework else "a linker script of your own"
    raise BoardError(
        f"the TFLM runtime is not made for {starts}",
        where=f"board {board.name}",
        hint="Leave --runtime tflm away: the model runs compiled ahead of time",
    )


def _bare_metal_files(board: Board, plan: Program, first_line: str) -> dict[str, str]:
    """What only a project without a framework has: board support, and the local PlatformIO platform."""
    files = {
        "platformio.ini": render("project/platformio.ini.j2", banner=first_line, board=board, program=plan),
        "src/main.c": render("project/main.c.j2", banner=first_line),
    }
    return files | bsp_files(board) | _platform_files(board)


def _platform_files(board: Board) -> dict[str, str]:
    source = resource_dir("firmware") / "platform"
    names = ("platform.json", "platform.py", "builder/main.py")
    files = {f"platform/{name}": (source / name).read_text(encoding="utf-8") for name in names}
    files[f"platform/boards/{board.name}.json"] = json.dumps(_board_manifest(board), indent=2) + "\n"
    return files


def _board_manifest(board: Board) -> dict[str, Any]:
    """The board as PlatformIO reads it."""
    return {
        "name": board.title,
        "vendor": board.mcu,
        "url": "",
        "build": {
            "mcu": board.mcu,
            "cpu": board.cpu,
            "f_cpu": f"{board.clock_hz}L",
            "tools": board.architecture.tools,
            "install": board.architecture.compiler_apt,
            "compile_flags": compile_flags(board),
            "link_flags": link_flags(board),
            "linker_script": linker_script(board),
        },
        "upload": {"maximum_size": board.flash.size, "maximum_ram_size": board.ram.size},
    }


def _board_path(name: str) -> str:
    return f"platform/boards/{name}.toml"


def _readme(plan: Program, board: Board, first_line: str, labels: int) -> str:
    return render(
        "project/README.md.j2",
        banner=first_line,
        board=board,
        emulate=_emulate_command(board),
        flags=" ".join((*board.cpu_flags(), *board.architecture.compile_flags)),
        labels=labels,
        tflm=_tflm_view(plan) if plan.runtime == "tflm" else None,
        model={
            "name": markdown(plan.graph.name),
            "arena_bytes": plan.arena_bytes,
            "macs": plan.macs,
            "op_count": len(plan.steps),
            "weight_bytes": sum(plan.constant_sizes()),
            "real": _has_float_kernels(plan),
        },
        inputs=[_tensor_view(tensor) for tensor in plan.input_tensors()],
        outputs=[_tensor_view(tensor) for tensor in plan.output_tensors()],
    )


def _tflm_view(plan: Program) -> dict[str, Any]:
    variant = parse_variant(plan.library)
    return {
        "arena_exact": plan.arena_exact,
        "slot_bytes": plan.slot_bytes,
        "make_command": variant.make_command() if variant else "",
    }


def _emulate_command(board: Board) -> str:
    if board.emulator is None:
        return ""
    emulator = board.emulator
    architecture = board.architecture
    arguments = " ".join(("-M", emulator.machine, *emulator.args, *architecture.qemu_args))
    return (
        f"{architecture.qemu} {arguments} -icount shift={emulator.icount_shift} -display none \\\n"
        f"  -serial tcp:127.0.0.1:4321,server=on,wait=on,nodelay=on -kernel .pio/build/{board.name}/firmware.elf"
    )


_CTYPES = {
    DType.FLOAT32: "float",
    DType.INT8: "int8_t",
    DType.UINT8: "uint8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.BOOL: "uint8_t",
}


def _tensor_view(tensor: Tensor) -> dict[str, Any]:
    quantized = tensor.quant is not None and tensor.dtype in QUANTIZED_LIMITS and tensor.scale > 0
    return {
        "name": markdown(tensor.name),
        "shown": describe(tensor),
        "ctype": _CTYPES[tensor.dtype],
        "elements": tensor.elements,
        "quantized": quantized,
        "quantization": f", scale {tensor.scale:.8g}, zero point {tensor.zero_point}" if quantized else "",
    }


def markdown(text: str) -> str:
    """Text from outside, harmless in Markdown: one line of ASCII without markup."""
    return re.sub(r"[`|<>\[\]#*~&!]", "?", c_text.comment(text))

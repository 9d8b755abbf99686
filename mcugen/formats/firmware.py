"""A whole firmware as a PlatformIO project: model library, harness, board support, local platform."""

from __future__ import annotations

import json
from typing import Any

from mcugen import __version__
from mcugen.boards.slots import head_store
from mcugen.boards.text import board_toml
from mcugen.boards.types import Board
from mcugen.emit.interface import banner
from mcugen.emit.style import Style
from mcugen.emit.templates import render
from mcugen.errors import BoardError
from mcugen.formats.package import below, text, view
from mcugen.formats.types import Format, Subject
from mcugen.formats.views import has_float_kernels, library_flags, markdown, tensor_view
from mcugen.project.arduino import arduino_files
from mcugen.project.bsp import (
    bsp_files,
    compile_flags,
    harness_files,
    link_flags,
    linker_script,
    max_payload,
    mlperf_files,
)
from mcugen.project.mlperf import benchmark_of
from mcugen.project.project import board_path
from mcugen.resources import licence_text, resource_dir
from mcugen.runtimes.aot.plan.types import Plan
from mcugen.runtimes.program import Program
from mcugen.runtimes.tflm.library import parse_variant


def _files(subject: Subject) -> dict[str, str | bytes]:
    """All files but the manifest, by path in the project."""
    plan, board, command = subject.program, subject.board, subject.command
    assert board is not None
    if len(subject.parts) > 1:
        return _several(subject)
    _check_runtime(plan, board)
    first_line = banner(plan.graph.sha256, command)
    files: dict[str, str | bytes] = {
        "README.md": _readme(plan, board, banner(plan.graph.sha256, markdown(command)), len(subject.labels)),
        "LICENSE": licence_text(),
        board_path(board.name): board_toml(board),
    }
    files["lib/mcg_model/library.json"] = render(
        "project/model_library.json.j2",
        version=__version__,
        flags=library_flags(plan),
    )
    files |= {f"lib/mcg_model/{path}": content for path, content in subject.model_files.items()}
    files |= subject.extra_files
    files |= arduino_files(board, plan, first_line) if board.framework else _bare_metal_files(board, plan, first_line)
    if subject.protocol == "mlperf":
        files |= mlperf_files(board, benchmark_of(plan))
    else:
        learns = plan.train_bytes > 0
        store = head_store(board, plan.head_bytes) if isinstance(plan, Plan) and learns else None
        files |= harness_files(
            board, max_payload(plan, board), app=plan.app_bytes > 0, training=learns, head_store=store
        )
    return files


def _several(subject: Subject) -> dict[str, str | bytes]:
    """The same of several models: one library, and the harness's interface to that which it serves."""
    board, plans = subject.board, [part.program for part in subject.parts]
    assert board is not None
    first_line = banner(subject.program.graph.sha256, subject.command)
    names = {**view(subject), **Style().view()}
    flags = list(dict.fromkeys(flag for plan in plans for flag in library_flags(plan)))
    library = {
        **subject.model_files,
        "mcg_model.h": render("aot/mcg_models.h.j2", **names),
        "mcg_model.c": render("aot/mcg_models.c.j2", **names),
        "library.json": render("project/model_library.json.j2", version=__version__, flags=flags),
    }
    # The harness gets as much of the RAM as the model with the largest arena leaves it.
    payload = min(max_payload(plan, board) for plan in plans)
    starts = arduino_files if board.framework else _bare_metal_files
    return {
        "README.md": text("README.md.j2", subject, format="firmware"),
        "LICENSE": licence_text(),
        board_path(board.name): board_toml(board),
        **below("lib/mcg_model", library),
        **subject.extra_files,
        **starts(board, subject.program, first_line),
        **harness_files(board, payload),
    }


def _check_runtime(plan: Program, board: Board) -> None:
    """TFLM needs C++'s start-up and its library's sections, which other people's linker scripts do not promise."""
    if plan.runtime != "tflm" or (board.framework is None and not board.own_linker_script):
        return
    starts = board.framework.name if board.framework else "a linker script of your own"
    raise BoardError(
        f"the TFLM runtime does not support {starts}",
        where=f"board {board.name}",
        hint='Omit `runtime="tflm"`: the model runs compiled ahead of time',
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
        "upload": {"maximum_size": board.flash_bytes, "maximum_ram_size": board.ram_bytes},
    }


def _readme(plan: Program, board: Board, first_line: str, labels: int) -> str:
    return render(
        "project/README.md.j2",
        row_elements=plan.input_tensors()[0].elements // plan.input_tensors()[0].shape[1]
        if plan.rows == "pushed"
        else 0,
        banner=first_line,
        board=board,
        emulate=_emulate_command(board),
        flags=" ".join((*board.cpu_flags(), *board.architecture.compile_flags)),
        labels=labels,
        app=plan.app_bytes > 0,
        train_bytes=plan.train_bytes,
        memories=_memories_view(plan),
        tflm=_tflm_view(plan) if plan.runtime == "tflm" else None,
        model={
            "name": markdown(plan.graph.name),
            "arena_bytes": plan.arena_bytes,
            "macs": plan.macs,
            "op_count": len(plan.steps),
            "weight_bytes": sum(plan.constant_sizes()),
            "real": has_float_kernels(plan),
        },
        inputs=[tensor_view(tensor) for tensor in plan.input_tensors()],
        outputs=[tensor_view(tensor) for tensor in plan.output_tensors()],
    )


def _memories_view(plan: Program) -> list[dict[str, Any]]:
    """What lies in which of several memories; nothing where all lies in flash and RAM."""
    if not isinstance(plan, Plan):
        return []
    return [
        {
            "name": memory.name,
            "kind": memory.kind,
            "macro": f"MCG_IN_{memory.name.upper()}" if memory.is_ram and not memory.own else "",
            "init": f"mcg_init_{memory.name}" if memory.kind in ("psram", "qspi") and not memory.own else "",
            "arena": sum(arena.size for arena in plan.arenas if arena.memory == memory.name),
            "weights": sum(each.size for each in plan.weights if each.memory == memory.name),
            "images": sum(each.size for each in plan.weights if each.image == memory.name),
        }
        for memory in plan.memories
    ]


def _tflm_view(plan: Program) -> dict[str, Any]:
    variant = parse_variant(plan.library)
    return {
        "arena_exact": plan.arena_exact,
        "slot_bytes": plan.slot_bytes,
        "warnings": [markdown(warning) for warning in plan.warnings],
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


FORMAT = Format(
    "firmware",
    "a PlatformIO project, ready to build, flash and verify",
    _files,
    proved="run: built and run in QEMU on every emulated board; every output equals the reference",
    needs_board=True,
)

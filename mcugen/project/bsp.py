"""Board support and harness: the files of lib/mcg_bsp and lib/mcg_harness, and the flags to build them."""

from __future__ import annotations

import json

from mcugen import __version__
from mcugen.boards.slots import Slots
from mcugen.boards.types import Board, Region
from mcugen.emit.templates import render
from mcugen.project.mlperf import Benchmark
from mcugen.resources import resource_dir
from mcugen.runtimes.program import Program

BSP = "lib/mcg_bsp"
HARNESS = "lib/mcg_harness"
_APP_REQUESTS = "mcg_app_requests.c"
"""Of the harness, what only firmware that takes a signal needs."""
_TRAIN_REQUESTS = "mcg_train_requests.c"
"""And what only firmware that learns needs."""
_HEAD_STORE = "mcg_head_store.c"
"""And what keeps what it learned."""


def bsp_files(board: Board) -> dict[str, str]:
    """Path in the project → text of every file of the board support library, linker script included."""
    source = resource_dir("firmware") / "bsp"
    architecture = board.architecture
    paths = [
        *sorted((source / "shared").iterdir()),
        *sorted((source / architecture.bsp).iterdir()),
        *sorted((source / board.family).iterdir()),
        source / "uart" / f"mcg_uart_{board.uart.driver}.c",
    ]
    files = {f"{BSP}/{path.name}": path.read_text(encoding="utf-8") for path in paths if path.suffix in (".c", ".h")}
    files[f"{BSP}/mcg_board.h"] = render("bsp/mcg_board.h.j2", board=board)
    places = _places(board)
    script = board.linker_script or render(f"bsp/{architecture.bsp}.ld.j2", board=board, places=places)
    files[linker_script(board)] = script
    if board.placed:
        files[f"{BSP}/mcg_memories.c"] = render("bsp/mcg_memories.c.j2", board=board, places=places)
    files[f"{BSP}/library.json"] = library_json(
        "mcg_bsp", f"Start-up, counter and UART of {board.name}", {"mcg_harness": "*"}
    )
    return files


def _places(board: Board) -> dict[str, list[Region]]:
    """What start-up and linker script do with memories beside flash and RAM.

    `lasting` hold weights without power, flash first; `copied` get weights from these at the start; `zeroed` have
    arenas; `started` need a controller.
    """
    weights = [region for region in board.placed if "weights" in region.holds]
    return {
        "lasting": [board.flash, *(region for region in weights if not region.is_ram)],
        "copied": [board.ram, *(region for region in weights if region.is_ram)],
        "zeroed": [region for region in board.placed if region.is_ram],
        "started": [region for region in board.placed if region.kind in ("psram", "qspi")],
    }


def mlperf_files(board: Board, benchmark: Benchmark) -> dict[str, str]:
    """Path in the project → text of every file of the MLPerf Tiny protocol, in the place of the harness."""
    source = resource_dir("firmware")
    headers = [source / "harness" / name for name in ("mcg_harness.h", "mcg_port.h")]
    paths = [*headers, source / "mlperf" / "mcg_mlperf.c"]
    files = {f"{HARNESS}/{path.name}": path.read_text(encoding="utf-8") for path in paths}
    files[f"{HARNESS}/mcg_mlperf_config.h"] = render("bsp/mcg_mlperf_config.h.j2", board=board, benchmark=benchmark)
    files[f"{HARNESS}/library.json"] = library_json(
        "mcg_harness", "MLPerf Tiny protocol: runs the model for the benchmark's runner", {"mcg_model": "*"}
    )
    return files


def harness_files(
    board: Board,
    max_payload: int | None = None,
    *,
    app: bool = False,
    training: bool = False,
    head_store: Slots | None = None,
) -> dict[str, str]:
    """Path in the project → text of every file of the protocol server.

    Args:
        max_payload: bytes of a frame's payload, 256 … 65,535; None takes what suits the board's RAM.
        app: the firmware takes a sensor's signal.
        training: its model's last layers learn.
        head_store: where it keeps what they learned; None if nowhere.
    """
    payload = default_max_payload(board) if max_payload is None else max_payload
    if not 256 <= payload <= 65_535:
        raise ValueError(f"max_payload is {payload}, not between 256 and 65535")
    source = resource_dir("firmware") / "harness"
    left_out = {_APP_REQUESTS: not app, _TRAIN_REQUESTS: not training, _HEAD_STORE: head_store is None}
    files = {
        f"{HARNESS}/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted(source.iterdir())
        if path.suffix in (".c", ".h") and not left_out.get(path.name)
    }
    files[f"{HARNESS}/mcg_harness_config.h"] = render(
        "bsp/mcg_harness_config.h.j2",
        board=board,
        max_payload=payload,
        app=app,
        training=training,
        head_store=head_store,
    )
    if head_store is not None:
        files |= _store_files(head_store.driver)
    files[f"{HARNESS}/library.json"] = library_json(
        "mcg_harness", "Protocol server: runs the model for a host", {"mcg_model": "*"}
    )
    return files


def _store_files(driver: str) -> dict[str, str]:
    """The store of blobs, and what writes the chip's flash."""
    firmware = resource_dir("firmware")
    sources = {
        "mcg_store.h": firmware / "store" / "mcg_store.h",
        "mcg_store.c": firmware / "store" / "mcg_store.c",
        "mcg_flash.h": firmware / "flash" / "mcg_flash.h",
        "mcg_flash.c": firmware / "flash" / f"mcg_flash_{driver}.c",
    }
    return {f"{HARNESS}/{name}": path.read_text(encoding="utf-8") for name, path in sources.items()}


def default_max_payload(board: Board) -> int:
    """Payload bytes per frame that suit the RAM, of which the harness buffers two frames."""
    for ram, payload in ((256 * 1024, 4096), (32 * 1024, 1024)):
        if board.ram.size >= ram:
            return payload
    return 256


def linker_script(board: Board) -> str:
    """Path in the project of the board's linker script."""
    return f"{BSP}/{board.name}.ld"


def compile_flags(board: Board) -> list[str]:
    """Flags for every C file of a firmware: instruction set, C library, one section per function and variable."""
    sections = ("-ffunction-sections", "-fdata-sections", "-fno-common")
    return [*board.cpu_flags(), *board.architecture.compile_flags, *sections]


def link_flags(board: Board) -> list[str]:
    """Flags for linking, relative to the project's folder.

    The build id tells the host whether the device runs the firmware that it believes.
    """
    return [
        *board.cpu_flags(),
        "-nostartfiles",
        *board.architecture.link_flags,
        "-Wl,--gc-sections",
        "-Wl,--build-id=sha1",
        # A user's linker script names another entry, and may have warnings that are the user's.
        "-Wl,-emcg_reset" if board.own_linker_script else "-Wl,--fatal-warnings",
        f"-T{linker_script(board)}",
    ]


def library_json(name: str, description: str, dependencies: dict[str, str]) -> str:
    """A library.json. The library's objects are linked one by one: an archive would drop the vector table."""
    manifest = {
        "name": name,
        "version": __version__,
        "description": description,
        "license": "Apache-2.0",
        "dependencies": dependencies,
        "build": {"srcDir": ".", "includeDir": ".", "libArchive": False},
    }
    return json.dumps(manifest, indent=2) + "\n"


_LEAST_PAYLOAD = 256


def max_payload(plan: Program, board: Board) -> int:
    """Bytes of payload per frame of the link: what suits the board, or less where the model leaves little RAM."""
    payload = default_max_payload(board)
    spare = board.ram.size - board.stack_bytes - plan.ram_bytes - plan.static_bytes
    while payload > _LEAST_PAYLOAD and spare < 4 * payload:  # two frames are buffered
        payload //= 2
    return max(payload, _LEAST_PAYLOAD)

"""The store compiled for this computer, on flash whose power can be cut (simulated_flash.c)."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mcugen.environment import find_host_compiler
from mcugen.resources import resource_dir

FIRMWARE = resource_dir("firmware")
SOURCES = (FIRMWARE / "store" / "mcg_store.c", FIRMWARE / "harness" / "mcg_crc.c")
INCLUDES = tuple(f"-I{FIRMWARE / name}" for name in ("store", "flash", "harness"))
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pedantic")

TEARS = ("not begun", "random bits", "all zero", "first half")
"""What a cut leaves of the operation that was under way, by its number in simulated_flash.c."""
SLOT_BYTES, HEADER_BYTES = 512, 32
CAPACITY = SLOT_BYTES - HEADER_BYTES
NEVER = 0xFFFFFFFF
POWER_CUT = 100
OK, TOO_LARGE, FAILED = 0, -1, -2


def library(folder: Path) -> ctypes.CDLL:
    """The store and its simulated flash."""
    compiler = find_host_compiler()
    assert compiler is not None
    path = folder / "libstore.so"
    sources = [str(source) for source in (*SOURCES, Path(__file__).with_name("simulated_flash.c"))]
    command = [compiler, *WARNINGS, "-O1", "-shared", "-fPIC", *INCLUDES, "-o", str(path), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return ctypes.CDLL(str(path))


@dataclass(frozen=True)
class Flash:
    """The simulated flash, and the store's functions on it."""

    c: ctypes.CDLL

    def get(self) -> bytes:
        memory = ctypes.create_string_buffer(self.c.sim_bytes())
        self.c.sim_get(memory)
        return memory.raw

    def set(self, content: bytes) -> None:
        assert len(content) == self.c.sim_bytes()
        self.c.sim_set(content)

    def erase(self) -> None:
        self.set(b"\xff" * self.c.sim_bytes())

    def write(self, fingerprint: int, blob: bytes, cut: int = NEVER, tear: int = 0, seed: int = 1) -> int:
        return int(self.c.sim_write(fingerprint, blob, len(blob), cut, tear, seed))

    def clear(self, cut: int = NEVER, tear: int = 0, seed: int = 1) -> int:
        return int(self.c.sim_clear(cut, tear, seed))

    def find(self, fingerprint: int) -> bytes | None:
        memory = ctypes.create_string_buffer(SLOT_BYTES)
        size = self.c.sim_find(fingerprint, memory)
        return None if size < 0 else memory.raw[:size]

    @property
    def operations(self) -> int:
        """Erasures of pages and words written by the last call."""
        return int(self.c.sim_operations())

    @property
    def faults(self) -> int:
        """How often a rule of the flash was broken."""
        return int(self.c.sim_faults())

"""The walls around the process that runs other people's frameworks on other people's models."""

from __future__ import annotations

import os
from pathlib import Path

from mcugen.guard.landlock import write_only_in
from mcugen.guard.seccomp import refuse_system_calls

_GIGABYTE = 1 << 30
_MEMORY = 6 * _GIGABYTE
_MEMORY_PER_BYTE = 24
_FILE = 4 * _GIGABYTE
_CPU_SECONDS = 4 * 3600


def confine(folder: Path, model_bytes: int = 0) -> tuple[str, ...]:
    """Confine this process for the rest of its life; to be called before any thread starts.

    It can write in `folder` alone, start no program, reach no network, and take a limited amount of memory.

    Args:
        model_bytes: size of the model, which the memory allowed grows with.

    Returns:
        The walls that this system has: "files", "system calls", "memory".
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    # Frameworks keep settings and caches; what is made for one model must not reach the next.
    os.environ.update(HOME=str(home), KERAS_HOME=str(home), TMPDIR=str(home), XDG_CACHE_HOME=str(home))
    walls = []
    if _limit_resources(model_bytes):
        walls.append("memory")
    if write_only_in(folder):
        walls.append("files")
    if refuse_system_calls():
        walls.append("system calls")
    return tuple(walls)


def _limit_resources(model_bytes: int) -> bool:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return False
    limits = {
        "RLIMIT_DATA": _MEMORY + _MEMORY_PER_BYTE * model_bytes,
        "RLIMIT_FSIZE": _FILE,
        "RLIMIT_CPU": _CPU_SECONDS,
        "RLIMIT_CORE": 0,
    }
    limited = False
    for name, most in limits.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, hard))
            limited = limited or name == "RLIMIT_DATA"
        except (OSError, ValueError):
            continue
    return limited

"""Writing a whole folder at once, and never over somebody else's work."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from mcugen.errors import ProjectError

OWN_BY_USER = frozenset({".git", ".gitignore", ".pio", ".vscode", ".github", ".DS_Store", "compile_commands.json"})
"""Names at the top of a project that tools put there: never counted as changes, always kept."""

COMPILED = "__pycache__"
"""What Python makes of a project's scripts when PlatformIO runs them, anywhere: no changes, and not worth keeping."""


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def differences(folder: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """How a folder differs from what was written there.

    Args:
        files: relative path → SHA-256 of what was written.

    Returns:
        (changed, added): files whose content is not what was written, and files that were not written at all, both
        sorted. Deleted files count as neither: there is nothing of them to lose.
    """
    present = set(_walk(folder))
    changed = [path for path in present & files.keys() if _digest_of(folder / path) != files[path]]
    return sorted(changed), sorted(present - files.keys())


def paths_to_keep(folder: Path, manifest: str, written: Callable[[], Mapping[str, str]], force: bool) -> list[str]:
    """Refuse to replace what is not mcugen's. Gives the paths in the folder that have to be kept.

    Args:
        manifest: name of the file that marks the folder as mcugen's.
        written: reads it: relative path → SHA-256 of what was written.
        force: changed and added files are no reason to refuse.

    Raises:
        ProjectError: the folder is not mcugen's, or holds changed or added files.
    """
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise ProjectError("is a file, not a folder", where=str(folder), hint="Choose another output folder")
    if not any(folder.iterdir()):
        return []
    if not (folder / manifest).is_file():
        raise ProjectError(
            f"is not empty and not mcugen's (it has no {manifest}), so nothing was written",
            where=str(folder),
            hint="Choose another output folder, or empty this one yourself",
        )
    try:
        old = written()
    except ProjectError as error:
        hint = "mcugen cannot tell its own files from yours there: choose another folder, or empty this one yourself"
        raise ProjectError(error.what, where=error.where, hint=hint) from error
    changed, added = differences(folder, {**old, manifest: digest((folder / manifest).read_bytes())})
    if (changed or added) and not force:
        names = [f"{path} (changed)" for path in changed] + [f"{path} (added)" for path in added]
        more = f", and {len(names) - 10} more" if len(names) > 10 else ""
        raise ProjectError(
            f"contains files that differ from what mcugen wrote: {', '.join(names[:10])}{more}",
            where=str(folder),
            hint="Choose another output folder, or pass `force=True`: it replaces changed files and keeps added ones",
        )
    return [*added, *(name for name in sorted(OWN_BY_USER) if (folder / name).exists())]


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of all files (and links) below a folder, without what is the user's own at the top."""
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in folders if name != COMPILED or (here / name).is_symlink()]
        if here == folder:
            folders[:] = [name for name in folders if name not in OWN_BY_USER]
            names = [name for name in names if name not in OWN_BY_USER]
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *links):
            yield str(PurePosixPath((here / name).relative_to(folder)))


def _digest_of(path: Path) -> str:
    """SHA-256 of a regular file; of anything else, a text that is no digest."""
    return digest(path.read_bytes()) if path.is_file() and not path.is_symlink() else "not a file"


def replace_folder(folder: Path, files: Mapping[str, bytes], keep: list[str]) -> None:
    """Write `files` as the whole new content of `folder`, all or nothing.

    The new folder is completed beside the old one and renamed into its place.

    Args:
        keep: relative paths in the old folder that are carried over.

    Raises:
        ProjectError: something cannot be written. The old folder is then as it was.
    """
    folder = Path(os.path.realpath(folder))  # a link stays one
    token = secrets.token_hex(4)
    new = folder.with_name(f".{folder.name}.new-{token}")
    old = folder.with_name(f".{folder.name}.old-{token}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            for path, content in files.items():
                target = new / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            if folder.is_dir():
                _swap(folder, new, old)
                for path in keep:
                    target = folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (old / path).rename(target)
                shutil.rmtree(old)
            else:
                new.rename(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise ProjectError(f"cannot be written: {error.strerror}", where=str(error.filename or folder)) from error


def _swap(folder: Path, new: Path, old: Path) -> None:
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise

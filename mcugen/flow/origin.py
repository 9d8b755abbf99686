"""Where the running mcugen came from, as another computer's pip gets the same (PEP 610)."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from mcugen import __version__
from mcugen.errors import ProjectError

PACKAGE = "mcugen"
PYPI = ("pypi.org", "pypi.python.org")
_ELSEWHERE = (
    'Pass `install`: a Git URL ("mcugen @ git+https://…"), a wheel inside the repository (python -m pip wheel '
    "--no-deps -w wheels PATH makes one), or a name in an index of yours"
)


def requirement(repository: Path, extras: str = "") -> list[str]:
    """What pip on a CI machine installs to have this very mcugen: its arguments.

    Args:
        repository: the folder that the machine has.
        extras: of the package, as "tf"; "" for none.

    Raises:
        ProjectError: it came from where that machine cannot get it.
    """
    named = f"{PACKAGE}[{extras}]" if extras else PACKAGE
    direct = direct_url()
    if direct is None:
        return _from_index(named)
    url = str(direct.get("url", ""))
    if isinstance(vcs := direct.get("vcs_info"), dict):
        return [f"{named} @ {vcs.get('vcs', 'git')}+{without_password(url)}@{vcs.get('commit_id', '')}"]
    if not url.startswith("file:"):
        return [f"{named} @ {without_password(url)}"]
    return _from_path(Path(unquote(urlsplit(url).path)), named, repository)


def direct_url() -> Mapping[str, Any] | None:
    """The installer's record of where it got mcugen; None where that was an index.

    A mcugen that runs from its source folder without being installed came from that folder.
    """
    source = Path(__file__).resolve().parents[2]
    if (source / "pyproject.toml").is_file():
        return {"url": source.as_uri(), "dir_info": {}}
    try:
        text = importlib.metadata.distribution(PACKAGE).read_text("direct_url.json")
        found = json.loads(text) if text else None
    except (importlib.metadata.PackageNotFoundError, ValueError):
        found = None
    return found if isinstance(found, dict) else None


def without_password(url: str) -> str:
    """A URL without the name and password in it: a token must not get into a file that is committed."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    keeps = parts.scheme.endswith("ssh") and ":" not in user and user != ""
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if keeps else host))


def _from_index(named: str) -> list[str]:
    """From the index that pip is set to, if it is not PyPI, where nobody vouches for the name."""
    index = os.environ.get("PIP_INDEX_URL") or _pip_setting("global.index-url") or ""
    if not index or urlsplit(index).hostname in PYPI:
        raise ProjectError(
            "it is unknown from which index mcugen was installed, and on PyPI its name could be somebody else's",
            where="`install`",
            hint=_ELSEWHERE,
        )
    return ["--index-url", without_password(index), f"{named}=={__version__}"]


def _pip_setting(name: str) -> str:
    done = _run([sys.executable, "-m", "pip", "config", "get", name])
    return done.strip()


def _from_path(path: Path, named: str, repository: Path) -> list[str]:
    """From a folder or wheel: by its place in the repository, or by its own repository's URL and commit."""
    extras = named.removeprefix(PACKAGE)
    inside = path.resolve()
    if inside.is_relative_to(repository.resolve()):
        return [f"./{inside.relative_to(repository.resolve()).as_posix()}{extras}"]
    remote = _pushed(path) if path.is_dir() else None
    if remote is None:
        raise ProjectError(
            f"mcugen was installed from {path}, which a CI machine does not have", where="`install`", hint=_ELSEWHERE
        )
    return [f"{named} @ git+{remote}"]


def _pushed(folder: Path) -> str | None:
    """URL and commit of a Git work tree as it is, if it is all in its remote repository."""
    top, url, commit = (
        _run(["git", "-C", str(folder), *arguments]).strip()
        for arguments in (["rev-parse", "--show-toplevel"], ["remote", "get-url", "origin"], ["rev-parse", "HEAD"])
    )
    if not (top and url and commit) or Path(top).resolve() != folder.resolve():
        return None
    if _run(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"]).strip():
        return None
    if not _run(["git", "-C", str(folder), "branch", "--remotes", "--contains", commit]).strip():
        return None
    if found := re.fullmatch(r"([\w.-]+@[\w.-]+):(?!//)(.+)", url):  # as Git writes it for ssh
        url = f"ssh://{found[1]}/{found[2]}"
    return f"{without_password(url)}@{commit}" if re.match(r"(https|ssh)://", url) else None


def _run(command: list[str]) -> str:
    """What a command prints; nothing where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""

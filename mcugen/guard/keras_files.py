"""Keras files, recognised by what is in them, checked before any loader sees them.

What is loaded afterwards is a copy: under the name that belongs to its content, so that Keras takes the reader that was
checked, and out of reach of whoever could replace the file in between.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Literal

from mcugen.errors import ModelError
from mcugen.guard.keras_config import check_config
from mcugen.reading import parsing

_MOST_BYTES = 1 << 30
_MOST_CONFIG_BYTES = 64 << 20
_SAVE_AGAIN = "Save it again with model.save('model.keras')"

KerasKind = Literal["keras", "keras h5"]


def checked_copy(path: Path, kind: KerasKind, folder: Path, *, trusted: bool = False, own: Container[str] = ()) -> Path:
    """Copy a Keras file into `folder`, where its content was checked.

    Args:
        kind: by content, not by name.
        trusted: what its configuration names is not checked.
        own: names that its configuration may have beside those of Keras.

    Returns:
        The copy: `model.keras` or `model.h5`.

    Raises:
        ModelError: damaged, too large, reaches for other files, or names what is not Keras' own.
    """
    copy = folder / ("model.keras" if kind == "keras" else "model.h5")
    shutil.copyfile(path, copy)
    where = str(path)
    config = _zip_config(copy, where) if kind == "keras" else _h5_config(copy, where)
    if not trusted:
        check_config(config, where, own)
    return copy


def checked_weights(path: Path, folder: Path) -> Path:
    """Copy an HDF5 file of weights alone into `folder`, where its content was checked.

    Returns:
        The copy: `body.h5` of Keras 2's format, as keras.applications offers them, or `body.weights.h5`.

    Raises:
        ModelError: damaged, or it reaches for other files.
    """
    copy = folder / "body.weights.h5"
    shutil.copyfile(path, copy)
    _check_links(copy, str(path))
    import h5py

    with h5py.File(copy, "r") as file:
        is_old = "layer_names" in file.attrs
    return copy.rename(folder / "body.h5") if is_old else copy


def _zip_config(copy: Path, where: str) -> object:
    """The configuration in a `.keras` archive, whose members are looked through."""
    with parsing(lambda error: _damaged("archive", error, where)):
        import h5py  # noqa: F401 (said first, if it is missing)

        with zipfile.ZipFile(copy) as archive:
            members = archive.infolist()
            found = [member.filename for member in members]
            if len(set(found)) != len(found):
                raise ModelError("the archive holds a file twice", where=where, hint=_SAVE_AGAIN)
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise ModelError(f"the archive unpacks to more than {_MOST_BYTES >> 30} GB", where=where)
            if archive.getinfo("config.json").file_size > _MOST_CONFIG_BYTES:
                raise ModelError("its configuration is too large", where=where)
            text = archive.read("config.json")
            for name in found:
                if name.endswith(".h5"):
                    _check_links(io.BytesIO(archive.read(name)), f"{where}, {name}")
                elif name.endswith(".npz"):
                    raise ModelError(
                        "its weights are a NumPy archive, which may hold code", where=where, hint=_SAVE_AGAIN
                    )
    return _json(text, where)


def _h5_config(copy: Path, where: str) -> object:
    import h5py

    _check_links(copy, where)
    with h5py.File(copy, "r") as file:
        raw = file.attrs.get("model_config")
    if raw is None:
        raise ModelError("the file holds weights only, no model", where=where, hint=f"{_SAVE_AGAIN}, not save_weights")
    return _json(raw, where)


def _json(text: Any, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise ModelError("its configuration is not valid JSON", where=where, hint="Export or copy it again") from None


def _check_links(file: Path | io.BytesIO, where: str) -> None:
    """HDF5 can point into other files; a model of one file does not."""
    import h5py

    with parsing(lambda error: _damaged("HDF5 file", error, where)), h5py.File(file, "r") as root:
        for name in _outside(root):
            raise ModelError(f'"{name[:80]}" points into another file', where=where, hint=_SAVE_AGAIN)


def _damaged(what: str, error: Exception, where: str) -> Exception:
    if isinstance(error, ModuleNotFoundError):
        return error
    kind = type(error).__name__
    return ModelError(f"the {what} is truncated or corrupted ({kind})", where=where, hint="Export or copy it again")


def _outside(group: Any) -> Iterator[str]:
    """Names of what is not stored in the file itself. Hard links into a circle are followed once."""
    import h5py

    seen, pending = set(), [group]
    while pending:
        here = pending.pop()
        if here.id.__hash__() in seen:
            continue
        seen.add(here.id.__hash__())
        for name in here:
            link = here.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield f"{here.name}/{name}"
                continue
            item = here[name]
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                yield item.name

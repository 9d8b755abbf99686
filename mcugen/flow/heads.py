"""What a device learned, as a file: read from the device, and written to it or to another of the same model."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from mcugen.device.connecting import open_device
from mcugen.device.training import TrainingDevice
from mcugen.errors import DataError, TrainingError
from mcugen.flow.prove import device_options
from mcugen.flow.ready import Ready, built
from mcugen.outputs import check_output, write_file
from mcugen.progress import Progress

_HEADER = struct.Struct("<4sIII")
_MAGIC = b"MCGH"
_MOST_BYTES = 1 << 26


@dataclass(frozen=True)
class HeadFile:
    """The parameters of the layers that learn: float32, little endian.

    A file is the magic "MCGH", the fingerprint, the number of bytes and their CRC-32, all 32 bits and little endian,
    and the parameters.
    """

    fingerprint: int
    data: bytes

    def encoded(self) -> bytes:
        return _HEADER.pack(_MAGIC, self.fingerprint, len(self.data), zlib.crc32(self.data)) + self.data


def read_head_file(path: Path) -> HeadFile:
    """A file that `mcugen head pull` wrote.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) < _HEADER.size or content[:4] != _MAGIC:
        raise DataError("is no head", where=str(path), hint="`api.head('pull', DIR, file=FILE)` writes one")
    _, fingerprint, size, crc = _HEADER.unpack_from(content)
    data = content[_HEADER.size :]
    if len(data) != size or zlib.crc32(data) != crc:
        raise DataError("is damaged: length or checksum is wrong", where=str(path), hint="Pull it again")
    return HeadFile(fingerprint, data)


def pull_head(target: object, file: Path, port: str | None, progress: Progress) -> tuple[Ready, HeadFile]:
    """Read a device's head into a file.

    Raises:
        TrainingError: the project's model does not learn.
        DeviceError, ProjectError: see the stages.
    """
    check_output(file)
    with built(target, None, progress=progress) as ready:
        _check_learns(ready)
        with open_device(ready.firmware.elf, ready.board, **device_options(ready, port)) as device:
            learner = TrainingDevice(device)
            found = HeadFile(learner.info.fingerprint, learner.read_head())
        write_file(file, found.encoded())
        return ready, found


def push_head(target: object, file: Path, port: str | None, keep: bool, progress: Progress) -> tuple[Ready, HeadFile]:
    """Give a device the head in a file, and have it kept over resets if wanted.

    Raises:
        TrainingError: the project's model does not learn, or the head belongs to another one.
        DataError: see :func:`read_head_file`.
        DeviceError, ProjectError: see the stages.
    """
    given = read_head_file(file)
    with built(target, None, progress=progress) as ready:
        _check_learns(ready)
        with open_device(ready.firmware.elf, ready.board, **device_options(ready, port)) as device:
            learner = TrainingDevice(device)
            if learner.info.fingerprint != given.fingerprint:
                raise TrainingError(
                    f"is the head of another network: its fingerprint is {given.fingerprint:08x}, the device's "
                    f"{learner.info.fingerprint:08x}",
                    where=str(file),
                    hint="A head fits layers of the same shapes alone",
                )
            learner.write_head(given.data)
            if keep:
                learner.keep_head()
        return ready, given


def _check_learns(ready: Ready) -> None:
    if ready.model.head is None:
        raise TrainingError(
            "no layer of its model learns",
            where=ready.project.folder.name,
            hint='Deploy it with `trainable="LAYER"`',
        )

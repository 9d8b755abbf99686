# SPDX-License-Identifier: Apache-2.0
"""Writes the firmware's own hash into it, once it is linked; PlatformIO runs this with SCons.

The device tells this id in its hello, so that a host knows whether the firmware that it built is the one that runs.
"""

import hashlib
from pathlib import Path

MAGIC = b"mcugen-build-id:"
ID_BYTES = 20


def stamp(path):
    """Put the SHA-1 of the ELF file, taken with zeros in the id's place, behind the magic."""
    content = bytearray(path.read_bytes())
    if content.count(MAGIC) != 1:
        raise SystemExit(f"Error: {path} has {content.count(MAGIC)} places for a build id instead of one")
    start = content.index(MAGIC) + len(MAGIC)
    content[start : start + ID_BYTES] = bytes(ID_BYTES)
    content[start : start + ID_BYTES] = hashlib.sha1(content).digest()
    path.write_bytes(content)


if "Import" in globals():  # SCons runs this
    Import("env")  # noqa: F821
    env.AddPostAction(  # noqa: F821
        "$BUILD_DIR/${PROGNAME}.elf", lambda target, source, env: stamp(Path(str(target[0])))
    )

"""Landlock (Linux 5.13): from here on, this process can write nowhere but in its own folder.

Source: Linux kernel, Documentation/userspace-api/landlock.rst, and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_ASK_VERSION = 1
_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_REMOVES_AND_MAKES = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE, _DEVICE_IO = 1 << 13, 1 << 14, 1 << 15
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract sockets of others, signals to others


def write_only_in(folder: Path) -> bool:
    """Allow this thread, and those that it starts, to write below `folder` and to /dev/null alone.

    They can start no program either. False where the kernel cannot.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        return False
    writes = _WRITE_FILE | _REMOVES_AND_MAKES
    writes |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    handled = _EXECUTE | writes | (_DEVICE_IO if version >= 5 else 0)
    attributes = struct.pack("<QQQ", handled, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    try:
        file_rights = _WRITE_FILE | (_TRUNCATE if version >= 3 else 0)
        for path, rights in ((folder, writes), (Path(os.devnull), file_rights)):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("<Qi", rights, descriptor)
                if libc.syscall(_ADD, rules, _BENEATH, rule, 0) != 0:
                    return False
            finally:
                os.close(descriptor)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)

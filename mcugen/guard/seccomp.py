"""A filter for system calls (Linux, seccomp): no programs are started, no networks reached, no other process touched.

Source: Linux kernel, Documentation/userspace-api/seccomp_filter.rst, and include/uapi/linux/{bpf_common,seccomp}.h.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_AF_UNIX = 1

_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH of the machines that Python names so."""

_NUMBERS = {
    "x86_64": {
        "socket": 41, "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272, "bpf": 321,
        "keyctl": 250, "add_key": 248, "request_key": 249, "io_uring_setup": 425, "pidfd_getfd": 438,
        "pidfd_open": 434, "userfaultfd": 323, "perf_event_open": 298, "kexec_load": 246, "init_module": 175,
        "finit_module": 313, "reboot": 169, "mknod": 133, "mknodat": 259,
    },
    "aarch64": {
        "socket": 198, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268,
        "unshare": 97, "bpf": 280, "keyctl": 219, "add_key": 217, "request_key": 218, "io_uring_setup": 425,
        "pidfd_getfd": 438, "pidfd_open": 434, "userfaultfd": 282, "perf_event_open": 241, "kexec_load": 104,
        "init_module": 105, "finit_module": 273, "reboot": 142, "mknodat": 33,
    },
}  # fmt: skip
"""Numbers of the system calls that are refused; socket() but for local ones."""

_X32 = 0x40000000
"""Bit of x86-64's other table of system calls."""


def refuse_system_calls() -> bool:
    """Refuse them from here on, in this thread and those that it starts; False where this system has no such filter."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHES:
        return False
    code = b"".join(struct.pack("<HBBI", *line) for line in _program(machine))
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("count", ctypes.c_ushort), ("lines", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _program(machine: str) -> list[tuple[int, int, int, int]]:
    """Instructions of classic BPF: code, lines to skip if true, lines to skip if false, constant."""
    numbers = dict(_NUMBERS[machine])
    socket = numbers.pop("socket")
    lines = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ENOSYS),
        (_EQUAL, 0, 4, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for number in sorted(numbers.values()):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    return [*lines, (_RETURN, 0, 0, _ALLOW)]

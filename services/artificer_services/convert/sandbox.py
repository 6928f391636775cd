"""Takes from this process what a conversion does not need: the network, other programs, memory, processor time.

Limits survive `exec`, so the program that is started next has them from its first instruction. Linux; on other systems
only the limits of resources are set, and Pandoc's own sandbox remains.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct

# Numbers from the kernel's headers (linux/audit.h, asm/unistd.h): architecture, socket, ptrace.
_ARCHITECTURES = {"x86_64": (0xC000003E, 41, 101), "aarch64": (0xC00000B7, 198, 117)}
_IO_URING_SETUP = 425  # the same on all architectures; io_uring opens sockets by itself
_X32 = 0x40000000  # the bit of calls in x86-64's 32-bit form, which have other numbers
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


def limit_resources(*, seconds: int, output_bytes: int, memory_bytes: int) -> None:
    """Limit processor time, the size of files, and private memory; the program itself takes 160 MB more."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def close_network() -> bool:
    """Refuse sockets to this process and all that it starts. Returns whether the kernel does."""
    known = _ARCHITECTURES.get(platform.machine())
    if known is None or os.uname().sysname != "Linux":
        return False
    architecture, *numbers = known
    program = _program(architecture, (*numbers, _IO_URING_SETUP))
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
    pointer = ctypes.create_string_buffer(filter_, len(filter_))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(pointer), 0, 0) == 0)


def _program(architecture: int, refused: tuple[int, ...]) -> bytes:
    """Returns the filter: kill calls of another architecture, refuse these, allow the rest (seccomp(2))."""
    last = len(refused)
    lines = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_AT_LEAST, last + 1, 0, _X32),
        *((_EQUAL, last - index, 0, number) for index, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)

"""Helpers for worker processes: checks whether a process exists, and ties its life to its server's.

Knows no service. Imports only the standard library, since workers start with it.
"""

from __future__ import annotations

import fcntl
import os
import signal


def exists(pid: int) -> bool:
    """Whether a process with this id exists, owned by any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def die_with_the_server(life_fd: int) -> None:
    """Make the kernel end this process's group when the other end of `life_fd` closes.

    A waiting thread would not run while a C library holds the interpreter lock; the default action of SIGIO, which
    terminates the process, needs no thread. PR_SET_PDEATHSIG would also fire when only the starting thread ends.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life_fd, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life_fd, fcntl.F_SETFL, fcntl.fcntl(life_fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if not os.read(life_fd, 1):  # the server ended before the signal was set up
            os._exit(0)
    except BlockingIOError:
        return

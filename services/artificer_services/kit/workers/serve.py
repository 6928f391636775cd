"""The loop of a worker process: reads tasks from a socket, runs them one by one, and writes the answers.

`process` starts a service's worker program, which calls `serve`; the program shares only two sockets with the server.
Keeps no state beyond the documents that the service's tasks keep open.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from ..processes import die_with_the_server
from . import errors, wire

_HOARD = 512 << 20  # bytes that libraries may keep after a document, in fragments that no other document can use


class Tasks(Protocol):
    """The tasks of one worker."""

    greeting: dict[str, str]
    """What the server learns of the worker, such as the version of a library."""

    def do(self, task: wire.Frame, document: int, output: int | None) -> dict[str, Any]:
        """Run a task on the document in a descriptor; large results go to the file `output`. Raises WorkError."""

    def forget(self, document: int) -> None:
        """Close a document if it is open."""


def serve(make: Callable[[wire.Frame], Tasks]) -> None:
    """Serve tasks until the server closes the socket; `make` receives the pool's setup."""
    connected = connect()
    if connected is None:
        return
    sock, setup = connected
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    tasks = make(setup)
    sock.sendall(wire.pack({"ready": True, **tasks.greeting}))
    _serve(sock, tasks)


def connect() -> tuple[socket.socket, wire.Frame] | None:
    """Returns the server's socket and the setup, once, at the start of a worker program; None if the server ended."""
    socket_fd, life_fd = map(int, sys.argv[1:3])
    die_with_the_server(life_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C and ends its workers
    logging.disable(logging.CRITICAL)  # of libraries, on damaged files; answers carry the errors that matter
    sock = socket.socket(fileno=socket_fd)
    received = wire.receive(sock)
    return None if received is None else (sock, received[0])


def _serve(sock: socket.socket, tasks: Tasks) -> None:
    while True:
        received = wire.receive(sock)
        if received is None:
            return
        task, fds = received
        if "forget" in task:
            tasks.forget(task["forget"])
            if _resident() > _HOARD:
                return  # the server starts another worker
            continue
        sock.sendall(wire.pack({"began": True}))
        try:
            sock.sendall(wire.pack(_attempt(tasks, task, fds)))
        finally:
            for fd in fds:
                os.close(fd)


def _attempt(tasks: Tasks, task: wire.Frame, fds: list[int]) -> wire.Frame:
    try:
        if not fds:
            raise errors.Unexpected("a task has no document")
        return {"answer": tasks.do(task, fds[0], fds[1] if len(fds) > 1 else None)}
    except errors.WorkError as error:
        return {"error": errors.to_wire(error)}
    except MemoryError:
        return {
            "error": errors.to_wire(errors.TooLarge("the document needs more memory than the server allows", "data"))
        }
    except Exception:
        return {"error": errors.to_wire(errors.Unexpected(traceback.format_exc()))}


def _resident() -> int:
    """Returns the bytes of memory that this process occupies, or 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0

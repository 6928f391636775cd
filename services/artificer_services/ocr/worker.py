"""The worker process: reads tasks from a socket, runs them one by one, and writes the answers.

`process` starts it as a separate program, which shares only two sockets with the server. Keeps no state beyond its
documents.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import traceback

from ..kit.processes import die_with_the_server
from . import errors, wire
from .libraries import ocr_engine, pdf_engine
from .task_runner import DocumentLimits, TaskRunner


def main(socket_fd: int, life_fd: int) -> None:
    """Serve tasks until the server closes the socket."""
    die_with_the_server(life_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C and ends its workers
    logging.disable(logging.CRITICAL)  # of libraries, on damaged files; answers carry the errors that matter
    sock = socket.socket(fileno=socket_fd)
    received = wire.receive(sock)
    if received is None:
        return
    setup = received[0]
    if setup["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (setup["memory"], setup["memory"]))
    ocr = ocr_engine(setup["ocr_engine"])
    ocr.warm(setup["folder"], setup["languages"])
    runner = TaskRunner(pdf_engine(setup["pdf_engine"]), ocr, DocumentLimits(**setup["limits"]))
    sock.sendall(wire.pack({"ready": True, "provider": ocr.name, "version": ocr.version}))
    _serve(sock, runner)


def _serve(sock: socket.socket, runner: TaskRunner) -> None:
    while True:
        received = wire.receive(sock)
        if received is None:
            return
        task, fd = received
        if "forget" in task:
            runner.forget(task["forget"])
            continue
        sock.sendall(wire.pack({"began": True}))
        try:
            sock.sendall(wire.pack(_attempt(runner, task, fd)))
        finally:
            if fd is not None:
                os.close(fd)


def _attempt(runner: TaskRunner, task: wire.Frame, fd: int | None) -> wire.Frame:
    try:
        if fd is None:
            raise errors.Unexpected("a task has no document")
        return {"answer": runner.do(task, fd)}
    except errors.OcrError as error:
        return {"error": errors.to_wire(error)}
    except MemoryError:
        return {
            "error": errors.to_wire(errors.TooLarge("the document needs more memory than the server allows", "data"))
        }
    except Exception:
        return {"error": errors.to_wire(errors.Unexpected(traceback.format_exc()))}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

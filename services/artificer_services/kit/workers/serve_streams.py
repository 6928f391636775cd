"""The loop of a worker process that serves many requests at once: a thread each, whose parts one thread writes.

`streams` is the other end.
"""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Protocol

from . import errors, wire
from .serve import connect

Send = Callable[[wire.Frame], None]


class Requests(Protocol):
    """What the process does."""

    greeting: wire.Frame
    """What the server learns of the process."""

    def run(self, request: wire.Frame, send: Send, left: threading.Event) -> None:
        """Serve one request in a thread: send its parts, and return soon after `left` is set. May raise WorkError."""


class _Outbox:
    """Parts that are not written yet. One thread writes all that are ready by one frame."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parts: list[tuple[int, wire.Frame | None]] = []
        self._ready = threading.Condition()
        threading.Thread(target=self._write, daemon=True).start()

    def add(self, number: int, part: wire.Frame | None) -> None:
        """Add a part of a request; None is its end."""
        with self._ready:
            self._parts.append((number, part))
            self._ready.notify()

    def _write(self) -> None:
        try:
            while True:
                with self._ready:
                    while not self._parts:
                        self._ready.wait()
                    parts, self._parts = self._parts, []
                self._sock.sendall(wire.pack({"parts": parts}))
        except OSError:
            os._exit(0)  # the server has closed the socket


def serve_streams(make: Callable[[wire.Frame], Requests]) -> None:
    """Serve requests until the server closes the socket; `make` receives the setup."""
    connected = connect()
    if connected is None:
        return
    sock, setup = connected
    requests = make(setup)
    sock.sendall(wire.pack({"ready": True, **requests.greeting}))
    outbox, running = _Outbox(sock), dict[int, threading.Event]()
    while received := wire.receive(sock):
        frame, _ = received
        if "cancel" in frame:
            if left := running.get(frame["cancel"]):
                left.set()
            continue
        number, left = int(frame["open"]), threading.Event()
        running[number] = left
        arguments = (requests, frame["request"], number, outbox, left, running)
        threading.Thread(target=_run, args=arguments, daemon=True).start()
    os._exit(0)  # not `return`: threads in a library must not delay the end


def _run(
    requests: Requests,
    request: wire.Frame,
    number: int,
    outbox: _Outbox,
    left: threading.Event,
    running: dict[int, threading.Event],
) -> None:
    try:
        requests.run(request, lambda part: outbox.add(number, part), left)
    except errors.WorkError as error:
        outbox.add(number, {"error": errors.to_wire(error)})
    except Exception:
        outbox.add(number, {"error": errors.to_wire(errors.Unexpected(traceback.format_exc()))})
    finally:
        del running[number]
        outbox.add(number, None)

"""The program of a worker process that serves streams: it counts, waits for its caller or for ever, fails, or dies."""

from __future__ import annotations

import os
import threading

from artificer_services.kit.workers import errors, wire
from artificer_services.kit.workers.serve_streams import Send, serve_streams


class Streamer:
    """Sends parts as a request says."""

    greeting: wire.Frame = {"version": "1"}  # noqa: RUF012 -- never changed; of the Protocol

    def __init__(self, setup: wire.Frame) -> None:
        self._left = 0

    def run(self, request: wire.Frame, send: Send, left: threading.Event) -> None:
        for number in range(request.get("count", 0)):
            send({"number": number, "echo": request.get("echo", "")})
        match request.get("then"):
            case "wait":
                left.wait()
                self._left += 1
            case "stay":
                threading.Event().wait()
            case "tell":
                send({"left": self._left})
            case "refuse":
                raise errors.BadChoice("not this one", "choice")
            case "fail":
                raise RuntimeError("a bug")
            case "die":
                os._exit(3)


if __name__ == "__main__":
    serve_streams(Streamer)

"""A server of OpenAI's protocol on a free port, which behaves well or badly as scripted per request."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["Handler"], None]


@dataclass
class Model:
    """The script of the server: its next responses (correct ones by default), and the received requests."""

    url: str = ""
    acts: deque[Act] = field(default_factory=deque)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)  # ends hanging requests

    def then(self, *acts: Act) -> None:
        self.acts.extend(acts)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.model.asked.append(json.loads(body))
        self.model.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.model.paths.append(self.path)
        act = self.model.acts.popleft() if self.model.acts else completion("well")
        act(self)

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def completion(text: str | None, *, prompt: int = 10, made: int = 5, reason: str = "stop", **message: Any) -> Act:
    """Sends a complete, correct response."""
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "small",
        "choices": [
            {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made},
    }
    return said(answer)


def said(answer: object) -> Act:
    return lambda handler: handler.answer(200, json.dumps(answer).encode())


def raw(body: bytes, kind: str = "application/json") -> Act:
    return lambda handler: handler.answer(200, body, kind)


def refused(status: int, message: str = "so it is", **headers: str) -> Act:
    body = json.dumps({"error": {"message": message, "type": "error", "code": None}}).encode()
    return lambda handler: handler.answer(status, body, **headers)


def hang(handler: Handler) -> None:
    """Sends nothing until the test is over."""
    handler.close_connection = True
    handler.model.let_go.wait(30)


def drip(handler: Handler) -> None:
    """Sends a little repeatedly without an end, so that no single read takes long."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.end_headers()
    try:
        while not handler.model.let_go.wait(0.05):
            handler.wfile.write(b" ")
    except OSError:
        return


def cut(handler: Handler) -> None:
    """Announces a long response, sends half of it, and closes."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def slam(handler: Handler) -> None:
    """Closes without a response."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for its threads, so that none outlives its test

    def handle_error(self, *_: object) -> None:
        """A client that leaves is not an error."""


@contextmanager
def serve() -> Iterator[Model]:
    model = Model()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"model": model}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield model
    finally:
        model.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()

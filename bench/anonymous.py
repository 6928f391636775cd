"""`python -m bench.anonymous`: what a stranger's request costs the server in processor time, by face.

Each is as large as the server reads before it knows who calls, and is refused: for its credentials, or as malformed.
It prints a table of the milliseconds of CPU for each, which belong into NOTES.md.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Iterator

import h2.config
import h2.connection

from bench.markdown import table
from bench.process import Server, cores, pin, server

KIB = 1024
_SERVICE = "/kitchen.v1.KitchenService"
_FIELDS = [(f"x-{number}", "v" * 40) for number in range(700)]
"""Many small fields in place of a large one: each counts 32 bytes more, so that these nearly reach the limit."""
_TIMEOUT = 30.0


def _http1(verb: str, path: str, *more: tuple[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in (("host", "localhost"), *more, *_FIELDS)]
    return "\r\n".join([f"{verb} {path} HTTP/1.1", *lines, "", ""]).encode()


def _http2(path: str, *more: tuple[str, str]) -> bytes:
    made = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
    made.initiate_connection()
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
    made.send_headers(1, [*head, *more, *_FIELDS], end_stream=True)
    return made.data_to_send()


_HANDSHAKE = (
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)
_PAIRS = b'{"metadata":{"a":[' + b",".join([b'""'] * 1900) + b"]}}"
_FRAME = b"\x81\xfe" + len(_PAIRS).to_bytes(2, "big") + bytes(4) + _PAIRS + b"\x88\x80" + bytes(4)  # and a close
_CLOSE = ("connection", "close")

FACES: dict[str, tuple[str, bytes]] = {
    "REST": ("http", _http1("GET", "/v1/dishes/1", _CLOSE)),
    "REST, unknown path": ("http", _http1("GET", "/" + "a/" * 3000, _CLOSE)),
    "REST over HTTP/2": ("http", _http2("/v1/dishes", ("content-type", "application/json"))),
    "Connect": ("http", _http1("POST", f"{_SERVICE}/GetDish", _CLOSE, ("content-type", "application/proto"))),
    "gRPC-Web": ("http", _http1("POST", f"{_SERVICE}/GetDish", _CLOSE, ("content-type", "application/grpc-web"))),
    "gRPC": ("grpc", _http2(f"{_SERVICE}/GetDish", ("content-type", "application/grpc"), ("te", "trailers"))),
    "WebSocket": ("http", _http1("GET", "/v1/converse", *_HANDSHAKE)),
    "WebSocket, metadata frame": ("http", _http1("GET", "/v1/converse?$metadata=frame", *_HANDSHAKE[:4]) + _FRAME),
    "malformed HTTP/1.1": ("http", _http1("GET", " /v1/dishes/1")),
    "malformed HTTP/2": ("http", _http2("/v1/dishes", ("connection", "close"))),
    "a head above the limit": ("http", _http1("GET", "/", ("a", "b" * 64 * KIB))),
    "a head above the limit, HTTP/2": ("http", _http2("/", ("a", "b" * 64 * KIB))),
}  # fmt: skip


def milliseconds(running: Server, face: str, count: int) -> float:
    """Returns the CPU time of one request of a face, in milliseconds, on average of `count`."""
    port, data = FACES[face]
    address = "127.0.0.1", running.http if port == "http" else running.grpc
    _one(address, data)  # whose code is then compiled and specialized
    before = running.cpu_seconds()
    for _ in range(count):
        _one(address, data)
    return (running.cpu_seconds() - before) / count * 1000


def _one(address: tuple[str, int], data: bytes) -> None:
    """Sends a request, and reads its answer."""
    with socket.create_connection(address, timeout=_TIMEOUT) as client:
        client.sendall(data)
        if data.startswith(b"PRI "):
            while not any(kind in (1, 3, 7) for kind in _kinds(client)):
                pass
        else:
            while client.recv(64 * KIB):
                pass


def _kinds(client: socket.socket) -> Iterator[int]:
    """Yields the type of the next frame of HTTP/2."""
    head = client.recv(9, socket.MSG_WAITALL)
    client.recv(int.from_bytes(head[:3], "big"), socket.MSG_WAITALL)
    yield head[3]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="requests of each face")
    given = parser.parse_args()
    core, load = cores()
    pin(load)
    with server("diptych", "gateway", core, "--api-key", "--access-log") as running:
        rows = [(face, f"{milliseconds(running, face, given.count):.2f}") for face in FACES]
    print(f"{given.count} requests of each face, one after another; {os.cpu_count()} cores\n")
    print("\n".join(table(("stranger", "CPU, ms"), rows)))


if __name__ == "__main__":
    main()

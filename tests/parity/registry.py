"""All faces by name: which gateway each calls, and how it is created.

Faces of third-party clients need a driver, which is started once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectrpc.protocol import ProtocolType

from tests.chromium import find_chromium
from tests.clients.connect_python import ConnectPython, ConnectPythonSync
from tests.clients.driver import ClientFace, Driver
from tests.conftest import Served
from tests.parity.faces import Face
from tests.parity.faces.connect import ConnectFace
from tests.parity.faces.grpc import GrpcFace
from tests.parity.faces.grpc_web import GrpcWebFace
from tests.parity.faces.http1 import Http1
from tests.parity.faces.http2 import Http2
from tests.parity.faces.rest import RestFace
from tests.parity.faces.websocket import WebSocketFace

Driven = Literal["", "node", "page"]


@dataclass(frozen=True, kw_only=True)
class FaceSpec:
    """One face: its gateway, its driver, and how it is created from them."""

    make: Callable[[Served, Driver | None], Face]
    single_port: bool = False
    driver: Driven = ""
    live: bool = True
    """Whether its calls can wait and be cancelled."""
    duplex: bool = False
    """Whether it supports full duplex."""
    unary: bool = True
    """Whether it has unary calls."""


def _own(
    make: Callable[[int], Face], *, single_port: bool = False, live: bool = True, duplex: bool = False
) -> FaceSpec:
    """Returns a face on the HTTP port that needs no driver."""
    return FaceSpec(
        make=lambda served, driver: make(served.gateway.http_port), single_port=single_port, live=live, duplex=duplex
    )


def _socket(make: Callable[[int], Face]) -> FaceSpec:
    """Returns a face that supports only streams."""
    return FaceSpec(make=lambda served, driver: make(served.gateway.http_port), duplex=True, unary=False)


def _driven(name: str, driver: Driven, kinds: str, *, single_port: bool = False, **options: object) -> FaceSpec:
    """Returns a face of a third-party client; `kinds` as in `ClientFace`."""

    def make(served: Served, driver: Driver | None) -> Face:
        assert driver is not None
        where = {"base": f"http://127.0.0.1:{served.gateway.http_port}"}
        if options["kind"] == "grpc":
            where = {"target": f"127.0.0.1:{served.gateway.grpc_port}"}
        return ClientFace(name, driver, {**where, **options}, kinds)

    return FaceSpec(make=make, single_port=single_port, driver=driver, duplex="d" in kinds)


_OWN = {
    "rest-ndjson-h1": _own(lambda port: RestFace(Http1(port), "ndjson"), duplex=True),
    "rest-array-h1": _own(lambda port: RestFace(Http1(port), "array")),
    "rest-sse-h1": _own(lambda port: RestFace(Http1(port), "sse"), duplex=True),
    "rest-ndjson-h2": _own(lambda port: RestFace(Http2(port), "ndjson"), single_port=True, duplex=True),
    "websocket-json": _socket(lambda port: WebSocketFace(port, "json")),
    "websocket-proto": _socket(lambda port: WebSocketFace(port, "proto")),
    "websocket-json-by-name": _socket(lambda port: WebSocketFace(port, "json", by_name=True)),
    "rest-sse-h2": _own(lambda port: RestFace(Http2(port), "sse"), single_port=True, duplex=True),
}
_WEB = {
    "grpc-single-port": FaceSpec(
        make=lambda served, _: GrpcFace("grpc-single-port", served.channel), single_port=True, duplex=True
    ),
    "grpc-web-h1": _own(lambda port: GrpcWebFace(Http1(port), text=False)),
    "grpc-web-text-h1": _own(lambda port: GrpcWebFace(Http1(port), text=True)),
    "grpc-web-h2": _own(lambda port: GrpcWebFace(Http2(port), text=False), single_port=True),
    "connect-json-h1": _own(lambda port: ConnectFace(Http1(port), "json")),
    "connect-proto-h1": _own(lambda port: ConnectFace(Http1(port), "proto")),
    "connect-json-get-h1": _own(lambda port: ConnectFace(Http1(port), "json", get=True), live=False),
    "connect-proto-get-gzip-h1": _own(
        lambda port: ConnectFace(Http1(port), "proto", get=True, zipped=True), live=False
    ),
    "connect-json-h2": _own(lambda port: ConnectFace(Http2(port), "json"), single_port=True, duplex=True),
    "connect-proto-gzip-h2": _own(
        lambda port: ConnectFace(Http2(port), "proto", zipped=True), single_port=True, duplex=True
    ),
}
_NODE = {
    "grpc-js": _driven("grpc-js", "node", "uscbd", kind="grpc"),
    "grpc-js-gzip": _driven("grpc-js-gzip", "node", "uscbd", kind="grpc", gzip=True),
    "grpc-js-single-port": _driven("grpc-js-single-port", "node", "uscbd", single_port=True, kind="grpc"),
    "node-grpc": _driven("node-grpc", "node", "uscbd", single_port=True, kind="connect-grpc", gzip=True),
    "node-grpc-web-h1": _driven("node-grpc-web-h1", "node", "us", kind="connect-grpc-web", httpVersion="1.1"),
    "node-grpc-web-h2": _driven(
        "node-grpc-web-h2", "node", "uscbd", single_port=True, kind="connect-grpc-web", httpVersion="2", gzip=True
    ),
    "node-connect-h1": _driven("node-connect-h1", "node", "usc", kind="connect", httpVersion="1.1"),
    "node-connect-json-h1": _driven(
        "node-connect-json-h1", "node", "usc", kind="connect", httpVersion="1.1", useBinaryFormat=False
    ),
    "node-connect-get-h1": _driven(
        "node-connect-get-h1", "node", "u", kind="connect", httpVersion="1.1", useHttpGet=True
    ),
    "node-connect-h2": _driven(
        "node-connect-h2", "node", "uscbd", single_port=True, kind="connect", httpVersion="2", gzip=True
    ),
}
_BROWSER = {
    "web-connect-json": _driven("web-connect-json", "page", "us", kind="connect"),
    "web-connect-proto": _driven(
        "web-connect-proto", "page", "us", kind="connect", useBinaryFormat=True, useHttpGet=True
    ),
    "web-grpc-web": _driven("web-grpc-web", "page", "us", kind="connect-grpc-web"),
    # Its binary format supports unary calls only: it delivers a stream's messages at the stream's end.
    "google-grpc-web": _driven("google-grpc-web", "page", "u", kind="grpc-web", format="binary"),
    "google-grpc-web-text": _driven("google-grpc-web-text", "page", "us", kind="grpc-web", format="text"),
}
_PYTHON = {
    "python-connect-h1": _own(lambda port: ConnectPython("python-connect-h1", port, ProtocolType.CONNECT)),
    "python-connect-sync": _own(lambda port: ConnectPythonSync("python-connect-sync", port), live=False),
    "python-connect-json-h2": _own(
        lambda port: ConnectPython("python-connect-json-h2", port, ProtocolType.CONNECT, encoding="json", h2=True),
        single_port=True,
        duplex=True,
    ),
    "python-grpc-web-h1": _own(lambda port: ConnectPython("python-grpc-web-h1", port, ProtocolType.GRPC_WEB)),
    "python-grpc": _own(
        lambda port: ConnectPython("python-grpc", port, ProtocolType.GRPC, h2=True), single_port=True, duplex=True
    ),
}

REQUIRED = os.environ.get("TESTS_CLIENTS") == "required"
HAS_NODE = REQUIRED or all(map(shutil.which, ("node", "npm")))
HAS_BROWSER = HAS_NODE and (find_chromium() is not None or os.environ.get("TESTS_BROWSER") == "required")

FACES: dict[str, FaceSpec] = {
    **_OWN,
    **_WEB,
    **_PYTHON,
    **(_NODE if HAS_NODE else {}),
    **(_BROWSER if HAS_BROWSER else {}),
}

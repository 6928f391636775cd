"""Every face there is, by name: which gateway it calls, and how it is made.

Those of clients that nobody here wrote need a driver, which is started once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectrpc.protocol import ProtocolType

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

Driven = Literal["", "node", "browser"]


@dataclass(frozen=True, kw_only=True)
class Door:
    """One face: on which gateway, by whose hands, and how it is made of them."""

    make: Callable[[Served, Driver | None], Face]
    single_port: bool = False
    driver: Driven = ""


def _own(make: Callable[[int], Face], *, single_port: bool = False) -> Door:
    """A face of ours on the HTTP port."""
    return Door(make=lambda served, driver: make(served.gateway.http_port), single_port=single_port)


def _driven(name: str, driver: Driven, kinds: str, *, single_port: bool = False, **options: object) -> Door:
    """A face by a client of somebody else's; `kinds` as `ClientFace` has them."""

    def make(served: Served, driver: Driver | None) -> Face:
        assert driver is not None
        where = {"base": f"http://127.0.0.1:{served.gateway.http_port}"}
        if options["kind"] == "grpc":
            where = {"target": f"127.0.0.1:{served.gateway.grpc_port}"}
        return ClientFace(name, driver, {**where, **options}, kinds)

    return Door(make=make, single_port=single_port, driver=driver)


_OWN = {
    "rest-ndjson-h1": _own(lambda port: RestFace(Http1(port), "ndjson")),
    "rest-array-h1": _own(lambda port: RestFace(Http1(port), "array")),
    "rest-sse-h1": _own(lambda port: RestFace(Http1(port), "sse")),
    "rest-ndjson-h2": _own(lambda port: RestFace(Http2(port), "ndjson"), single_port=True),
    "websocket-json": _own(lambda port: WebSocketFace(port, "json")),
    "websocket-proto": _own(lambda port: WebSocketFace(port, "proto")),
    "websocket-json-by-name": _own(lambda port: WebSocketFace(port, "json", by_name=True)),
    "rest-sse-h2": _own(lambda port: RestFace(Http2(port), "sse"), single_port=True),
}
_WEB = {
    "grpc-single-port": Door(make=lambda served, _: GrpcFace("grpc-single-port", served.channel), single_port=True),
    "grpc-web-h1": _own(lambda port: GrpcWebFace(Http1(port), text=False)),
    "grpc-web-text-h1": _own(lambda port: GrpcWebFace(Http1(port), text=True)),
    "grpc-web-h2": _own(lambda port: GrpcWebFace(Http2(port), text=False), single_port=True),
    "connect-json-h1": _own(lambda port: ConnectFace(Http1(port), "json")),
    "connect-proto-h1": _own(lambda port: ConnectFace(Http1(port), "proto")),
    "connect-json-get-h1": _own(lambda port: ConnectFace(Http1(port), "json", get=True)),
    "connect-proto-get-gzip-h1": _own(lambda port: ConnectFace(Http1(port), "proto", get=True, zipped=True)),
    "connect-json-h2": _own(lambda port: ConnectFace(Http2(port), "json"), single_port=True),
    "connect-proto-gzip-h2": _own(lambda port: ConnectFace(Http2(port), "proto", zipped=True), single_port=True),
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
_PYTHON = {
    "python-connect-h1": _own(lambda port: ConnectPython("python-connect-h1", port, ProtocolType.CONNECT)),
    "python-connect-sync": _own(lambda port: ConnectPythonSync("python-connect-sync", port)),
    "python-connect-json-h2": _own(
        lambda port: ConnectPython("python-connect-json-h2", port, ProtocolType.CONNECT, encoding="json", h2=True),
        single_port=True,
    ),
    "python-grpc-web-h1": _own(lambda port: ConnectPython("python-grpc-web-h1", port, ProtocolType.GRPC_WEB)),
    "python-grpc": _own(lambda port: ConnectPython("python-grpc", port, ProtocolType.GRPC, h2=True), single_port=True),
}

REQUIRED = os.environ.get("DIPTYCH_CLIENT_TESTS") == "required"
HAS_NODE = REQUIRED or all(map(shutil.which, ("node", "npm")))

FACES: dict[str, Door] = {**_OWN, **_WEB, **_PYTHON, **(_NODE if HAS_NODE else {})}

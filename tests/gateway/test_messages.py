"""The wording of the errors that clients see: one row per message, over REST, gRPC, Connect and WebSocket.

A message says what was wrong and what was expected; a change of wording changes a row here.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Any
from urllib.parse import unquote

import h2.events as ev
import pytest

from diptych.framing.envelope import envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Served
from tests.gateway.http2_client import connected, fields
from tests.gateway.rest_messages import BODIES, GRPC_TYPES, HEADERS, TARGETS
from tests.gateway.test_websocket import JSON, PROTO, SERVICE, opened, refusal, until_closed

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRPC: list[tuple[str, dict[str, str], bytes, int, str]] = [
    ("Nothing", {}, b"", 12, "Method not found!"),
    ("GetDish", {}, b"", 12, "expected one request message, got none"),
    ("GetDish", {}, envelope(0, b"") * 2, 12, "expected one request message, got more"),
    ("GetDish", {}, envelope(0, b"")[:-1], 13, "truncated request: the last message is incomplete"),
    ("GetDish", {}, envelope(0x40, b""), 13, "unsupported envelope flags 0x40; expected 0x00 or 0x01"),
    ("GetDish", {}, envelope(1, b"x"), 13, "a message has the compressed flag, but no header names its encoding"),
    (
        "GetDish",
        {"grpc-encoding": "br"},
        envelope(0, b""),
        12,
        "unsupported message encoding 'br'; expected gzip, deflate or identity",
    ),
    (
        "GetDish",
        {"grpc-encoding": "gzip"},
        envelope(1, b"no gzip"),
        13,
        "a message is not valid gzip, the encoding of the request",
    ),
    (
        "GetDish",
        {"grpc-encoding": "gzip"},
        envelope(1, gzip.compress(b"x", mtime=0)[:-1]),
        13,
        "truncated gzip message",
    ),
    ("GetDish", {}, envelope(0, b"\xff"), 3, "cannot parse the request as the method's request type"),
    ("GetDish", {}, b"\0\x7f\xff\xff\xff", 8, "the request is larger than 16777216 bytes"),
    (
        "GetDish",
        {"grpc-timeout": "soon"},
        envelope(0, b""),
        3,
        "grpc-timeout: invalid value 'soon'; expected 1 to 8 digits and a unit (H, M, S, m, u or n)",
    ),
    ("GetDish", {"grpc-timeout": "0n"}, envelope(0, b""), 4, "Deadline Exceeded"),
    (
        "GetDish",
        {"x-a-bin": "!"},
        envelope(0, b""),
        3,
        "x-a-bin: expected base64, as in every header whose name ends in -bin",
    ),
    ("GetDish", {}, envelope(0, pb.GetDishRequest(dish_id="missing").SerializeToString()), 5, "no such dish"),
    (
        "Fail",
        {},
        envelope(0, pb.FailRequest(code=1, how="cancel").SerializeToString()),
        1,
        "the call was cancelled by the server",
    ),
]

CONNECT: list[tuple[str, dict[str, str], bytes, int, str]] = [
    ("POST Nothing", {}, b"{}", 404, "Method not found!"),
    (
        "POST GetDish",
        {"connect-protocol-version": "2"},
        b"{}",
        400,
        "unsupported connect-protocol-version '2'; expected '1'",
    ),
    (
        "POST GetDish",
        {"connect-timeout-ms": "soon"},
        b"{}",
        400,
        "connect-timeout-ms: expected milliseconds in at most ten digits",
    ),
    (
        "POST GetDish",
        {"content-encoding": "compress"},
        b"{}",
        501,
        "unsupported message encoding 'compress'; expected gzip, br, zstd or identity",
    ),
    (
        "POST GetDish",
        {"content-type": "application/proto"},
        b"\xff",
        400,
        "cannot parse the request as the method's request type",
    ),
    ("POST GetDish", {}, b"{", 400, "the body is not valid JSON: unexpected end of data at line 1 column 2"),
    (
        "GET Inspect?connect=v2&encoding=json&message={}",
        {},
        b"",
        400,
        "connect: unsupported protocol version; expected v1",
    ),
    ("GET Inspect?connect=v1&message={}", {}, b"", 400, "encoding: missing query parameter of a Connect GET request"),
    ("GET Inspect?connect=v1&encoding=xml&message={}", {}, b"", 415, "encoding: expected json or proto"),
    (
        "GET Inspect?connect=v1&encoding=json&base64=1&message=*",
        {},
        b"",
        400,
        "message: expected base64, since base64=1 is set",
    ),
]

PLAIN: list[tuple[str, str, int, str, str, str]] = [
    (
        "GET CreateDish",
        "application/json",
        405,
        "allow",
        "POST",
        "method GET is not allowed for '/kitchen.v1.KitchenService/CreateDish'; expected POST",
    ),
    (
        "POST GetDish",
        "text/plain",
        415,
        "accept-post",
        f"{GRPC_TYPES}, application/proto, application/json",
        "unsupported content type for '/kitchen.v1.KitchenService/GetDish'; "
        f"expected one of {GRPC_TYPES}, application/proto, application/json",
    ),
    (
        "POST GetDish",
        "application/grpc+soup",
        415,
        "accept-post",
        f"{GRPC_TYPES}, application/proto, application/json",
        "unsupported content type for '/kitchen.v1.KitchenService/GetDish'; "
        f"expected one of {GRPC_TYPES}, application/proto, application/json",
    ),
    (
        "POST Tick",
        "application/json",
        415,
        "accept-post",
        f"{GRPC_TYPES}, application/connect+proto, application/connect+json",
        "unsupported content type for '/kitchen.v1.KitchenService/Tick'; "
        f"expected one of {GRPC_TYPES}, application/connect+proto, application/connect+json",
    ),
]
"""Requests that use no RPC protocol: HTTP method and RPC method, content type; the answer's status, header and text."""

HANDSHAKES: list[tuple[str, list[str], dict[str, Any], int, str]] = [
    ("/v1/nothing", [JSON], {}, 404, "no route matches '/v1/nothing'"),
    ("/v1/dishes/1", [JSON], {}, 400, "'/v1/dishes/1' is not a streaming method; call it over plain HTTP"),
    (
        "/v1/converse",
        ["chat"],
        {},
        400,
        "unsupported WebSocket subprotocol; expected diptych.v1.json or diptych.v1.proto",
    ),
    (
        "/v1/converse",
        [JSON],
        {"origin": "https://elsewhere.test"},
        403,
        "this origin is not allowed to open a WebSocket; see cors_origins",
    ),
    ("/v1/converse?$metadata=x", [JSON], {}, 400, "$metadata: expected frame, or $metadata[key]=value"),
]

FRAMES: list[tuple[str, str, list[str | bytes], int, str]] = [
    ("/v1/converse", JSON, [b"{}"], 1003, "unexpected frame type; this subprotocol uses text frames"),
    ("/v1/converse", PROTO, ["{}"], 1003, "unexpected frame type; this subprotocol uses binary frames"),
    (
        "/v1/converse",
        JSON,
        ["{"],
        4003,
        "INVALID_ARGUMENT: the body is not valid JSON: unexpected end of data at line 1 column 2",
    ),
    (
        "/v1/converse",
        PROTO,
        [b"\xff"],
        4003,
        "INVALID_ARGUMENT: cannot parse the frame as a serialized kitchen.v1.TickResponse",
    ),
    (
        "/v1/converse",
        JSON,
        ["", "{}"],
        4003,
        "INVALID_ARGUMENT: unexpected message after the empty frame that ends the requests",
    ),
    (
        "/v1/converse?$metadata=frame",
        JSON,
        ["{}"],
        4003,
        'INVALID_ARGUMENT: expected {"metadata":{…}} as the first frame, since $metadata=frame is set',
    ),
    (
        "/v1/converse?$metadata=frame",
        JSON,
        ['{"metadata":{"a":1}}'],
        4003,
        "INVALID_ARGUMENT: metadata.a: expected a string or a list of strings",
    ),
    (
        "/v1/converse?$metadata=frame",
        JSON,
        ['{"metadata":{"a b":"c"}}'],
        4003,
        "INVALID_ARGUMENT: metadata.a b: invalid metadata key; expected letters, digits, '-', '_' and '.'",
    ),
    (
        "/v1/converse?$metadata=frame",
        JSON,
        ['{"metadata":{"a":"ö"}}'],
        4003,
        "INVALID_ARGUMENT: metadata.a: expected printable ASCII; other bytes need a key that ends in -bin",
    ),
    (
        "/v1/rooms/a/converse",
        JSON,
        ['{"text":"b"}'],
        4003,
        "INVALID_ARGUMENT: text: the value in the body differs from the value in the path",
    ),
    (
        f"{SERVICE}/Tick",
        JSON,
        ["", "{}"],
        4003,
        "INVALID_ARGUMENT: unexpected message after the empty frame that ends the requests",
    ),
    (f"{SERVICE}/Tick", JSON, [""], 4003, "INVALID_ARGUMENT: expected one message, got none"),
    (f"{SERVICE}/Tick", JSON, ["{}", "{}"], 4003, "INVALID_ARGUMENT: unexpected message; the method reads one message"),
]


async def rest(served: Served, line: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """The status and message of a REST error."""
    verb, target = line.split(" ", 1)
    answer = await served.http.request(verb, target, content=body or None, headers=headers)
    return answer.status_code, answer.json()["error"]["message"]


@pytest.mark.parametrize(("line", "status", "message"), TARGETS)
async def test_rest_targets(shared: Served, line: str, status: int, message: str) -> None:
    assert await rest(shared, line, {}, b"") == (status, message)


@pytest.mark.parametrize(("target", "body", "status", "message"), BODIES)
async def test_rest_bodies(shared: Served, target: str, body: str | bytes, status: int, message: str) -> None:
    content = body.encode() if isinstance(body, str) else body
    found = await rest(shared, f"POST {target}", {"content-type": "application/json"}, content)
    assert found == (status, message)


@pytest.mark.parametrize(("line", "headers", "body", "status", "message"), HEADERS)
async def test_rest_headers(
    shared: Served, line: str, headers: dict[str, str], body: bytes, status: int, message: str
) -> None:
    assert await rest(shared, line, headers, body) == (status, message)


@pytest.mark.parametrize(("method", "headers", "body", "code", "message"), GRPC)
async def test_grpc(shared: Served, method: str, headers: dict[str, str], body: bytes, code: int, message: str) -> None:
    sent = {"content-type": "application/grpc", "te": "trailers", **headers}
    async with asyncio.timeout(20), connected(shared.gateway.grpc_port) as client:
        stream = client.request(f"{SERVICE}/{method}", "POST", end=False, headers=list(sent.items()))
        await client.upload(stream, body)
        head, _ = await client.response(stream)
        trailers = [fields(event) for event in client.events if isinstance(event, ev.TrailersReceived)]
        found = trailers[0] if trailers else head
        assert (int(found["grpc-status"]), unquote(found["grpc-message"])) == (code, message)


@pytest.mark.parametrize(("line", "headers", "body", "status", "message"), CONNECT)
async def test_connect(
    shared: Served, line: str, headers: dict[str, str], body: bytes, status: int, message: str
) -> None:
    verb, method = line.split(" ", 1)
    sent = {"content-type": "application/json", "connect-protocol-version": "1", **headers}
    given = sent if verb == "POST" else headers
    answer = await shared.http.request(verb, f"{SERVICE}/{method}", content=body or None, headers=given)
    found = answer.json()
    assert (answer.status_code, found.get("error", found)["message"]) == (status, message)


@pytest.mark.parametrize(("line", "kind", "status", "header", "value", "text"), PLAIN)
async def test_requests_of_no_protocol_get_plain_http(
    shared: Served, line: str, kind: str, status: int, header: str, value: str, text: str
) -> None:
    verb, method = line.split(" ", 1)
    headers = {"content-type": kind, "connect-protocol-version": "1"}
    answer = await shared.http.request(verb, f"{SERVICE}/{method}", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers[header], answer.text) == (status, value, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"  # Connect's clients would read JSON as theirs


@pytest.mark.parametrize(("target", "protocols", "options", "status", "message"), HANDSHAKES)
async def test_websocket_handshakes(
    shared: Served, target: str, protocols: list[str], options: dict[str, Any], status: int, message: str
) -> None:
    found, error = await refusal(shared, target, *protocols, **options)
    assert (found, error["message"]) == (status, message)


@pytest.mark.parametrize(("target", "protocol", "frames", "code", "reason"), FRAMES)
async def test_websocket_frames(
    shared: Served, target: str, protocol: str, frames: list[str | bytes], code: int, reason: str
) -> None:
    async with opened(shared, target, protocol) as socket:
        for frame in frames:
            await socket.send(frame)
        _, *found = await until_closed(socket)
        assert found == [code, reason]

"""The upper bound: an ASGI app that only returns prepared bytes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from google.protobuf import json_format

from bench.records import NESTED, STORE, STREAM_PAUSE_SECONDS
from bench.servers.listen import serve
from bench.servicer import dish
from kitchen.v1 import kitchen_service_pb2 as pb

Headers = list[tuple[bytes, bytes]]


def _json(message: Any) -> tuple[Headers, bytes]:
    value = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return _reply(json.dumps(value, separators=(",", ":")).encode(), b"application/json")


def _reply(body: bytes, media: bytes) -> tuple[Headers, bytes]:
    return [(b"content-type", media), (b"content-length", b"%d" % len(body))], body


ONE = _json(dish(STORE[0]))
LIST = _json(pb.ListDishesResponse(dishes=[dish(record) for record in STORE]))
CREATED = _json(json_format.ParseDict({**NESTED, "id": "new"}, pb.Dish()))


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers by method and path only."""
    method, path = scope["method"], scope["path"]
    if path == "/v1/ticks":
        await _ticks(send)
        return
    if method == "GET":
        headers, body = LIST if path == "/v1/dishes" else ONE
    elif path == "/v1/dishes":
        await receive()
        headers, body = CREATED
    else:
        size = await _size(receive)
        raw = path.startswith("/v1/stored/")
        headers, body = _reply(b"%d" % size, b"text/plain") if raw else _json(pb.UploadBlobResponse(size=size))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _size(receive: Any) -> int:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    return size


async def _ticks(send: Any) -> None:
    headers = [(b"content-type", b"application/x-ndjson")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"number":"1","text":"tick"}\n', "more_body": True})
    await asyncio.sleep(STREAM_PAUSE_SECONDS)
    await send({"type": "http.response.body", "body": b'{"number":"2","text":"tick"}\n'})


if __name__ == "__main__":
    serve(app)

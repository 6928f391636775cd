"""A large body is decoded and compressed beside the event loop: other clients are served meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import threading
from typing import Any

import pytest
from google.protobuf import json_format

from diptych.bind import Binder
from diptych.compression.codings import Gzip
from diptych.faces.rpc import requests
from diptych.faces.rpc.coding import decompressed
from diptych.faces.rpc.connect_unary import ConnectCall
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import WAYS, Serve
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

SERVICE = "/kitchen.v1.KitchenService"
MANY = 100_000
BODY = b'{"ints":[' + b",".join([b"1234"] * MANY) + b"]}"


class Waiting:
    """Waits in a decoder until another client was served; if the decoder runs on the event loop, that cannot be."""

    def __init__(self) -> None:
        self.began, self.served = threading.Event(), threading.Event()

    def wrap(self, method: Any) -> Any:
        """Returns a method that waits first, once."""

        def decode(*args: Any, **more: Any) -> Any:
            if not self.began.is_set():
                self.began.set()
                assert self.served.wait(PATIENCE / 2), "nobody else was served"
            return method(*args, **more)

        return decode


@pytest.mark.parametrize("protocol", ["REST", "Connect"])
async def test_others_are_served_while_a_large_body_is_decoded(
    protocol: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(PATIENCE), serve() as served:
        waiting = Waiting()
        if protocol == "REST":
            monkeypatch.setattr(Binder, "bind", waiting.wrap(Binder.bind))
        else:
            monkeypatch.setattr(ConnectCall, "_decoded", waiting.wrap(ConnectCall._decoded))
        url = "/v1/echo" if protocol == "REST" else f"{SERVICE}/Echo"
        large = asyncio.create_task(served.http.post(url, content=BODY, headers={"content-type": "application/json"}))
        await asyncio.to_thread(waiting.began.wait, PATIENCE)
        assert (await served.http.get("/readyz")).status_code == 200
        waiting.served.set()
        answer = await large
        assert (answer.status_code, len(answer.json()["ints"])) == (200, MANY)


@pytest.mark.parametrize("media", ["application/connect+json", "application/grpc-web+proto"])
async def test_others_are_served_while_a_large_compressed_message_of_a_stream_is_read(
    media: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes become megabytes."""
    waiting = Waiting()
    monkeypatch.setattr(requests, "decompressed", waiting.wrap(decompressed))
    text = "a" * (4 << 20)
    connect = media.startswith("application/connect")
    tick = pb.TickResponse(number=1, text=text)
    message = gzip.compress(json_format.MessageToJson(tick).encode() if connect else tick.SerializeToString())
    body = b"\1" + len(message).to_bytes(4, "big") + message
    small = gzip.compress(b'{"number":1}' if connect else pb.TickResponse(number=1).SerializeToString())
    body += b"\1" + len(small).to_bytes(4, "big") + small
    coding = "connect-content-encoding" if connect else "grpc-encoding"
    async with asyncio.timeout(PATIENCE), serve() as served:
        headers = {"content-type": media, coding: "gzip"}
        large = asyncio.create_task(served.http.post(f"{SERVICE}/Sum", content=body, headers=headers))
        await asyncio.to_thread(waiting.began.wait, PATIENCE)
        assert (await served.http.get("/readyz")).status_code == 200
        waiting.served.set()
        answer = await large
        assert (b'"number":"2"' if connect else b"\x08\x02") in answer.content


class Large(Kitchen):
    """Answers with a megabyte."""

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        return pb.Dish(title="soup" * 250_000)


@pytest.mark.parametrize("protocol", ["REST", "Connect"])
@pytest.mark.parametrize("way", WAYS, indirect=True)
async def test_others_are_served_while_a_large_answer_is_compressed(
    protocol: str, serve: Serve, taken: list[str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    monkeypatch.setattr(Gzip, "compress", waiting.wrap(Gzip.compress))
    async with asyncio.timeout(PATIENCE), serve(Large()) as served:
        headers = {"accept-encoding": "gzip", "content-type": "application/json"}
        if protocol == "REST":
            asked = served.http.get("/v1/dishes/7", headers=headers)
        else:
            asked = served.http.post(f"{SERVICE}/GetDish", content=b"{}", headers=headers)
        large = asyncio.create_task(asked)
        await asyncio.to_thread(waiting.began.wait, PATIENCE)
        assert (await served.http.get("/readyz")).status_code == 200
        waiting.served.set()
        answer = await large
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.json()["title"] == "soup" * 250_000
    assert len(taken) == (way == "whole")

"""Unexpected errors reach Sentry: a local server receives the envelopes that the SDK really sends."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import grpc
import pytest

from diptych import Settings
from diptych.auth import hash_key, new_key
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

METHOD = "/kitchen.v1.KitchenService/GetDish"
KEY = new_key("chef")
AUTH = {"api_keys": {"chef": {"hash": hash_key(KEY)}}}
SECRETS = (KEY, "sesame", "the-dish-they-asked-for", "x-private", "publickey", "127.0.0.1:")


DECOMPRESS: dict[str | None, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,  # which the SDK prefers where brotli is installed
    "gzip": gzip.decompress,
    None: bytes,
}


class Broken(Kitchen):
    """Fails in a way that nobody intended."""

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        password = "".join(("ses", "ame"))
        raise LookupError("the cook has left") from KeyError(len(password))

    async def Tick(self, request: pb.TickRequest, context: Any) -> Any:
        yield pb.TickResponse(number=1)
        raise ZeroDivisionError

    async def CreateDish(self, request: Any, context: Any) -> pb.Dish:
        await context.abort(grpc.StatusCode.INTERNAL, "intended")
        raise AssertionError


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Receives envelopes: yields the DSN and their texts. A stop has sent all of them, even on a busy machine."""
    found: list[bytes] = []

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.append(DECOMPRESS[self.headers["content-encoding"]](body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("diptych.telemetry.sentry._STOP_SECONDS", PATIENCE)
            yield f"http://publickey@127.0.0.1:{server.server_port}/7", found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def events(envelopes: list[bytes]) -> list[dict[str, Any]]:
    """The events in envelopes."""
    lines = [json.loads(line) for envelope in envelopes for line in envelope.splitlines() if line]
    return [line for line in lines if "exception" in line]


@every_engine
async def test_an_unexpected_error_has_the_clients_id(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with receiver() as (dsn, envelopes):
        async with serve(Broken(), telemetry={"sentry_dsn": dsn, "sentry_release": "shop@1"}, auth=AUTH) as served:
            path = "/v1/dishes/the-dish-they-asked-for"
            headers = {"x-api-key": KEY, "x-private": "sesame", "cookie": "a=sesame"}
            found = await served.http.get(path, headers=headers)
            assert found.status_code == 500
            request = pb.GetDishRequest(dish_id="the-dish-they-asked-for")
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await served.rpc.GetDish(request, metadata=(("x-api-key", KEY), ("x-private", "sesame")))
            created = await served.http.post("/v1/dishes", json={}, headers=headers)
            assert created.status_code == 500  # which the servicer intended
        ids = [found.json()["error"]["message"].split()[-1], (failed.value.details() or "").split()[-1]]
    told = events(envelopes)  # the stop has flushed them
    assert [event["tags"]["error_id"] for event in told] == ids
    assert [event["tags"]["protocol"] for event in told] == ["rest", "grpc"]
    for event in told:
        assert event["tags"]["method"] == METHOD
        assert (event["release"], event["environment"]) == ("shop@1", "production")
        values = [(one["type"], one["value"]) for one in event["exception"]["values"]]
        assert values == [("KeyError", "6"), ("LookupError", "the cook has left")]
        frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
        assert any(frame["function"] == "GetDish" for frame in frames)
        assert not any("vars" in frame for frame in frames)
        assert not {"request", "user", "breadcrumbs", "modules", "extra"} & event.keys()
        text = json.dumps(event)
        assert not [secret for secret in SECRETS if secret in text]


async def test_streams_and_other_faces(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with receiver() as (dsn, envelopes):
        async with serve(Broken(), telemetry={"sentry_dsn": dsn}) as served:
            assert '"error"' in (await served.http.get("/v1/ticks?count=2")).text
            body, kind = b"{}", {"content-type": "application/json"}
            assert (await served.http.post(METHOD, content=body, headers=kind)).status_code == 500

            @served.gateway.app.get("/own/{secret}")
            async def own(secret: str) -> None:
                raise ArithmeticError

            sesame = "".join(("ses", "ame"))  # an event has the lines of code around the error
            assert (await served.http.get(f"/own/{sesame}")).status_code == 500
    told = [(event["tags"]["method"].rpartition("/")[2], event["tags"]["protocol"]) for event in events(envelopes)]
    assert told == [("Tick", "rest"), ("GetDish", "connect"), ("unknown", "http")]
    assert b"own/ses" + b"ame" not in b"".join(envelopes)


async def test_a_receiver_that_is_down_holds_nothing_up(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with asyncio.timeout(20), serve(Broken(), telemetry={"sentry_dsn": "http://k@127.0.0.1:9/1"}) as served:
        assert (await served.http.get("/v1/dishes/7")).status_code == 500


@pytest.mark.parametrize("wrong", ["", "x", "https://sentry.example/1", "https://key@sentry.example", "ftp://k@x/1"])
def test_what_is_no_dsn(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected https://KEY@HOST/PROJECT"):
        Settings(telemetry={"sentry_dsn": wrong})  # type: ignore[arg-type]


def test_the_dsn_is_shown_nowhere() -> None:
    settings = Settings(telemetry={"sentry_dsn": "https://publickey@sentry.example/1"})  # type: ignore[arg-type]
    assert "publickey" not in repr(settings) + settings.model_dump_json()

"""Resumable event streams: ids that the servicer chooses, and the last one that it receives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from diptych.framing import choose
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.gateway.http2_client import connected
from tests.kitchen import Kitchen

SSE = {"accept": "text/event-stream"}


class Resumable(Kitchen):
    """Counts in steps of ten, after the number that the client saw last."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        last = dict(context.invocation_metadata()).get("last-event-id", "0")
        await context.send_initial_metadata((("x-sse-id-field", request.key or "number"), ("x-other", "o")))
        for number in range(1, request.count + 1):
            yield pb.TickResponse(number=int(last) + 10 * number, text="a\nb" if number == 2 else "")


def events(text: str) -> list[dict[str, str]]:
    """The events of a stream, field by field."""
    return [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.split("\n\n") if event]


async def test_a_field_of_the_messages_is_the_events_id(serve: Serve) -> None:
    async with serve(Resumable()) as served:
        answer = await served.http.get("/v1/ticks?count=2", headers=SSE)
        assert [event.get("id") for event in events(answer.text)] == ["10", "20", None]
        assert "x-sse-id-field" not in answer.headers
        assert answer.headers["x-other"] == "o"
        again = await served.http.get("/v1/ticks?count=2", headers={**SSE, "last-event-id": "20"})
        assert [event.get("id") for event in events(again.text)] == ["30", "40", None]


async def test_an_invalid_id_is_omitted(serve: Serve) -> None:
    async with serve(Resumable()) as served:
        answer = await served.http.get("/v1/ticks?count=2&key=text", headers=SSE)
        assert [list(event) for event in events(answer.text)] == [["retry", "event", "data"], *[["event", "data"]] * 2]
        assert json.loads(events(answer.text)[1]["data"])["text"] == "a\nb"


async def test_other_framings_have_no_ids(serve: Serve) -> None:
    async with serve(Resumable()) as served:
        for form in ("application/json", "application/x-ndjson"):
            answer = await served.http.get("/v1/ticks?count=1", headers={"accept": form})
            assert "x-sse-id-field" not in answer.headers
            assert '"number":"10"' in answer.text


class Names(Kitchen):
    """Sends names as ids, after the one that the client saw last."""

    NAMES = ("Gjøvik-1", "日本-2", "Gjøvik-3")

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        last = dict(context.invocation_metadata()).get("last-event-id")
        await context.send_initial_metadata((("x-sse-id-field", "text"),))
        for name in self.NAMES[self.NAMES.index(last) + 1 if last else 0 :]:
            yield pb.TickResponse(text=name)


@pytest.mark.parametrize("last", Names.NAMES)
async def test_an_id_comes_back_as_it_was_sent(serve: Serve, last: str) -> None:
    """Browsers send it as UTF-8 (HTML section 9.2.4), which reached the servicer as Latin-1."""
    rest = Names.NAMES[Names.NAMES.index(last) + 1 :]
    async with asyncio.timeout(20), serve(Names()) as served:
        headers = {b"accept": b"text/event-stream", b"last-event-id": last.encode()}
        answer = await served.http.get("/v1/ticks", headers=headers)
        assert [event["id"] for event in events(answer.text) if "id" in event] == [*rest]
        async with connected(served.gateway.http_port) as client:
            stream = client.request("/v1/ticks", headers=[*SSE.items(), ("last-event-id", last)])
            await client.flush()
            text = (await client.response(stream))[1].decode()
            assert [event["id"] for event in events(text) if "id" in event] == [*rest]


@pytest.mark.parametrize("settings", [{}, {"sse_retry_seconds": 0.25}, {"sse_retry_seconds": None}], ids=repr)
@pytest.mark.parametrize("query", ["count=2", "count=0", "count=3&failAfter=2"])
async def test_the_first_event_says_when_to_reconnect(serve: Serve, query: str, settings: dict[str, Any]) -> None:
    async with serve(**settings) as served:
        answer = await served.http.get(f"/v1/ticks?{query}", headers=SSE)
        first, *others = [event.get("retry") for event in events(answer.text)]
        assert first == {0.25: "250", None: None}.get(settings.get("sse_retry_seconds", 3), "3000")
        assert set(others) <= {None}


class Ended(Kitchen):
    """Has nothing more for clients that have seen the end."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        await context.send_initial_metadata((("x-http-code", "204"), ("x-other", "o")))
        for number in range(request.count):
            yield pb.TickResponse(number=number)


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson", "application/json"])
@pytest.mark.parametrize("count", [0, 2])
async def test_204_has_no_content(serve: Serve, accept: str, count: int) -> None:
    """EventSource does not reconnect after it (HTML section 9.2.3); the stream's content has no place in it."""
    async with serve(Ended()) as served, asyncio.timeout(20):
        answer = await served.http.get(f"/v1/ticks?count={count}", headers={"accept": accept})
        assert (answer.status_code, answer.content, answer.headers["x-other"]) == (204, b"", "o")
        assert not {"content-type", "transfer-encoding", "content-length"} & answer.headers.keys()
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


@pytest.mark.parametrize("field", ["nothing", "body"])
async def test_a_field_that_cannot_be_an_id_is_a_server_error(serve: Serve, field: str) -> None:
    async with serve(Resumable()) as served:
        answer = await served.http.get(f"/v1/ticks?count=1&key={field}", headers=SSE)
        assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL")


async def test_without_a_field_events_are_numbered_from_one(served: Served) -> None:
    answer = await served.http.get("/v1/ticks?count=2", headers={**SSE, "last-event-id": "7"})
    assert [event.get("id") for event in events(answer.text)] == ["1", "2", None]


@pytest.mark.parametrize(("name", "line"), [("a b", b"id: a b\n"), ("", b""), ("a\nb", b""), ("\0", b""), ("\r", b"")])
def test_an_id_never_breaks_the_stream(name: str, line: bytes) -> None:
    written = choose(b"text/event-stream").messages([b"{}"], [name])
    assert written == line + b"event: message\ndata: {}\n\n"

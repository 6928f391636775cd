"""Resumable event streams: ids that the servicer chooses, and the last one that it receives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from diptych.framing import choose
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
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
        assert [list(event) for event in events(answer.text)] == [["event", "data"]] * 3
        assert json.loads(events(answer.text)[1]["data"])["text"] == "a\nb"


async def test_other_framings_have_no_ids(serve: Serve) -> None:
    async with serve(Resumable()) as served:
        for form in ("application/json", "application/x-ndjson"):
            answer = await served.http.get("/v1/ticks?count=1", headers={"accept": form})
            assert "x-sse-id-field" not in answer.headers
            assert '"number":"10"' in answer.text


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

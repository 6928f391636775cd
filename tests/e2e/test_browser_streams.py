"""Streams in a real browser: an EventSource that resumes without a gap, and a WebSocket with metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from playwright.async_api import Page

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.chromium import chromium_in
from tests.conftest import Serve
from tests.kitchen import Kitchen

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a new browser for one test."""
    async with chromium_in(tmp_path) as context:
        yield await context.new_page()


class Flighty(Kitchen):
    """Fails after every second message, and resumes after the last event id."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        metadata = dict(context.invocation_metadata())
        last = int(metadata.get("last-event-id", 0))
        await context.send_initial_metadata((("x-sse-id-field", "number"),))
        for number in range(last + 1, request.count + 1):
            yield pb.TickResponse(number=number, text=metadata.get("x-word", ""))
            if number % 2 == 0 and number < request.count:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "come back")


_EVENTS = """() => new Promise((resolve) => {
  const numbers = [], source = new EventSource('/v1/ticks?count=5');
  source.onmessage = (event) => numbers.push(event.lastEventId);
  source.addEventListener('end', () => { source.close(); resolve(numbers); });
})"""

_SOCKET = """() => new Promise((resolve) => {
  const said = [], socket = new WebSocket(`ws://${location.host}/v1/ticks?count=2&$metadata=frame`, 'diptych.v1.json');
  socket.onopen = () => socket.send(JSON.stringify({metadata: {'x-word': 'soup'}}));
  socket.onmessage = (event) => said.push(JSON.parse(event.data));
  socket.onclose = (event) => resolve([said, event.code, event.reason]);
})"""


async def test_event_source_resumes_without_a_gap(serve: Serve, page: Page) -> None:
    async with serve(Flighty()) as served:
        await page.goto(f"http://127.0.0.1:{served.gateway.http_port}/healthz")
        assert await page.evaluate(_EVENTS) == ["1", "2", "3", "4", "5"]


async def test_a_page_sends_metadata_over_websocket(serve: Serve, page: Page) -> None:
    async with serve(Flighty()) as served:
        await page.goto(f"http://127.0.0.1:{served.gateway.http_port}/healthz")
        said, code, reason = await page.evaluate(_SOCKET)
        assert said[0] == {"metadata": {"x-sse-id-field": "number"}}
        assert said[1:3] == [{"number": str(number), "text": "soup"} for number in (1, 2)]
        assert (code, reason) == (1000, "")


async def test_a_page_of_another_origin_is_refused(serve: Serve, page: Page) -> None:
    async with serve() as served, serve() as other:
        await page.goto(f"http://127.0.0.1:{other.gateway.http_port}/healthz")
        opening = "(url) => new Promise((resolve) => { new WebSocket(url).onclose = (event) => resolve(event.code); })"
        address = f"ws://127.0.0.1:{served.gateway.http_port}/v1/converse"
        assert await page.evaluate(opening, address) == 1006

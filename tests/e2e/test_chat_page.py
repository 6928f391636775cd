"""/chat in real browsers: two pages and a Python gRPC client chat over each protocol that the page supports."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route, expect

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from artificer_services.chat.build import ChatService, ChatSettings
from artificer_services.cluster.servers import free_port
from diptych import Gateway, Settings
from tests.e2e.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TRANSPORTS = ["websocket", "connect", "grpc-web"]
PATIENT = 30_000  # milliseconds


@pytest_asyncio.fixture(loop_scope="module")
async def context(chromium: BrowserContext) -> AsyncIterator[BrowserContext]:
    """The browser, without the pages of the previous test."""
    yield chromium
    for page in chromium.pages[1:]:  # the first one keeps it open
        await page.close()


@pytest.fixture
def channel() -> str:
    """A new channel for one test; the program is shared."""
    return f"page-{uuid.uuid4().hex[:8]}"


def gateway(folder: Path, http_port: int = 0) -> Gateway:
    """Runs a gateway with chat only, over the data in a folder."""
    chat = ChatService(ChatSettings(data_dir=str(folder)))
    made = Gateway(Settings(http_port=http_port, grpc_port=0, grace_seconds=0), lifespan=chat.lifespan)
    rpc.add_MessageServiceServicer_to_server(chat.servicer, made)
    chat.add_page(made.app)
    return made


class Browsing:
    """One page in a channel, and the errors that occurred in it."""

    def __init__(self, page: Page, served: Served) -> None:
        self.page, self._served = page, served
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)

    async def _inside_only(self, route: Route) -> None:
        if route.request.url.startswith((self._served.http, "data:")):
            await route.continue_()
        else:
            self.wrong.append(route.request.url)
            await route.abort()

    async def join(self, channel: str, user: str, transport: str) -> None:
        await self.page.route("**/*", self._inside_only)
        query = urlencode({"channel": channel, "user": user, "transport": transport})
        await self.page.goto(f"{self._served.http}/chat?{query}")
        await self.page.get_by_role("button", name="Join").click()
        await expect(self.page.get_by_role("status")).to_have_text(f"In {channel} as {user}.", timeout=PATIENT)

    async def say(self, text: str) -> None:
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def sees(self, *texts: str) -> None:
        """Expects exactly these messages in this order, all of them stored."""
        items = self.page.locator("#log li")
        await expect(items).to_have_count(len(texts), timeout=PATIENT)
        await expect(items.locator(".user, .content")).to_have_text(
            [part for text in texts for part in text.split(": ", 1)], timeout=PATIENT
        )
        await expect(self.page.locator("#log .pending")).to_have_count(0, timeout=PATIENT)


async def hear(call: Any) -> str:
    async with asyncio.timeout(60):
        event: pb.ChatStreamResponse = await call.read()
    return f"{event.message.user.id}: {event.message.content}"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_pages_and_a_grpc_client_chat(
    served: Served, context: BrowserContext, channel: str, transport: str
) -> None:
    ann, bob = [Browsing(await context.new_page(), served) for _ in range(2)]
    await ann.join(channel, "ann", transport)
    await bob.join(channel, "bob", transport)
    async with grpc.aio.insecure_channel(served.grpc) as opened:
        call = rpc.MessageServiceStub(opened).ChatStream()
        await call.write(pb.ChatStreamRequest(channel=channel, user=pb.User(id="eve")))
        joined: Any = await call.read()
        assert joined.joined.channel == channel
        await ann.say("hello from a page")
        assert await hear(call) == "ann: hello from a page"
        await bob.sees("ann: hello from a page")
        await call.write(pb.ChatStreamRequest(content="hello from gRPC, Grüße 🚢"))
        assert await hear(call) == "eve: hello from gRPC, Grüße 🚢"
        for page in (ann, bob):
            await page.sees("ann: hello from a page", "eve: hello from gRPC, Grüße 🚢")
        await bob.say("<img src=x onerror=alert(1)>")
        assert await hear(call) == "bob: <img src=x onerror=alert(1)>"
        for page in (ann, bob):
            await page.sees(
                "ann: hello from a page", "eve: hello from gRPC, Grüße 🚢", "bob: <img src=x onerror=alert(1)>"
            )
        call.cancel()
    assert ann.wrong == bob.wrong == []


async def test_pages_over_different_protocols_see_one_conversation(
    served: Served, context: BrowserContext, channel: str
) -> None:
    pages = {transport: Browsing(await context.new_page(), served) for transport in TRANSPORTS}
    said: list[str] = []
    for transport, page in pages.items():
        await page.join(channel, transport, transport)
    for transport, page in pages.items():
        await page.say(f"over {transport}")
        said.append(f"{transport}: over {transport}")
        for other in pages.values():
            await other.sees(*said)
    assert [page.wrong for page in pages.values()] == [[], [], []]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_later_page_shows_the_history(
    served: Served, context: BrowserContext, channel: str, transport: str
) -> None:
    ann, bob = [Browsing(await context.new_page(), served) for _ in range(2)]
    await ann.join(channel, "ann", transport)
    await ann.say("one")
    await ann.say("two")
    await ann.sees("ann: one", "ann: two")
    await bob.join(channel, "bob", transport)
    await bob.sees("ann: one", "ann: two")
    await bob.page.get_by_role("button", name="Leave").click()
    await expect(bob.page.get_by_role("status")).to_have_text("Not in a channel.")
    assert ann.wrong == bob.wrong == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unsendable_message_is_shown_with_the_reason(
    served: Served, context: BrowserContext, channel: str, transport: str
) -> None:
    ann = Browsing(await context.new_page(), served)
    await ann.join(channel, "ann", transport)
    await ann.say("x" * 20_000)
    await expect(ann.page.locator("#log .refused")).to_contain_text("16384 are allowed", timeout=PATIENT)
    await ann.say("shorter")
    await expect(ann.page.locator("#log .own .content")).to_have_text("shorter", timeout=PATIENT)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_page_resumes_when_the_server_restarts(
    context: BrowserContext, channel: str, transport: str, tmp_path: Path
) -> None:
    """The page then sends the user's messages and shows the messages of others, each once."""
    port = free_port()
    async with gateway(tmp_path / "data", port):
        ann = Browsing(await context.new_page(), Served(f"http://127.0.0.1:{port}", ""))
        await ann.join(channel, "ann", transport)
        await ann.say("before")
        await ann.sees("ann: before")
    await expect(ann.page.get_by_role("status")).to_contain_text("reconnecting", timeout=PATIENT)
    await ann.say("while it was gone")
    await expect(ann.page.locator("#log .pending")).to_have_count(1)
    async with gateway(tmp_path / "data", port) as second:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{second.grpc_port}") as opened:
            await expect(ann.page.locator("#log .pending")).to_have_count(0, timeout=PATIENT)
            request = pb.SendMessagesRequest(channel=channel, user=pb.User(id="bob"), content="after")
            await rpc.MessageServiceStub(opened).SendMessages(iter([request]))
        await ann.sees("ann: before", "ann: while it was gone", "bob: after")

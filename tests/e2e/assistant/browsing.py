"""The page /assistant in a browser, as a visitor uses it, and the AI services behind it with scripted models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page, expect

import artificer_services.ai
from artificer_services.ai.build import AiService, AiSettings
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.ai.models.settings import ScriptedChatSettings, ScriptedEmbeddingSettings
from artificer_services.kit.composition import gateway_of
from diptych import Settings
from tests.services.ai.conversations.gates import Gate

INDEX = Path(artificer_services.ai.__file__).parent / "page" / "index.html"


@dataclass(frozen=True)
class Served:
    """A running gateway with the AI services."""

    service: AiService
    http: str
    port: int

    def hold(self, words: int = 0) -> Gate:
        """Has the default chat model wait behind so many words, until the gate that is returned allows more."""
        model = self.service.models.chat_model()
        assert isinstance(model, ScriptedChat)
        model.gate = gate = Gate(words)
        return gate

    def release(self) -> None:
        """Lets the model generate freely."""
        model = self.service.models.chat_model()
        assert isinstance(model, ScriptedChat)
        model.gate = None


@asynccontextmanager
async def serving(
    folder: Path, *replies: str, port: int = 0, gateway: Mapping[str, Any] | None = None, **chat: Any
) -> AsyncIterator[Served]:
    """Runs the services over the data in a folder. The default model gives these replies, `parrot` repeats."""
    models = {"scripted": ScriptedChatSettings(replies=replies, **chat), "parrot": ScriptedChatSettings()}
    embedding = {"hashed": ScriptedEmbeddingSettings()}
    service = AiService(AiSettings(chat_models=models, embedding_models=embedding, data_dir=str(folder)))
    settings = {"http_port": port, "grpc_port": 0, "grace_seconds": 0, "telemetry": {"request_ids": True}}
    async with gateway_of(Settings.model_validate(settings | dict(gateway or {})), [service]) as running:
        yield Served(service, f"http://127.0.0.1:{running.http_port}", running.http_port)
        await running.stop(0)


class Visitor:
    """One page, and the errors that occurred in it."""

    def __init__(self, page: Page, http: str) -> None:
        self.page, self.http = page, http
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.on(
            "request", lambda request: None if request.url.startswith((http, "data:")) else self._outside(request.url)
        )

    def _outside(self, url: str) -> None:
        self.wrong.append(f"a request to {url}")

    async def open(self, place: str = "") -> Visitor:
        """Loads the page, and waits until it has the models."""
        await self.page.goto(f"{self.http}/assistant{place}")
        await expect(self.page.get_by_role("combobox", name="Model")).to_contain_text("Default (")
        return self

    async def say(self, text: str) -> None:
        """Sends a message by the keyboard, once no answer runs: until then the page sends none."""
        await self.idle()
        await self.field.fill(text)
        await self.field.press("Enter")

    @property
    def field(self) -> Locator:
        """The field for a message."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def texts(self) -> Locator:
        """The texts of the messages."""
        return self.page.locator("#messages .text")

    async def sees(self, *texts: str) -> None:
        """Expects exactly these messages in this order."""
        await expect(self.texts).to_have_text(list(texts))

    async def idle(self) -> None:
        """Expects that no answer runs."""
        await expect(self.button("Send")).to_be_visible()

    def button(self, name: str) -> Locator:
        """A button by its name, which has to be whole."""
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def names(self) -> Locator:
        """The names in the list of conversations."""
        return self.page.locator("#conversations a")

    @property
    def status(self) -> Locator:
        """What screen readers are told."""
        return self.page.locator("#status")


@asynccontextmanager
async def visiting(chromium: BrowserContext, http: str) -> AsyncIterator[Visitor]:
    """Opens a new page of this server, which must have no errors in the end."""
    page = await chromium.new_page()
    try:
        yield await Visitor(page, http).open()
    finally:
        await page.close()


async def held(gate: Gate) -> None:
    """Waits until the model has generated all words that the gate allows."""
    async with asyncio.timeout(30):
        await gate.held.wait()

"""/assistant if calls need credentials: it asks for a key, keeps it for the tab, and says why a call is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from diptych.auth import hash_key, new_key
from tests.e2e.assistant.browsing import Served, Visitor, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WRITER, READER = new_key("writer"), new_key("reader")
CONVERSATIONS = "/artificer.conversation.v1.ConversationService"
AUTH: dict[str, Any] = {
    "api_keys": {"writer": {"hash": hash_key(WRITER), "scopes": ["write"]}, "reader": {"hash": hash_key(READER)}},
    "rules": [{"methods": [f"{CONVERSATIONS}/CreateConversation"], "scopes": ["write"]}],
}


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path / "data", "Welcome.", gateway={"auth": AUTH}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium: BrowserContext, served: Served) -> AsyncIterator[Visitor]:
    page = await chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{served.http}/assistant")
    yield Visitor(page, served.http)
    await page.close()
    assert not [url for url in asked if WRITER in url or READER in url]


async def sign_in(visitor: Visitor, key: str) -> None:
    await expect(visitor.page.get_by_label("Key or token")).to_be_focused()
    await visitor.page.keyboard.type(key)
    await visitor.page.keyboard.press("Enter")


async def test_the_page_asks_for_a_key_and_keeps_it_for_its_tab(visitor: Visitor, chromium: BrowserContext) -> None:
    await sign_in(visitor, new_key("writer"))  # an entry with the same name, without the key
    await expect(visitor.page.locator("#access").get_by_role("alert")).not_to_be_empty()
    await expect(visitor.page.locator("#problem")).to_be_hidden()
    await sign_in(visitor, WRITER)
    await expect(visitor.page.get_by_role("combobox", name="Model")).to_contain_text("Default (scripted)")
    await visitor.say("Hello")
    await visitor.sees("Hello", "Welcome.")
    await visitor.idle()
    await visitor.page.reload()
    await visitor.sees("Hello", "Welcome.")
    assert not await chromium.cookies()
    await visitor.button("Sign out").click()
    await expect(visitor.page.get_by_label("Key or token")).to_be_visible()
    await visitor.sees()
    await expect(visitor.names).to_have_count(0)


async def test_a_caller_without_a_scope_sees_why_and_loses_no_text(visitor: Visitor) -> None:
    await sign_in(visitor, READER)
    await expect(visitor.page.get_by_role("combobox", name="Model")).to_contain_text("Default (scripted)")
    await visitor.say("May I?")
    problem = visitor.page.get_by_role("alert").filter(has_text="You may not do this.")
    await expect(problem).to_contain_text("lacks the scope write")
    await expect(problem).to_contain_text("Request ")
    await expect(visitor.field).to_have_value("May I?")
    await visitor.idle()


async def test_a_phone_shows_the_form_too(visitor: Visitor) -> None:
    await visitor.page.set_viewport_size({"width": 320, "height": 640})
    await expect(visitor.page.get_by_label("Key or token")).to_be_in_viewport()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0

"""/assistant for everyone: by keyboard, for screen readers, on a phone, in both schemes, and with hostile text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.assistant.browsing import Served, Visitor, serving, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
MARKDOWN = """# Title

A *long* answer with `code`, **bold**, and [a link](https://example.org/a).

- one
  1. two

> quoted

```python
print("a long line of code that is wider than a phone, so that it has to scroll within its own box and not the page")
```
"""
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path / "data", MARKDOWN) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium: BrowserContext, served: Served) -> AsyncIterator[Visitor]:
    async with visiting(chromium, served.http) as opened:
        yield opened


async def overflow(page: Page) -> int:
    """Returns by how many pixels the page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))


async def nameless(page: Page) -> list[str]:
    """Returns the controls and landmarks of the browser's accessibility tree that have no name."""
    session = await page.context.new_cdp_session(page)
    tree: Any = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    named = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "dialog", "alertdialog", "navigation"}
    named |= {"region", "group", "log", "progressbar", "heading"}
    found = []
    for node in tree["nodes"]:
        role = node.get("role", {}).get("value", "")
        if not node["ignored"] and role.lower() in named and not node.get("name", {}).get("value", "").strip():
            found.append(f"{role} {node.get('backendDOMNodeId')}")
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_texts_have_contrast_and_controls_have_names(visitor: Visitor, scheme: Literal["light", "dark"]) -> None:
    page = visitor.page
    await page.emulate_media(color_scheme=scheme)
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 27)"}[scheme]
    for step in ("empty", "answer", "problem", "confirm"):
        if step == "answer":
            await visitor.say("Show me")
            await expect(page.locator(".facts").last).not_to_be_empty()
        if step == "problem":
            await visitor.say("x" * 70_000)
            await expect(page.locator("#problem")).to_be_visible()
        if step == "confirm":
            await visitor.button("Delete the conversation").click()
        assert await page.evaluate(CONTRAST) == [], step
        assert await nameless(page) == [], step
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    references = await page.evaluate(
        "['for', 'aria-labelledby', 'aria-controls', 'aria-describedby'].flatMap((name) =>"
        " [...document.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name)))"
    )
    assert set(references) <= set(ids)


async def test_a_screen_reader_finds_landmarks_headings_and_messages(visitor: Visitor) -> None:
    await visitor.say("Read this")
    await visitor.idle()
    await expect(visitor.page.locator("body")).to_match_aria_snapshot("""
      - link "Skip to the message field"
      - navigation "Conversations":
        - heading "Assistant" [level=1]
        - button "New conversation"
        - searchbox "Search conversations by name"
        - list "Conversations, the latest first":
          - listitem:
            - link "Read this"
      - main:
        - heading "Read this" [level=2]
        - group "This conversation":
          - button "Rename"
          - button "Fork the conversation"
          - button "Delete the conversation"
        - region "Messages":
          - list:
            - listitem:
              - article:
                - heading "You" [level=3]
            - listitem:
              - article:
                - heading "Model" [level=3]
                - heading "Title" [level=4]
                - paragraph
                - list
                - blockquote
                - button "Copy code"
                - region "Code python"
                - button "Copy"
        - textbox "Message"
        - combobox "Model"
        - 'button "Collections: No collections"'
        - button "Send"
      - status: The answer is complete.
      - log "The answer, sentence by sentence"
    """)
    live = visitor.page.locator("#messages [aria-live], #messages[aria-live]")
    await expect(live).to_have_count(0)  # tokens are not spoken


async def test_a_whole_dialogue_by_keyboard_alone(visitor: Visitor) -> None:
    page, keys = visitor.page, visitor.page.keyboard
    skip = page.get_by_role("link", name="Skip to the message field")
    await skip.focus()
    await expect(skip).to_be_in_viewport()
    await keys.press("Enter")
    await expect(visitor.field).to_be_focused()
    await keys.type("First line")
    await keys.press("Shift+Enter")
    await keys.type("second line")
    await keys.press("Enter")
    await expect(visitor.texts.first).to_have_text("First line\nsecond line")
    await visitor.idle()
    for name in ("Model", "Collections: No collections", "Send"):
        await keys.press("Tab")
        await expect(page.locator("#composer :focus")).to_have_accessible_name(name)
    await keys.press("Shift+Tab")
    await keys.press("Enter")
    await expect(page.get_by_role("dialog", name="Collections")).to_be_visible()
    for _ in range(8):  # the focus stays in the dialog, or leaves the page
        await keys.press("Tab")
        assert await page.evaluate("document.activeElement.matches('body, dialog, dialog *')")
    await keys.press("Escape")
    await expect(visitor.page.locator("#collections")).to_be_focused()
    search = page.get_by_label("Search conversations by name")
    await search.focus()
    await keys.press("ArrowDown")
    await expect(visitor.names.first).to_be_focused()
    await keys.press("ArrowUp")
    await expect(search).to_be_focused()
    await page.get_by_role("button", name="Rename").focus()
    await keys.press("Enter")
    await expect(page.get_by_label("Name of the conversation")).to_be_focused()
    await keys.type("By keyboard")
    await keys.press("Enter")
    await expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    await expect(page.get_by_role("button", name="Rename")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(visitor.button("Cancel")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(visitor.names).to_have_count(0)
    assert visitor.wrong == []


@pytest.mark.parametrize("width", [320, 360])
async def test_a_phone_has_a_drawer_and_no_sideways_scrolling(visitor: Visitor, width: int) -> None:
    page = visitor.page
    await page.set_viewport_size({"width": width, "height": 640})
    await visitor.say("W" * 500)
    await visitor.idle()
    assert await overflow(page) == 0
    assert await page.evaluate("scroller.scrollWidth - scroller.clientWidth") == 0
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    await visitor.button("Conversations").click()
    await expect(visitor.button("Close the list")).to_be_focused()
    await expect(visitor.names).to_have_count(1)
    assert await page.evaluate("document.querySelector('main').inert")
    assert await overflow(page) == 0
    await page.keyboard.press("Escape")
    await expect(visitor.button("Conversations")).to_be_focused()
    await visitor.button("Conversations").click()
    await visitor.button("New conversation").click()
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    await visitor.button("Collections: No collections").click()
    assert await overflow(page) == 0
    small = await page.evaluate(
        "[...document.querySelectorAll('button, select, input, summary')].filter((one) => one.checkVisibility()"
        " && !one.matches('.hidden')).map((one) => one.getBoundingClientRect())"
        ".filter(({ width, height }) => width < 18 || height < 18).length"
    )
    assert small == 0
    assert visitor.wrong == []


async def test_less_motion_is_none(visitor: Visitor, served: Served) -> None:
    await visitor.page.emulate_media(reduced_motion="reduce")
    gate = served.hold()
    await visitor.say("Wait")
    await expect(visitor.page.locator(".waiting i").first).to_be_visible()
    assert await visitor.page.evaluate("document.getAnimations().length") == 0
    await visitor.page.emulate_media(reduced_motion="no-preference")
    assert await visitor.page.evaluate("document.getAnimations().length") == 3
    gate.allow(1000)
    await visitor.idle()


HOSTILE = (
    """<script>document.title = "taken"</script> <img src=x onerror="document.title = 'taken'">

[Click me](javascript:alert(1)) and ![x](https://evil.example/x.png) and https://evil.example/

<iframe srcdoc="<script>parent.document.title = 'taken'</script>"></iframe> \u202egnp.exe\u202c `a\u202eb`

"""
    + "W" * 5_000
)


async def test_hostile_text_of_models_and_visitors_stays_text(chromium: BrowserContext, tmp_path: Path) -> None:
    async with serving(tmp_path, HOSTILE) as served, visiting(chromium, served.http) as visitor:
        page = visitor.page
        await page.set_viewport_size({"width": 360, "height": 640})
        await visitor.say(HOSTILE)
        await visitor.idle()
        await visitor.page.reload()
        await expect(visitor.texts).to_have_count(2)
        for text in await visitor.texts.all():
            await expect(text).to_contain_text('<script>document.title = "taken"</script>')
            assert await text.locator("script, img, iframe, a").count() == 0
        await expect(visitor.texts.last).to_contain_text("Click me (javascript:alert(1))")
        await expect(visitor.texts.last.locator(".control")).to_have_text(["U+202E"])
        assert "taken" not in (await page.title()).split(" · ")[-1]
        assert await page.title() != "taken"
        assert await overflow(page) == 0
        assert await page.evaluate("scroller.scrollWidth - scroller.clientWidth") == 0
        # A text that turns the direction ends with its element: the heading of the page stands where it stood.
        assert await page.locator("#conversations a bdi").count() == 1
        assert visitor.wrong == []

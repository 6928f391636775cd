"""/assistant in a real browser with scripted models: streaming, stop, regenerate, fork, reload, restart, the list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Route, expect

from tests.e2e.assistant.browsing import Served, Visitor, held, serving, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

REPLY = "The first sentence is here. The **second** one follows."
SHOWN = "The first sentence is here. The second one follows."


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path / "data", REPLY, "Another answer.") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium: BrowserContext, served: Served) -> AsyncIterator[Visitor]:
    async with visiting(chromium, served.http) as opened:
        yield opened


async def test_an_answer_is_shown_while_it_is_generated(served: Served, visitor: Visitor) -> None:
    gate = served.hold(3)
    await visitor.say("What is there?")
    await visitor.sees("What is there?", "The first sentence")
    await expect(visitor.button("Stop")).to_be_visible()
    await expect(visitor.button("Send")).to_be_hidden()
    await expect(visitor.names).to_have_text(["What is there?"])  # named after the message, before the answer ends
    spoken = visitor.page.locator("#spoken p")
    await expect(spoken).to_have_count(0)  # no whole sentence yet
    gate.allow(3)
    await expect(spoken).to_have_text(["The first sentence is here."])
    gate.allow(100)
    await visitor.sees("What is there?", SHOWN)
    await expect(spoken).to_have_text(["The first sentence is here.", "The second one follows."])
    await expect(visitor.status).to_have_text("The answer is complete.")
    await expect(visitor.page.locator(".facts").last).to_have_text("scripted · 9 tokens")
    await expect(visitor.page).to_have_title("What is there? · Assistant")
    await expect(visitor.field).to_be_focused()
    assert visitor.wrong == []


async def test_stop_keeps_what_was_generated(served: Served, visitor: Visitor) -> None:
    gate = served.hold(2)
    await visitor.say("Stop this")
    await visitor.sees("Stop this", "The first")
    await held(gate)
    await visitor.button("Stop").click()
    note = visitor.page.locator(".note")
    await expect(note).to_have_text("The answer was stopped.")
    await visitor.sees("Stop this", "The first")
    await visitor.idle()
    await visitor.page.reload()
    await visitor.sees("Stop this", "The first")
    await expect(note).to_have_text("The answer was stopped.")
    assert visitor.wrong == []


async def test_regenerate_replaces_the_last_answer(served: Served, visitor: Visitor) -> None:
    await visitor.say("Again?")
    await visitor.sees("Again?", SHOWN)
    await visitor.button("Regenerate: let the model answer again").click()
    await visitor.sees("Again?", "Another answer.")
    await visitor.idle()
    await visitor.page.reload()
    await visitor.sees("Again?", "Another answer.")
    assert visitor.wrong == []


async def test_a_fork_has_the_messages_up_to_one(served: Served, visitor: Visitor) -> None:
    await visitor.say("One")
    await visitor.sees("One", SHOWN)
    await visitor.say("Two")
    await visitor.sees("One", SHOWN, "Two", "Another answer.")
    before = visitor.page.url
    await visitor.page.get_by_role("button", name="Fork: continue from here").nth(1).click()
    await visitor.sees("One", SHOWN)
    assert visitor.page.url != before
    await expect(visitor.names).to_have_count(2)
    await visitor.button("Fork the conversation").click()
    await expect(visitor.names).to_have_count(3)
    await visitor.sees("One", SHOWN)
    await visitor.page.goto(before)
    await visitor.sees("One", SHOWN, "Two", "Another answer.")
    assert visitor.wrong == []


async def test_a_reload_in_the_middle_shows_what_is_stored(served: Served, visitor: Visitor) -> None:
    """The page that leaves stops the model."""
    gate = served.hold(3)
    await visitor.say("Leave early")
    await visitor.sees("Leave early", "The first sentence")
    await held(gate)
    await visitor.page.reload()
    await visitor.sees("Leave early", "The first sentence")
    await expect(visitor.page.locator(".note")).to_have_text("The answer was stopped.")
    await visitor.idle()
    served.release()
    await visitor.button("Regenerate: let the model answer again").click()
    await visitor.sees("Leave early", "Another answer.")
    assert visitor.wrong == []


async def test_an_answer_goes_on_while_another_conversation_is_open(served: Served, visitor: Visitor) -> None:
    gate = served.hold(2)
    await visitor.say("In the background")
    await visitor.sees("In the background", "The first")
    await visitor.button("New conversation").click()
    await visitor.sees()
    await visitor.idle()
    gate.allow(1)
    await visitor.names.first.click()
    await visitor.sees("In the background", "The first sentence")
    await expect(visitor.button("Stop")).to_be_visible()
    gate.allow(100)
    await visitor.sees("In the background", SHOWN)
    await visitor.idle()
    assert visitor.wrong == []


async def test_a_second_page_follows_and_stops_the_answer_of_the_first(
    served: Served, visitor: Visitor, chromium: BrowserContext
) -> None:
    gate = served.hold(2)
    await visitor.say("Seen twice")
    await visitor.sees("Seen twice", "The first")
    async with visiting(chromium, served.http) as second:
        await second.names.first.click()
        await second.sees("Seen twice", "The first")
        gate.allow(1)
        await second.sees("Seen twice", "The first sentence")
        await second.button("Stop").click()
        await expect(second.page.locator(".note")).to_have_text("The answer was stopped.")
        await second.idle()
        assert second.wrong == []
    await expect(visitor.page.locator(".note")).to_have_text("The answer was stopped.")
    await visitor.idle()
    assert visitor.wrong == []


async def test_the_page_survives_a_restart_in_the_middle(chromium: BrowserContext, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(tmp_path, REPLY))
        gate = first.hold(2)
        async with visiting(chromium, first.http) as visitor:
            await visitor.say("Before")
            await visitor.sees("Before", "The first")
            await held(gate)
            await stack.aclose()
            await expect(visitor.page.locator("#problem")).to_be_visible()
            async with serving(tmp_path, "After the restart.", port=first.port):
                await expect(visitor.page.locator(".note")).to_have_text("The answer was stopped.")
                await visitor.sees("Before", "The first")
                await visitor.idle()
                await expect(visitor.page.locator("#problem")).to_be_hidden()
                await visitor.say("And now?")
                await visitor.sees("Before", "The first", "And now?", "After the restart.")


async def test_a_message_that_did_not_arrive_returns_and_is_stored_once(served: Served, visitor: Visitor) -> None:
    await visitor.say("First")
    await visitor.sees("First", SHOWN)
    await visitor.page.route("**/*:send", lambda route: route.abort())
    await visitor.say("Lost on the way")
    await expect(visitor.page.locator("#problem")).to_contain_text("The server cannot be reached.")
    await expect(visitor.field).to_have_value("Lost on the way")
    await visitor.sees("First", SHOWN)
    await visitor.page.unroute("**/*:send")
    await visitor.field.press("Enter")
    await visitor.sees("First", SHOWN, "Lost on the way", "Another answer.")
    await expect(visitor.page.locator("#problem")).to_be_hidden()


async def test_a_refusal_is_in_plain_words_with_its_request(served: Served, visitor: Visitor) -> None:
    await visitor.say("x" * 70_000)
    problem = visitor.page.get_by_role("alert").filter(has_text="Request ")
    await expect(problem).to_contain_text("65536")
    await expect(visitor.field).to_have_value("x" * 70_000)
    await visitor.button("Dismiss").click()
    await expect(visitor.page.locator("#problem")).to_be_hidden()
    await visitor.say("shorter")
    await visitor.sees("shorter", SHOWN)


async def test_a_model_that_breaks_off_leaves_its_words_and_a_reason(chromium: BrowserContext, tmp_path: Path) -> None:
    async with serving(tmp_path, REPLY, fail_after=3) as served, visiting(chromium, served.http) as visitor:
        await visitor.say("Break off")
        await visitor.sees("Break off", "The first sentence")
        await expect(visitor.page.locator(".note")).to_have_text("The answer failed before it was complete.")
        await expect(visitor.page.locator("#problem")).to_contain_text("breaks off")
        await visitor.idle()


async def test_old_messages_that_do_not_fit_are_named(chromium: BrowserContext, tmp_path: Path) -> None:
    async with serving(tmp_path, "ok", context_tokens=300) as served, visiting(chromium, served.http) as visitor:
        for text in ("one", "two", "three"):
            await visitor.say(f"{text} " * 60)
            await expect(visitor.page.locator(".facts").last).not_to_be_empty()
            await visitor.idle()
        await expect(visitor.page.locator(".note").last).to_contain_text("not fit into the model's context")
        await visitor.page.reload()
        await expect(visitor.page.locator(".note").last).to_contain_text("the model read the later ones only")
        assert visitor.wrong == []


async def test_the_model_is_chosen_for_each_conversation(served: Served, visitor: Visitor) -> None:
    model = visitor.page.get_by_role("combobox", name="Model")
    await expect(model.locator("option")).to_have_text(["Default (scripted)", "scripted", "parrot"])
    await model.select_option("parrot")
    await visitor.say("Say this")
    await visitor.sees("Say this", "Say this")
    await model.select_option("Default (scripted)")
    await visitor.say("And this")
    await visitor.sees("Say this", "Say this", "And this", SHOWN)
    await visitor.page.reload()
    await expect(model).to_have_value("")
    assert visitor.wrong == []


@asynccontextmanager
async def choosing_a_model(visitor: Visitor, *, fails: bool = False) -> AsyncIterator[Locator]:
    """Chooses the model `parrot` after a first answer; the server receives the choice, or fails to, after the block."""
    model = visitor.page.get_by_role("combobox", name="Model")
    await visitor.say("First")
    await visitor.sees("First", SHOWN)
    await visitor.idle()
    asked, held = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        is_choice = route.request.method == "PATCH"
        if is_choice:
            asked.set()
            await held.wait()
        await (route.abort() if is_choice and fails else route.continue_())

    await visitor.page.route("**/conversations/*", hold)
    await model.select_option("parrot")
    await asked.wait()
    yield model
    held.set()


async def test_a_message_waits_for_the_model_that_was_chosen_before_it(served: Served, visitor: Visitor) -> None:
    async with choosing_a_model(visitor) as model:
        await visitor.say("Second")
        await expect(visitor.button("Stop")).to_be_visible()
    await visitor.sees("First", SHOWN, "Second", "Second")
    await expect(model).to_have_value("parrot")
    assert visitor.wrong == []


async def test_a_message_is_kept_when_the_model_chosen_before_it_could_not_be_stored(
    served: Served, visitor: Visitor
) -> None:
    async with choosing_a_model(visitor, fails=True) as model:
        await visitor.say("Second")
        await expect(visitor.button("Stop")).to_be_visible()
    await expect(visitor.field).to_have_value("Second")
    await expect(visitor.page.locator("#problem")).to_be_visible()
    await expect(model).to_have_value("")
    await visitor.idle()
    await visitor.sees("First", SHOWN)


async def test_conversations_are_renamed_found_and_deleted(served: Served, visitor: Visitor) -> None:
    for text in ("Alpha", "Beta", "Gamma"):
        await visitor.button("New conversation").click()
        await visitor.say(text)
        await expect(visitor.texts).to_have_count(2)
        await visitor.idle()
    await expect(visitor.names).to_have_text(["Gamma", "Beta", "Alpha"])
    await visitor.names.nth(2).click()
    await expect(visitor.page.get_by_role("heading", name="Alpha")).to_be_visible()
    await visitor.button("Rename").click()
    await visitor.page.get_by_label("Name of the conversation").fill("Omega 🚢")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("heading", name="Omega 🚢")).to_be_visible()
    await expect(visitor.page.get_by_role("link", name="Omega 🚢")).to_have_attribute("aria-current", "page")
    await visitor.page.get_by_label("Search conversations by name").fill("ET")
    await expect(visitor.names).to_have_text(["Beta"])
    await visitor.page.get_by_label("Search conversations by name").fill("nothing")
    await expect(visitor.page.get_by_text("No name matches.")).to_be_visible()
    await visitor.page.get_by_label("Search conversations by name").fill("")
    await visitor.button("Delete the conversation").click()
    await visitor.button("Cancel").click()
    await expect(visitor.names).to_have_count(3)
    await visitor.button("Delete the conversation").click()
    await visitor.button("Delete").click()
    await expect(visitor.names).to_have_text(["Gamma", "Beta"])
    await expect(visitor.page.get_by_role("heading", name="New conversation")).to_be_visible()
    await visitor.page.go_back()  # to the one that was deleted
    await expect(visitor.page.get_by_role("alert").filter(has_text="It is not there")).to_be_visible()


async def test_a_message_is_copied(served: Served, visitor: Visitor) -> None:
    await visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served.http)
    await visitor.say("Copy me")
    await visitor.sees("Copy me", SHOWN)
    await visitor.idle()
    await visitor.button("Copy").last.click()
    await expect(visitor.status).to_have_text("Copied.")
    assert await visitor.page.evaluate("navigator.clipboard.readText()") == REPLY

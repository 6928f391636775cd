"""Collections in /assistant: made, filled, read by a model whose citations open their passage, and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, FilePayload, Locator, expect

from artificer_services import app
from diptych import Settings
from tests.e2e.assistant.browsing import Visitor, visiting
from tests.e2e.documents import text_pdf

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HANDBOOK = """# Turbines

## Yearly checks

A turbine needs a check of its brakes once every year. 🚢 The report is kept for ten years.

## Storms

In a storm above 90 km/h the rotor is locked, and nobody climbs the tower.
"""
EVIL = """# <script>document.title = "taken"</script>

The zebra pays <img src=x onerror="document.title = 'taken'"> 40 euros \u202efor a ticket.
"""
REPLIES = {
    "turbines": "A turbine needs a check of its brakes once every year [1].",
    "ferries": "The ferry to Amrum leaves at noon.",
    "storms": "In a storm above 90 km/h the rotor is locked, and nobody climbs the tower.",
    "zebras": "The zebra pays 40 euros for a ticket.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The whole application with a scripted chat model and the real embedder; yields its address."""
    folder = str(tmp_path_factory.mktemp("data"))
    chat = {name: {"kind": "scripted", "replies": [reply]} for name, reply in REPLIES.items()}
    services = {
        "ai": {"data_dir": folder, "chat_models": chat},
        "batch": {"data_dir": folder, "engine": "none"},
        "chat": {"data_dir": folder},
        "ocr": {"workers": 1},
    }
    settings = Settings.model_validate({"http_port": 0, "grpc_port": 0, "grace_seconds": 0, "services": services})
    async with app.create(settings) as gateway:
        yield f"http://127.0.0.1:{gateway.http_port}"


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(chromium: BrowserContext, http: str) -> AsyncIterator[Visitor]:
    async with visiting(chromium, http) as opened:
        yield opened
    async with httpx2.AsyncClient(base_url=http, timeout=60) as client:
        for one in (await client.get("/v1/collections")).json().get("collections", []):
            await client.delete(f"/v1/collections/{one['id']}", params={"force": True})


def file(name: str, data: str | bytes, media_type: str = "text/markdown") -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": data.encode() if isinstance(data, str) else data}


class Shelf:
    """The dialog of collections."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self.dialog = visitor.page.get_by_role("dialog", name="Collections")

    async def open(self) -> None:
        await self._visitor.page.locator("#collections").click()
        await expect(self.dialog).to_be_visible()

    async def create(self, name: str) -> None:
        await self.dialog.get_by_label("New collection").fill(name)
        await self.dialog.get_by_role("button", name="Create").click()
        await expect(self.row(name)).to_contain_text("0 documents")

    def row(self, name: str) -> Locator:
        return self.dialog.locator("#shelf > li").filter(has=self._visitor.page.get_by_text(name, exact=True))

    async def add(self, name: str, *files: FilePayload) -> None:
        async with self._visitor.page.expect_file_chooser() as chooser:
            await self.row(name).get_by_role("button", name=f"Add files to {name}").click()
        await (await chooser.value).set_files(files)

    async def close(self) -> None:
        await self._visitor.page.keyboard.press("Escape")
        await expect(self.dialog).to_be_hidden()


@pytest.fixture
def shelf(visitor: Visitor) -> Shelf:
    return Shelf(visitor)


async def test_a_citation_opens_its_passage(visitor: Visitor, shelf: Shelf) -> None:
    await shelf.open()
    await shelf.create("handbook")
    await shelf.add("handbook", file("turbines.md", HANDBOOK))
    await expect(shelf.row("handbook")).to_contain_text("1 document")
    await shelf.row("handbook").get_by_role("checkbox").check()
    await shelf.close()
    await expect(visitor.button("Collections: handbook")).to_be_visible()
    await visitor.page.get_by_role("combobox", name="Model").select_option("turbines")
    await visitor.say("How often are brakes checked?")
    await visitor.idle()
    await expect(visitor.texts.last).to_contain_text("once every year 1.")
    source = visitor.page.get_by_role("list", name="Sources").get_by_role("button")
    await expect(source).to_have_text(["1turbines.md"])
    for _ in range(2):  # while the answer is new, and as it is stored
        cite = visitor.texts.last.get_by_role("button", name="Passage 1")
        await cite.click()
        dialog = visitor.page.get_by_role("dialog", name="turbines.md")
        await expect(dialog.locator("mark")).to_have_text("A turbine needs a check of its brakes once every year.")
        await expect(dialog.locator(".chunk")).to_contain_text("once every year. 🚢 The report is kept")
        await expect(dialog.locator(".path")).to_have_text("Turbines › Yearly checks")
        await expect(dialog.get_by_text("The model named this passage.")).to_be_visible()
        await expect(dialog.get_by_role("heading")).to_be_focused()
        await visitor.page.keyboard.press("Escape")
        await expect(cite).to_be_focused()
        await visitor.page.reload()
    assert visitor.wrong == []


async def test_a_passage_of_a_pdf_names_its_page(visitor: Visitor, shelf: Shelf) -> None:
    await shelf.open()
    await shelf.create("ferries")
    pages = ["The office is closed on Sundays.", "The ferry to Amrum leaves at noon."]
    await shelf.add("ferries", file("ferry.pdf", text_pdf(*pages), "application/pdf"))
    await expect(shelf.row("ferries")).to_contain_text("1 document")
    await expect(shelf.row("ferries").get_by_text("2 pages")).to_be_visible()
    await shelf.row("ferries").get_by_role("checkbox").check()
    await shelf.close()
    await visitor.page.get_by_role("combobox", name="Model").select_option("ferries")
    await visitor.say("When does the ferry leave?")
    await visitor.idle()
    source = visitor.page.get_by_role("list", name="Sources").get_by_role("button").first
    await expect(source).to_have_text("1ferry.pdf, page 2")
    await source.click()
    dialog = visitor.page.get_by_role("dialog", name="ferry.pdf")
    await expect(dialog.locator("mark")).to_have_text("The ferry to Amrum leaves at noon.")
    await expect(dialog.locator(".path")).to_have_text("page 2")
    await dialog.get_by_role("button", name="Close").click()
    await expect(source).to_be_focused()
    assert visitor.wrong == []


async def test_a_deleted_document_leaves_its_quote(visitor: Visitor, shelf: Shelf) -> None:
    await shelf.open()
    await shelf.create("short")
    await shelf.add("short", file("storms.md", HANDBOOK))
    await expect(shelf.row("short")).to_contain_text("1 document")
    await shelf.row("short").get_by_role("checkbox").check()
    await shelf.close()
    await visitor.page.get_by_role("combobox", name="Model").select_option("storms")
    await visitor.say("What happens in a storm?")
    await visitor.idle()
    await shelf.open()
    await shelf.row("short").get_by_role("button", name="Delete storms.md").click()
    await visitor.button("Delete").click()
    await expect(shelf.row("short")).to_contain_text("0 documents")
    await shelf.close()
    await visitor.page.reload()
    await visitor.page.get_by_role("list", name="Sources").get_by_role("button").first.click()
    dialog = visitor.page.locator("#passage")
    await expect(dialog.locator("mark")).to_contain_text("the rotor is locked")
    await expect(dialog).to_contain_text("The document was deleted: only the quote is left.")


async def test_files_that_cannot_be_read_are_named_with_the_reason(visitor: Visitor, shelf: Shelf) -> None:
    await shelf.open()
    await shelf.create("mixed")
    broken = file("broken.pdf", b"%PDF-1.7 nothing", "application/pdf")
    await shelf.add("mixed", file("empty.txt", ""), broken, file("fine.md", HANDBOOK))
    await expect(shelf.row("mixed")).to_contain_text("1 document")
    failed = shelf.row("mixed").locator(".upload")
    await expect(failed).to_have_count(2)
    await expect(failed.nth(0)).to_contain_text("empty.txt")
    await expect(failed.nth(0).locator(".error")).not_to_be_empty()
    await expect(failed.nth(1)).to_contain_text("broken.pdf")
    json = file("data.json", '{"ferry": "noon"}', "application/json")
    await shelf.add("mixed", json)
    await expect(shelf.row("mixed")).to_contain_text("2 documents")


async def test_collections_are_made_used_and_deleted(visitor: Visitor, shelf: Shelf) -> None:
    await shelf.open()
    await shelf.create("one")
    await shelf.create("Two words")
    await shelf.dialog.get_by_label("New collection").fill("one")
    await shelf.dialog.get_by_role("button", name="Create").click()
    await expect(shelf.dialog.get_by_role("alert")).to_contain_text("It was changed or taken in the meantime.")
    for name in ("one", "Two words"):
        await shelf.row(name).get_by_role("checkbox").check()
    await shelf.close()
    await expect(visitor.button("Collections: one and 1 more")).to_be_visible()
    await visitor.say("Is there anything?")
    await expect(visitor.page.locator(".note")).to_have_text(
        "No passage of the collections matches: the model answers without any."
    )
    await visitor.page.reload()
    await expect(visitor.button("Collections: one and 1 more")).to_be_visible()
    await shelf.open()
    await shelf.row("one").get_by_role("button", name="Delete one").click()
    await visitor.button("Delete").click()
    await expect(shelf.row("one")).to_have_count(0)
    await shelf.close()
    await expect(visitor.button("Collections: Two words")).to_be_visible()


async def test_hostile_text_of_documents_stays_text(visitor: Visitor, shelf: Shelf) -> None:
    name = "<img src=x onerror=alert(1)>.md"
    await visitor.page.set_viewport_size({"width": 360, "height": 640})
    await shelf.open()
    await shelf.create("<b>evil</b>")
    await shelf.add("<b>evil</b>", file(name, EVIL))
    await expect(shelf.row("<b>evil</b>")).to_contain_text("1 document")
    await shelf.row("<b>evil</b>").get_by_role("checkbox").check()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    await shelf.close()
    await visitor.page.get_by_role("combobox", name="Model").select_option("zebras")
    await visitor.say("What does the zebra pay?")
    await visitor.idle()
    await visitor.page.get_by_role("list", name="Sources").get_by_role("button").first.click()
    dialog = visitor.page.locator("#passage")
    await expect(dialog.get_by_role("heading")).to_have_text(name)
    await expect(dialog.locator(".chunk")).to_contain_text("<img src=x onerror=\"document.title = 'taken'\">")
    assert await visitor.page.locator("img, script:not([src]), dialog b").count() == 0
    assert "taken" not in await visitor.page.title()
    assert visitor.wrong == []

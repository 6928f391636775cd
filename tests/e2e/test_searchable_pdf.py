"""A scan that a browser sends to the OCR service comes back as a PDF document whose text the browser finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chromium import chromium_in
from tests.e2e.conftest import ROOT, Served
from tests.waiting import until_told

pytestmark = pytest.mark.browser

_FORM = """<form action="/v1/documents:makeSearchable" method="post" enctype="multipart/form-data">
<input type="file" name="document_data"><button>Send</button></form>"""


async def test_chromium_finds_the_text_of_a_searchable_pdf(served: Served, tmp_path: Path) -> None:
    async with chromium_in(tmp_path) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, reader = await context.new_page(), await context.new_page()
        await reader.goto(served.http + "/healthz")
        await page.goto(served.http + "/healthz")
        await page.set_content(_FORM)
        await page.locator("input").set_input_files(ROOT / "examples" / "scan.pdf")
        await page.bring_to_front()
        await page.locator("button").click()

        async def copied() -> bool:
            """Marks all that the viewer finds, and copies it. The viewer does not say when it is ready."""
            await page.bring_to_front()
            await page.mouse.click(400, 300)
            await page.keyboard.press("Control+a")
            await page.keyboard.press("Control+c")
            await reader.bring_to_front()
            text = await reader.evaluate("navigator.clipboard.readText()")
            return "Invoice number 20261121" in text and "Second page" in text

        await until_told(copied)
        assert await page.evaluate("document.contentType") == "application/pdf"

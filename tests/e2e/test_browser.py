"""/docs in a real browser: it renders, loads nothing from other hosts, and can try an operation out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.chromium import chromium_in
from tests.e2e.conftest import ROOT, Served

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(served: Served, tmp_path: Path) -> AsyncIterator[Page]:
    """A page whose every request outside the server under test is refused and recorded as `page.outside`."""
    async with chromium_in(tmp_path) as context:
        yield await context.new_page()


async def test_an_operation_is_tried_out_with_a_file(served: Served, page: Page) -> None:
    outside: list[str] = []
    broken: list[str] = []

    async def inside_only(route: Route) -> None:
        if route.request.url.startswith(served.http) or route.request.url.startswith("data:"):
            await route.continue_()
        else:
            outside.append(route.request.url)
            await route.abort()

    await page.route("**/*", inside_only)
    page.on("pageerror", lambda error: broken.append(str(error)))
    await page.goto(served.http + "/docs")
    await expect(page.locator(".info .title")).to_contain_text("Diptych")
    operation = page.locator("#operations-OCRService-OCRService_CheckPDFNeedsOCR")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    # Only the file and one field are sent: the form's other inputs begin empty.
    for text in await operation.locator("input[type=text]").all():
        await expect(text).to_have_value("")
    await operation.locator("input[type=file]").first.set_input_files(ROOT / "examples" / "scan.pdf")
    await operation.get_by_placeholder("minTextThreshold").fill("100")
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_contain_text("200", timeout=30_000)
    body = json.loads(await answer.locator("pre").first.inner_text())
    assert body["pages"] == 3
    assert body["needsOcr"] is True
    assert outside == []
    assert broken == []

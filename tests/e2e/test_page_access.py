"""/jobs, /chat and /docs in a real browser if calls need authentication: pages prompt, and no URL contains a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services import app
from diptych import Settings
from diptych.auth import hash_key, new_key

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PATIENT = 30_000  # milliseconds
KEY, READER = new_key("operator"), new_key("reader")
BATCH = "/artificer.batch.v1.BatchService"
AUTH: dict[str, Any] = {
    "api_keys": {
        "operator": {"hash": hash_key(KEY), "scopes": ["write"]},
        "reader": {"hash": hash_key(READER)},
    },
    "rules": [{"methods": [f"{BATCH}/CreateJob", f"{BATCH}/StartJob", f"{BATCH}/CancelJob"], "scopes": ["write"]}],
    "docs_public": True,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """The whole application with API keys and without batch workers; yields its HTTP and gRPC addresses."""
    folder = {"data_dir": str(tmp_path_factory.mktemp("data"))}
    services = {"ai": folder, "batch": {**folder, "engine": "none"}, "chat": folder, "ocr": {"workers": 1}}
    settings = Settings.model_validate(
        {"http_port": 0, "grpc_port": 0, "grace_seconds": 0, "auth": AUTH, "services": services}
    )
    async with app.create(settings) as gateway:
        yield f"http://127.0.0.1:{gateway.http_port}", f"127.0.0.1:{gateway.grpc_port}"


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: BrowserContext) -> AsyncIterator[Page]:
    """A new tab without a key; every URL that it requests is checked."""
    opened = await chromium.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("websocket", lambda socket: asked.append(socket.url))
    yield opened
    await opened.close()
    assert not [url for url in asked if KEY in url or READER in url]


async def sign_in(page: Page, key: str) -> None:
    await expect(page.get_by_label("Key or token")).to_be_visible(timeout=PATIENT)
    await page.get_by_label("Key or token").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def make(address: str, name: str) -> str:
    async with grpc.aio.insecure_channel(address) as opened:
        job = await rpc.BatchServiceStub(opened).CreateJob(
            pb.CreateJobRequest(
                name=name, items=[pb.Item(input="x")], phases=[pb.Phase(name="one", task_type="text.normalize")]
            ),
            metadata=(("x-api-key", KEY),),
        )
        return str(job.id)


async def test_the_page_of_jobs_asks_for_a_key_and_keeps_it_for_its_tab(
    served: tuple[str, str], page: Page, chromium: BrowserContext
) -> None:
    http, address = served
    await make(address, "guarded")
    await page.goto(f"{http}/jobs")
    await expect(page.get_by_role("status")).to_have_text("This server requires you to sign in.", timeout=PATIENT)
    await expect(page.locator("#jobs tbody tr")).to_have_count(0)
    await sign_in(page, new_key("operator"))  # an entry with the same name, without the key
    await expect(page.locator("#access").get_by_role("alert")).not_to_be_empty(timeout=PATIENT)
    await sign_in(page, KEY)
    row = page.locator("#jobs tbody tr").filter(has=page.get_by_role("link", name="guarded", exact=True))
    await expect(row).to_have_count(1, timeout=PATIENT)
    await expect(page.get_by_label("Key or token")).to_be_hidden()
    await row.get_by_role("button", name="Start guarded").click()
    await expect(row).to_contain_text("running", timeout=PATIENT)
    await page.get_by_role("link", name="guarded", exact=True).click()
    log = page.get_by_role("log").locator("li")  # an event stream, authenticated by the key
    await expect(log.filter(has_text="the job was started")).to_have_count(1, timeout=PATIENT)
    await page.reload()
    await expect(row).to_have_count(1, timeout=PATIENT)  # kept for the tab
    assert not await chromium.cookies()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Key or token")).to_be_visible(timeout=PATIENT)
    await expect(row).to_have_count(0)


async def test_a_caller_who_may_only_read_sees_why_changes_are_refused(served: tuple[str, str], page: Page) -> None:
    http, address = served
    await make(address, "looked at")
    await page.goto(f"{http}/jobs")
    await sign_in(page, READER)
    await page.get_by_role("button", name="Start looked at").click(timeout=PATIENT)
    problem = page.get_by_role("alert").filter(has_text="looked at: the caller lacks the scope write")
    await expect(problem).to_be_visible(timeout=PATIENT)
    await expect(page.get_by_label("Key or token")).to_be_hidden()


@pytest.mark.parametrize("transport", ["websocket", "connect", "grpc-web"])
async def test_the_page_of_chat_joins_once_it_has_a_key(served: tuple[str, str], page: Page, transport: str) -> None:
    http, _ = served
    await page.goto(f"{http}/chat?{urlencode({'channel': transport, 'user': 'ann', 'transport': transport})}")
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("status")).to_have_text("This server requires you to sign in.", timeout=PATIENT)
    await sign_in(page, READER)
    await expect(page.get_by_role("status")).to_have_text(f"In {transport} as ann.", timeout=PATIENT)
    await page.get_by_label("Message", exact=True).fill("hello")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#log .own .content")).to_have_text("hello", timeout=PATIENT)
    await expect(page.locator("#log .pending")).to_have_count(0, timeout=PATIENT)


async def test_public_docs_accept_a_key_and_try_a_call_with_it(served: tuple[str, str], page: Page) -> None:
    http, _ = served
    await page.goto(f"{http}/docs")
    await page.get_by_role("button", name="Authorize").first.click(timeout=PATIENT)
    dialog = page.locator(".modal-ux")
    form = dialog.locator(".auth-container").filter(has_text="apiKey")
    await form.get_by_role("textbox").fill(READER)
    await form.get_by_role("button", name="Apply credentials").click()
    await dialog.get_by_role("button", name="Close").last.click()
    operation = page.locator(".opblock").filter(has_text="/v1/taskTypes").first
    await operation.locator(".opblock-summary").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table tbody .response-col_status")
    await expect(status).to_have_text("200", timeout=PATIENT)

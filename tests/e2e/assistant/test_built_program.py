"""/assistant of the built program: the local model answers from a PDF document, and a kill leaves what was stored."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import BrowserContext, expect

from artificer_services.cluster.servers import free_port
from tests.e2e.assistant.browsing import visiting
from tests.e2e.conftest import ROOT, Served, wait_until_listening
from tests.e2e.documents import text_pdf

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PATIENT = 90_000  # milliseconds: the local model shares two cores with the tests
WORDS = re.compile(r"\w+ \w+")


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Runs the program over a folder until it is killed; yields its address."""
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create", "--grpc-port", "0"]
    command += ["--http-port", str(port), "--set", "services.ai.conversations.lease_seconds=3"]
    stores = {f"DIPTYCH_SERVICES__{service}__DATA_DIR": str(folder) for service in ("AI", "BATCH", "CHAT")}
    env = {**os.environ, **stores, "PYTHONPATH": str(ROOT)}
    with (
        open(folder / "log", "a+") as log,  # a pipe would fill up
        subprocess.Popen(command, stderr=subprocess.PIPE, stdout=log, text=True, cwd=ROOT, env=env) as process,
    ):
        try:
            yield wait_until_listening(process).http, process
        finally:
            process.kill()


async def test_a_killed_program_leaves_what_was_stored(chromium: BrowserContext, tmp_path: Path) -> None:
    """The page waits for the program, and shows the answer as the database has it."""
    port = free_port()
    with running(tmp_path, port) as (http, process):
        async with visiting(chromium, http) as visitor:
            await visitor.say("Tell me a very long story about a ship.")
            await expect(visitor.texts.nth(1)).to_contain_text(WORDS, timeout=PATIENT)
            process.send_signal(signal.SIGKILL)
            await expect(visitor.page.locator("#problem")).to_be_visible()
            with running(tmp_path, port):
                note = visitor.page.locator(".note")
                await expect(note).to_have_text("The answer failed before it was complete.", timeout=PATIENT)
                await expect(visitor.texts).to_have_count(2)
                await visitor.idle()
                await visitor.button("Regenerate: let the model answer again").click()
                await expect(visitor.texts.nth(1)).to_contain_text(WORDS, timeout=PATIENT)
                await visitor.button("Stop").click()
                await expect(note).to_have_text("The answer was stopped.", timeout=PATIENT)


async def test_the_local_model_answers_from_a_pdf_and_its_citation_is_right(
    served: Served, chromium: BrowserContext
) -> None:
    pages = ["The office is closed on Sundays.", "The ferry to Amrum leaves the harbour of Dagebuell at noon."]
    async with visiting(chromium, served.http) as visitor:
        page = visitor.page
        await expect(page.get_by_role("combobox", name="Model")).to_contain_text("Default (smollm2-135m)")
        await page.locator("#collections").click()
        await page.get_by_label("New collection").fill("local ferries")
        await visitor.button("Create").click()
        async with page.expect_file_chooser() as chooser:
            await visitor.button("Add files to local ferries").click()
        data = text_pdf(*pages)
        await (await chooser.value).set_files({"name": "ferry.pdf", "mimeType": "application/pdf", "buffer": data})
        await expect(page.get_by_text("2 pages")).to_be_visible(timeout=PATIENT)
        await page.get_by_role("checkbox", name="local ferries").check()
        await page.keyboard.press("Escape")
        await visitor.say("When does the ferry to Amrum leave?")
        await expect(visitor.button("Send")).to_be_visible(timeout=PATIENT)
        source = page.get_by_role("list", name="Sources").get_by_role("button").first
        await expect(source).to_contain_text("ferry.pdf, page 2")
        await source.click()
        await expect(page.locator("#passage mark")).to_contain_text("ferry to Amrum leaves")
        assert visitor.wrong == []


async def test_only_the_pages_own_files_may_run(served: Served) -> None:
    async with httpx2.AsyncClient(base_url=served.http, timeout=60) as client:
        for path, media in (("/assistant", "text/html"), ("/assistant/assets/markdown.js", "text/javascript")):
            answer = await client.get(path)
            assert answer.headers["content-type"].startswith(media)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "style-src 'self';" in policy

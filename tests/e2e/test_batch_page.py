"""/jobs in a real browser: progress of running jobs, the buttons that change them, their results and log."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import grpc
import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, Route, expect

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from tests.e2e.conftest import Served, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PATIENT = 30_000  # milliseconds


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """The program, with the task type test.trial."""
    with serving("--set", "services.batch.trial_tasks=true") as where:
        yield where


@pytest_asyncio.fixture(loop_scope="module")
async def batch(server: Served) -> AsyncIterator[rpc.BatchServiceAsyncStub]:
    async with grpc.aio.insecure_channel(server.grpc) as opened:
        yield rpc.BatchServiceStub(opened)


class Jobs:
    """The page with the jobs of one project, and the errors that occurred in it."""

    def __init__(self, page: Page, served: Served, project: str) -> None:
        self.page, self._served, self.project = page, served, project
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)

    async def _inside_only(self, route: Route) -> None:
        if route.request.url.startswith((self._served.http, "data:")):
            await route.continue_()
        else:
            self.wrong.append(route.request.url)
            await route.abort()

    async def open(self, **place: str) -> None:
        await self.page.route("**/*", self._inside_only)
        await self.page.goto(f"{self._served.http}/jobs{'#' if place else ''}{urlencode(place)}")
        await self.page.get_by_label("Project").fill(self.project)
        await self.page.get_by_role("button", name="Show").click()

    def row(self, name: str) -> Locator:
        return self.page.locator("#jobs tbody tr").filter(has=self.page.get_by_role("link", name=name, exact=True))

    async def stands(self, name: str, *words: str) -> None:
        for word in words:
            await expect(self.row(name)).to_contain_text(word, timeout=PATIENT)

    async def press(self, label: str, name: str) -> None:
        await self.row(name).get_by_role("button", name=f"{label} {name}", exact=True).click()


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(chromium: BrowserContext, server: Served) -> AsyncIterator[Jobs]:
    """A new page with a new project for one test."""
    for page in chromium.pages[1:]:  # the first one keeps the browser open
        await page.close()
    opened = Jobs(await chromium.new_page(), server, uuid.uuid4().hex)
    yield opened
    await opened.page.close()


async def make(batch: rpc.BatchServiceAsyncStub, project: str, name: str, *items: str, **options: Any) -> str:
    """Creates a job of test.trial; `options` are orders of all its items."""
    start = options.pop("start", True)
    job = await batch.CreateJob(
        pb.CreateJobRequest(
            name=name,
            project_id=project,
            items=[pb.Item(input=item) for item in items],
            phases=[pb.Phase(name="work", task_type="test.trial", parameters={k: str(v) for k, v in options.items()})],
            options=pb.JobOptions(auto_start=start, concurrency=1),
        )
    )
    return job.id


async def test_a_running_job_updates_and_its_buttons_change_it(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    items = ["{}", "{}", '{"do": "reject"}', '{"seconds": 600}', "{}"]
    job = await make(batch, jobs.project, "the job", *items, start=False)
    await jobs.open()
    await jobs.stands("the job", "○ pending", "0 of 5")
    await jobs.press("Start", "the job")
    await jobs.stands("the job", "▶ running", "2 of 5 · 1 failed · work")  # the fourth item is a long one
    bar = jobs.row("the job").get_by_role("progressbar", name="Progress of the job")
    await expect(bar).to_have_js_property("value", 60, timeout=PATIENT)
    await jobs.press("Pause", "the job")
    await jobs.stands("the job", "⏸ paused")
    assert (await batch.GetJob(pb.GetJobRequest(job_id=job))).status == pb.JOB_STATUS_PAUSED
    await jobs.press("Resume", "the job")
    await jobs.stands("the job", "▶ running")
    jobs.page.once("dialog", lambda dialog: dialog.dismiss())
    await jobs.press("Cancel", "the job")
    await jobs.stands("the job", "▶ running")  # the user dismissed the confirmation
    jobs.page.once("dialog", lambda dialog: dialog.accept())
    await jobs.press("Cancel", "the job")
    await jobs.stands("the job", "⊘ cancelled", "2 of 5 · 1 failed")
    await expect(jobs.row("the job").get_by_role("button")).to_have_count(0)
    await expect(jobs.page.get_by_role("status")).to_have_text("the job is cancelled.")
    assert jobs.wrong == []


async def test_progress_arrives_by_events_and_not_by_polling(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    job = await make(batch, jobs.project, "streamed", "{}", '{"seconds": 600}')
    await jobs.open()
    await jobs.stands("streamed", "1 of 2")
    streams = await jobs.page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    await jobs.page.route("**/v1/jobs?*", lambda route: route.abort())  # the list can no longer be loaded
    await expect(jobs.page.get_by_role("status")).to_contain_text("Retrying", timeout=PATIENT)
    await batch.CancelJob(pb.CancelJobRequest(job_id=job))
    await jobs.stands("streamed", "⊘ cancelled")
    assert all(one.startswith(jobs.page.url.removesuffix("/jobs")) for one in streams)


async def test_results_and_log_of_a_job(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    items = ["plain", '{"do": "reject", "log": 2}', "last"]
    job = await make(batch, jobs.project, "detailed", *items, log=1)
    await jobs.open()
    await jobs.stands("detailed", "✓ completed", "2 of 3 · 1 failed")
    await jobs.page.get_by_role("link", name="detailed").click()
    detail = jobs.page.get_by_role("region", name="detailed")
    await expect(detail.locator("dd").nth(0)).to_have_text(job)
    rows = detail.locator("#results tbody tr")
    await expect(rows).to_have_count(3, timeout=PATIENT)
    await expect(rows.nth(0)).to_contain_text("✓ completed")
    await expect(rows.nth(1)).to_contain_text("told to reject, attempt 1")
    await rows.nth(2).locator("summary").click()
    await expect(rows.nth(2).locator("pre")).to_have_text("work:\nlast")
    await detail.get_by_label("State of the items").select_option("failed")
    await expect(rows).to_have_count(1, timeout=PATIENT)
    log = detail.get_by_role("log").locator("li")
    await expect(log.filter(has_text="item 1 work: line 1 of attempt 1")).to_have_count(1, timeout=PATIENT)
    await detail.get_by_role("link", name="Close").click()
    await expect(detail).to_be_hidden()
    await jobs.page.get_by_role("link", name="detailed").click()  # loaded again, with all jobs
    await expect(log.filter(has_text="item 1 work: line 1 of attempt 1")).to_have_count(1, timeout=PATIENT)
    assert jobs.wrong == []


async def test_markup_in_messages_is_shown_as_text(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    item = json.dumps({"output": evil, "metadata": evil})
    job = await make(batch, jobs.project, evil, evil, item, '{"do": "fail"}')
    await jobs.open(job=job)
    await jobs.stands(evil, "2 of 3")
    await expect(jobs.page.get_by_role("heading", name=evil)).to_be_visible(timeout=PATIENT)
    rows = jobs.page.locator("#results tbody tr")
    await expect(rows).to_have_count(3, timeout=PATIENT)
    await expect(rows.nth(0).locator(".input")).to_have_text(evil)
    await expect(rows.nth(1).locator("summary")).to_contain_text("<img src=x", timeout=PATIENT)
    assert await jobs.page.title() == "Jobs"
    assert await jobs.page.locator("main img, main script").count() == 0
    assert jobs.wrong == []


async def test_a_refusal_of_the_server_is_shown(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    job = await make(batch, jobs.project, "late", "{}", '{"seconds": 600}')
    await jobs.open()
    await jobs.stands("late", "▶ running")

    async def somebody_is_quicker(route: Route) -> None:
        await batch.CancelJob(pb.CancelJobRequest(job_id=job))
        await route.continue_()

    await jobs.page.route("**/*:pause", somebody_is_quicker)
    await jobs.press("Pause", "late")
    await expect(jobs.page.get_by_role("alert")).to_contain_text("late: cannot pause a job that is CANCELLED")
    await jobs.stands("late", "⊘ cancelled")


async def test_pages_of_jobs_and_a_filter(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    for number in range(30):
        await make(batch, jobs.project, f"job {number:02}", "x", start=False)
    await jobs.open()
    names = jobs.page.locator("#jobs tbody th a")
    await expect(names).to_have_text([f"job {number:02}" for number in range(29, 4, -1)], timeout=PATIENT)
    await jobs.page.get_by_role("button", name="Older").click()
    await expect(names).to_have_text([f"job {number:02}" for number in range(4, -1, -1)], timeout=PATIENT)
    await jobs.page.get_by_role("button", name="Newer").click()
    await expect(names).to_have_count(25, timeout=PATIENT)
    await jobs.page.locator("#filter").get_by_label("State").select_option("running")
    await expect(jobs.page.get_by_role("status")).to_have_text("No jobs match.", timeout=PATIENT)
    await expect(names).to_have_count(0)


async def test_the_page_reports_a_lost_connection_and_resumes(jobs: Jobs, batch: rpc.BatchServiceAsyncStub) -> None:
    await make(batch, jobs.project, "kept", "x", start=False)
    await jobs.open()
    await jobs.stands("kept", "pending")
    await jobs.page.context.set_offline(True)
    await expect(jobs.page.get_by_role("status")).to_contain_text("Retrying", timeout=PATIENT)
    await jobs.stands("kept", "pending")
    await jobs.page.context.set_offline(False)
    await expect(jobs.page.get_by_role("status")).to_have_text("", timeout=PATIENT)


async def test_only_the_pages_own_files_may_run(server: Served) -> None:
    async with httpx2.AsyncClient(base_url=server.http, timeout=60) as client:
        for path, media in (("/jobs", "text/html"), ("/jobs/assets/jobs.js", "text/javascript")):
            answer = await client.get(path)
            assert answer.headers["content-type"].startswith(media)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy

"""examples/trpc, installed by its README in a copy outside of the repository, in front of the real gateway."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from codegen import npm
from codegen.typescript import PACKAGE
from tests.chromium import chromium_in, find_chromium
from tests.clients.browser import page_server
from tests.docs.blocks import read
from tests.docs.terminal import terminal
from tests.e2e.conftest import Served, serving
from tests.sdk.relay import relaying
from tests.sdk.stranger import ROOT, checkout, npm_settings
from tests.sdk.trpc_programs import KEY, Api, Event, api, mortal_gateway
from tests.waiting import PATIENCE, until, wait_for

pytestmark = pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible(), reason="the example needs Node and npm"
)
README = read(ROOT / "examples" / "trpc" / "README.md")
SCAN = ROOT / "examples" / "scan.pdf"
INSTALL, *_ = README.blocks


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's folder in a copy of the repository, built by the first commands of its README."""
    scratch = tmp_path_factory.mktemp("trpc")
    folder = checkout(scratch / "work", "sdk/typescript", "examples/trpc", "examples/scan.pdf") / "examples" / "trpc"
    with terminal(scratch, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **npm_settings()}) as shell:
        shell.run(f"cd {folder}")
        shell.run(INSTALL.code)
    return folder


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    with serving() as where:
        yield where


@pytest.fixture(scope="module")
def served(example: Path, gateway: Served) -> Iterator[Api]:
    with api(example, gateway.grpc) as running:
        yield running


def read_until(lines: Iterator[str], wanted: Callable[[Event], Any], seen: list[Event]) -> Event:
    """Reads events into `seen` up to the first one that is wanted, and returns it."""
    for line in lines:
        seen.append(json.loads(line))
        if wanted(seen[-1]):
            return seen[-1]
    raise AssertionError(f"the demo ended after {seen}")


def has_status(*statuses: str) -> Callable[[Event], bool]:
    return lambda event: event.get("progress", {}).get("status") in statuses


def test_the_readme_word_for_word(example: Path, gateway: Served, tmp_path: Path) -> None:
    variables = {"ARTIFICER_TARGET": gateway.grpc, "API_PORT": "0", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    printed = []
    with terminal(tmp_path, variables | npm_settings()) as shell:
        shell.run(f"cd {example}")
        address = ""
        for block in README.blocks[1:]:
            if block.how == "background":
                address = shell.serve(block.code).http
            elif block.language == "sh":
                printed.append(shell.run(block.code.replace("127.0.0.1:3000", address)))
    at_once, searched, asked = printed
    assert at_once.count("Invoice number 20261121") == 2  # by a call, and by a job
    assert '"percentage":100' in at_once
    assert '"page":1' in searched
    assert (example / "searchable.pdf").read_bytes().startswith(b"%PDF-")
    assert '"type":"end"' in asked


def test_callers_have_their_own_jobs(served: Api) -> None:
    job = served.job(SCAN)
    assert [one["id"] for one in served.run("jobs")[0]["jobs"]].count(job) == 1
    assert job not in [one["id"] for one in served.run("jobs", token="b")[0]["jobs"]]
    [foreign], [missing] = served.run("get", job, token="b"), served.run("get", "none")
    assert (foreign["code"], foreign["message"]) == ("NOT_FOUND", f"there is no job '{job}'")
    assert (missing["code"], missing["message"]) == ("NOT_FOUND", "there is no job 'none'")
    [unknown] = served.run("get", job, token="c")
    assert (unknown["code"], unknown["httpStatus"]) == ("UNAUTHORIZED", 401)


def test_a_job_is_paused_resumed_and_cancelled(served: Api) -> None:
    job = served.job(*[SCAN] * 20)
    [early] = served.run("pause", job)
    assert (early["code"], early["reason"]) == ("PRECONDITION_FAILED", "ILLEGAL_TRANSITION")
    states = [served.run(command, job)[0]["status"] for command in ("start", "pause", "resume", "cancel")]
    assert states == ["RUNNING", "PAUSED", "RUNNING", "CANCELLED"]
    assert {one["status"] for one in served.run("results", job)[0]["results"]} <= {"COMPLETED", "CANCELLED"}


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("API_TOKENS", "alice:a,bob:a", "two callers of API_TOKENS have the same token"),
        ("API_PORT", "many", "API_PORT"),
        ("API_PORT", "{used}", "EADDRINUSE"),
        ("ARTIFICER_TARGET", "ftp://127.0.0.1", "must begin with https:// or http://"),
        ("ARTIFICER_API_KEY", "secret\n", "ARTIFICER_API_KEY has spaces, line breaks"),
    ],
)
def test_an_environment_that_cannot_be_used_is_told(variable: str, value: str, told: str, example: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used:
        value = value.replace("{used}", str(used.getsockname()[1]))
        env = os.environ | {"API_TOKENS": "alice:a", "API_PORT": "0", variable: value}
        done = subprocess.run(
            ["node", "dist/main.js"],
            cwd=example,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert told in done.stderr
    assert "    at " not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("command", ["create", "add"])
def test_only_documents_and_images_are_stored(command: str, served: Api, tmp_path: Path) -> None:
    text = tmp_path / "renamed.pdf"
    text.write_text("no document")
    [refused] = served.run(command, str(text))
    assert (refused["code"], refused["httpStatus"]) == ("UNSUPPORTED_MEDIA_TYPE", 415)


@pytest.mark.parametrize("command", ["check", "process", "searchable", "add", "create", "run"])
def test_the_demo_names_a_file_that_cannot_be_read(command: str, served: Api, tmp_path: Path) -> None:
    for path, told in (("missing.pdf", "no such file"), (str(tmp_path), "is not a file")):
        [error] = served.run(command, path)
        assert f"'{path}'" in error["message"]
        assert told in error["message"]


def test_the_demo_ends_quietly_when_its_reader_has_left(served: Api) -> None:
    job = served.job(SCAN)
    with served.demo("follow", job) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        read_until(following.stdout, has_status("PENDING"), [])
        following.stdout.close()
        served.run("cancel", job)
        assert (following.wait(PATIENCE), following.stderr.read()) == (0, "")


def test_wrong_fields_are_named_by_the_api_and_by_the_gateway(served: Api, tmp_path: Path) -> None:
    call = httpx2.Client(base_url=f"http://{served.address}/trpc", headers={"authorization": "Bearer a"}, timeout=60)
    with call:
        by_schema = call.post("/jobs.create", json={"name": "", "items": ["/etc/passwd"], "phases": []}).json()["error"]
        phases = [{"name": "one", "taskType": "ocr.extract", "parameters": {"dpi": "many"}}]
        job = {"name": "n", "items": ["blob:" + "0" * 64], "phases": phases}
        by_gateway = call.post("/jobs.create", json=job).json()["error"]
        no_json = call.post("/jobs.create", content=b"{", headers={"content-type": "application/json"})
        too_large = call.post("/documents.check", files={"file": b"x" * (32 * 1024 * 1024)})
    assert [one["field"] for one in by_schema["data"]["fieldViolations"]] == ["name", "items.0", "phases"]
    assert [one["field"] for one in by_gateway["data"]["fieldViolations"]] == ["phases[0].parameters.dpi"]
    assert by_gateway["data"]["requestId"]
    assert no_json.status_code == 400
    assert (too_large.status_code, too_large.json()["error"]["data"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_long_pages_are_refused_at_once(served: Api) -> None:
    long = "1" * 300_000 + "x"  # with a pattern that backtracks this took minutes, and nobody else was served
    headers = {"authorization": "Bearer a"}
    files, data = {"file": SCAN.read_bytes()}, {"pages": long}
    answer = httpx2.post(
        f"http://{served.address}/trpc/documents.check", headers=headers, files=files, data=data, timeout=60
    )
    assert [one["field"] for one in answer.json()["error"]["data"]["fieldViolations"]] == ["pages"]


def test_the_ids_of_progress_do_not_grow_with_names(served: Api) -> None:
    call = httpx2.Client(base_url=f"http://{served.address}/trpc", headers={"authorization": "Bearer a"}, timeout=60)
    with call:
        octets = {"content-type": "application/octet-stream"}
        blob = call.post("/uploads.blob", content=SCAN.read_bytes(), headers=octets).json()["result"]["data"]["input"]
        phases = [{"name": "n" * 100, "taskType": "ocr.extract"}]
        job = call.post("/jobs.create", json={"name": "n", "items": [blob], "phases": phases}).json()["result"]["data"]
        told = call.get("/jobs.progress", params={"input": json.dumps({"jobId": job["id"]})}).text
    ids = re.findall("^id: (.*)$", told, re.MULTILINE)
    assert ids
    assert {len(one) for one in ids} == {43}  # the API accepts ids of up to 128 characters


def test_a_cut_connection_resumes_without_gaps_and_repetitions(served: Api) -> None:
    job, seen = served.job(SCAN, SCAN), list[Event]()
    with relaying(served.address) as relay:
        cut = Api(served.folder, relay.address)
        with cut.demo("follow", job) as following:
            assert following.stdout is not None
            read_until(following.stdout, has_status("PENDING"), seen)
            assert relay.cut()
            read_until(following.stdout, lambda event: event.get("connection") == "pending", seen.copy())
            served.run("start", job)
            read_until(following.stdout, lambda event: "log" in event, seen)
            relay.cut()
            seen += [json.loads(line) for line in following.stdout]
            assert following.wait(PATIENCE) == 0
    assert_followed_once(seen, items=2)


def assert_followed_once(seen: list[Event], items: int) -> None:
    """Every line of the log and every progress arrived once, up to the end of the job."""
    log = [event["log"]["message"] for event in seen if "log" in event]
    assert log[0] == "the job was started"
    assert log[-1] == f"the job is completed: {items} of {items} items"
    assert len([event for event in seen if event.get("log", {}).get("item") is not None]) == items
    progress = [json.dumps(event["progress"]) for event in seen if "progress" in event]
    assert len(progress) == len(set(progress))
    assert json.loads(progress[-1])["percentage"] == 100


def test_a_gateway_that_is_killed_and_comes_back(example: Path, tmp_path: Path) -> None:
    seen = list[Event]()
    with ExitStack() as stack:
        where, process = stack.enter_context(mortal_gateway(tmp_path))
        relay = stack.enter_context(relaying(where.grpc))
        with api(example, where.grpc, ARTIFICER_API_KEY="wrong") as stranger:
            [refused] = stranger.run("jobs")
        # The caller of the API did nothing wrong, and cannot know the key.
        assert (refused["code"], refused["message"]) == ("INTERNAL_SERVER_ERROR", "internal error")
        served = stack.enter_context(api(example, relay.address, ARTIFICER_API_KEY=KEY))
        job = served.job(SCAN, SCAN)
        following = stack.enter_context(served.demo("follow", job))
        assert following.stdout is not None
        read_until(following.stdout, has_status("PENDING"), seen)
        process.kill()
        process.wait(PATIENCE)
        [down] = served.run("get", job)
        assert (down["code"], down["httpStatus"]) == ("SERVICE_UNAVAILABLE", 503)
        assert down["message"] == "the service cannot be reached now; try again later"
        back, _ = stack.enter_context(mortal_gateway(tmp_path))
        relay.target = back.grpc
        served.run("start", job)
        seen += [json.loads(line) for line in following.stdout]
        assert_followed_once(seen, items=2)


def counted(gateway: Served, metric: str, labels: str) -> float:
    """The sum of a counter's values with these labels."""
    page = httpx2.get(f"{gateway.http}/metrics", timeout=60).text
    return sum(map(float, re.findall(rf"^{metric}{{.*{labels}.*}} (.+)$", page, re.MULTILINE)))


def in_flight(gateway: Served, method: str) -> float:
    """The number of calls of a method that run now."""
    return counted(gateway, "diptych_calls_in_flight", f'grpc_method="{method}"')


def test_a_caller_that_leaves_stops_the_model(served: Api, gateway: Served) -> None:
    cancelled = ("grpc_server_handled_total", 'grpc_code="CANCELLED",grpc_method="ChatStream"')
    wait_for(lambda: in_flight(gateway, "ChatStream") == 0)  # another test's may still end
    before = counted(gateway, *cancelled)
    with served.demo("ask", "Tell me a very long story about a king and his three sons.") as asking:
        assert asking.stdout is not None
        read_until(asking.stdout, lambda event: event.get("type") == "text", [])
        asking.kill()
    wait_for(lambda: counted(gateway, *cancelled) == before + 1)


PAGE = """async ([api, scan]) => {
  const client = createApi(`${api}/trpc`, "b");
  const file = new File([Uint8Array.from(atob(scan), (letter) => letter.charCodeAt(0))], "scan.pdf");
  const { input } = await client.uploads.blob.mutate(file);
  const phases = [{ name: "read", taskType: "ocr.extract" }];
  const job = await client.jobs.create.mutate({ name: "from a page", items: [input], phases, start: false });
  await new Promise((resolve, reject) =>
    client.jobs.progress.subscribe({ jobId: job.id }, { onData: ({ data }) => resolve(data), onError: reject }));
  const form = new FormData();
  form.set("file", file);
  const { needsOcr } = await client.documents.check.mutate(form);
  return [needsOcr, (await client.jobs.get.query({ jobId: job.id })).status];
}"""


@pytest.mark.skipif(
    os.environ.get("TESTS_BROWSER") != "required" and find_chromium() is None, reason="there is no Chromium here"
)
async def test_a_page_that_is_closed_ends_its_stream(example: Path, gateway: Served, tmp_path: Path) -> None:
    bundle = tmp_path / "client.js"
    npm.install(PACKAGE)
    npm.run(
        *(PACKAGE / "node_modules" / ".bin" / "esbuild", "dist/client.js", "--bundle", "--format=iife"),
        *("--global-name=client", "--footer:js=globalThis.createApi = client.createApi", f"--outfile={bundle}"),
        folder=example,
    )
    cancelled = ("grpc_server_handled_total", 'grpc_code="CANCELLED",grpc_method="StreamProgress"')
    wait_for(lambda: in_flight(gateway, "StreamProgress") == 0)  # another test's may still end
    before = counted(gateway, *cancelled)
    async with page_server() as server, chromium_in(tmp_path / "profile") as context:
        with api(example, gateway.grpc, API_ORIGINS=server.origin) as running:
            page = await context.new_page()
            await page.goto(server.origin)
            await page.add_script_tag(path=bundle)
            scan = base64.b64encode(SCAN.read_bytes()).decode()
            assert await page.evaluate(PAGE, [f"http://{running.address}", scan]) == [True, "PENDING"]
            await page.close()
            await until(lambda: counted(gateway, *cancelled) == before + 1)


def test_an_answer_that_is_cut_is_not_asked_for_again(served: Api, gateway: Served) -> None:
    started = ("grpc_server_started_total", 'grpc_method="ChatStream"')
    with relaying(served.address) as relay:
        cut = Api(served.folder, relay.address)
        with cut.demo("ask", "Tell me a very long story about a king and his three sons.") as asking:
            assert asking.stdout is not None
            assert asking.stderr is not None
            read_until(asking.stdout, lambda event: event.get("type") == "text", [])
            before = counted(gateway, *started)
            relay.cut()
            _, errors = asking.communicate()
    assert json.loads(errors)["code"] == "PRECONDITION_FAILED"
    assert counted(gateway, *started) == before

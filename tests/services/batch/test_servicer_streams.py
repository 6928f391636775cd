"""The streams of BatchService through real servers: progress, results, logs, uploads and attach."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import grpc
import httpx2
import pytest
from google.api.httpbody_pb2 import HttpBody
from websockets.asyncio.client import connect

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer_services.batch.jobs.job import LogLine
from tests.waiting import PATIENCE

from .gateways import (
    Served,
    Worker,
    broke,
    done,
    facts_of,
    fields_of,
    read,
    refused,
    rest_fields,
    serving,
    until_ended,
)

T = TypeVar("T")
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
async def served(place: dict[str, Any]) -> AsyncIterator[Served]:
    """A service without workers."""
    async with serving(place, max_blob_bytes=3_000_000, max_items=5000) as running:
        yield running


@pytest.fixture
def worker(served: Served) -> Worker:
    """A worker that the test drives."""
    return Worker(served.service.store)


async def take(stream: AsyncIterator[T], count: int) -> list[T]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(stream) for _ in range(count)]


async def whole(stream: Any) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [one async for one in stream]


async def take_until(stream: AsyncIterator[T], good: Callable[[T], bool]) -> list[T]:
    seen: list[T] = []
    async with asyncio.timeout(PATIENCE):
        while not seen or not good(seen[-1]):
            seen.append(await anext(stream))
    return seen


async def events_of(http: httpx2.AsyncClient, path: str, **headers: str) -> AsyncIterator[dict[str, str]]:
    """Server-Sent Events, each as its fields."""
    async with http.stream("GET", path, headers={"accept": "text/event-stream", **headers}) as answer:
        assert answer.status_code == 200
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(":")
            if name:
                event[name] = value.strip()
            elif event:
                yield event
                event = {}


def progress_of(job: pb.Job | str) -> pb.StreamProgressRequest:
    return pb.StreamProgressRequest(job_id=job if isinstance(job, str) else job.id)


# Progress.


async def test_progress_starts_at_once_and_ends_with_the_last_state(served: Served, worker: Worker) -> None:
    phases = [pb.Phase(name=name, task_type="test.trial") for name in ("one", "two")]
    job = await served.make(2, phases=phases)
    stream = aiter(served.stub.StreamProgress(progress_of(job)))
    (first,) = await take(stream, 1)
    assert first == pb.Progress(total_items=2, current_phase="one", status=pb.JOB_STATUS_PENDING)
    await served.stub.StartJob(pb.StartJobRequest(job_id=job.id))
    await take_until(stream, lambda one: one.status == pb.JOB_STATUS_RUNNING)
    (one,) = await worker.take(job.id)
    await worker.put([done(one)])
    (half,) = (await take_until(stream, lambda one: one.progress_percentage > 0))[-1:]
    assert (half.progress_percentage, half.completed_items, half.current_phase) == (25, 0, "one")
    await worker.work(job.id)
    *_, last = await whole(stream)
    assert (last.status, last.completed_items) == (pb.JOB_STATUS_COMPLETED, 2)
    assert (last.progress_percentage, last.current_phase) == (100, "")


async def test_progress_of_an_ended_job_is_one_message(served: Served, worker: Worker) -> None:
    job = await served.started(1)
    await worker.work(job.id, broke)
    (only,) = await whole(served.stub.StreamProgress(progress_of(job)))
    assert (only.status, only.failed_items, only.progress_percentage) == (pb.JOB_STATUS_FAILED, 1, 100)
    lines = (await served.http.get(f"/v1/jobs/{job.id}/progress:stream")).json()
    assert [line["status"] for line in lines] == ["JOB_STATUS_FAILED"]


async def test_browsers_get_progress_as_events(served: Served, worker: Worker) -> None:
    job = await served.started(1)
    events = events_of(served.http, f"/v1/jobs/{job.id}/progress:stream")
    (first,) = await take(events, 1)
    assert json.loads(first["data"])["status"] == "JOB_STATUS_RUNNING"
    await worker.work(job.id)
    rest = await whole(events)
    assert rest[-1]["event"] == "end"
    assert json.loads(rest[-2]["data"])["status"] == "JOB_STATUS_COMPLETED"


async def test_progress_is_served_by_a_gateway_without_workers(place: dict[str, Any]) -> None:
    async with serving(place) as one, serving(place) as other:
        job = await one.make(1)
        stream = aiter(other.stub.StreamProgress(progress_of(job)))
        await take(stream, 1)
        await one.stub.StartJob(pb.StartJobRequest(job_id=job.id))
        await Worker(one.service.store).work(job.id)
        *_, last = await whole(stream)
        assert last.status == pb.JOB_STATUS_COMPLETED


async def test_a_hundred_watchers_all_see_the_end(served: Served, worker: Worker) -> None:
    jobs = [await served.started(1) for _ in range(4)]
    calls = [served.stub.StreamProgress(progress_of(job)) for job in jobs for _ in range(25)]
    reading = [asyncio.create_task(whole(call)) for call in calls]
    for job in jobs:
        await worker.work(job.id)
    assert {(await one)[-1].status for one in reading} == {pb.JOB_STATUS_COMPLETED}


# Results.


def indexes(results: Sequence[pb.Result]) -> list[int]:
    return [result.item_index for result in results]


async def test_existing_results_arrive_in_order(served: Served, worker: Worker) -> None:
    job = await served.started(7)
    for one in reversed(await worker.take(job.id, 5)):
        await worker.put([broke(one) if one.index == 2 else done(one)])
    request = pb.StreamResultsRequest(job_id=job.id)
    assert indexes(await whole(served.stub.StreamResults(request))) == [0, 1, 2, 3, 4]
    lines = (await served.http.get(f"/v1/jobs/{job.id}/results:stream?status=ITEM_STATUS_FAILED")).json()
    assert [(line["itemIndex"], line["error"]) for line in lines] == [("2", "it cannot be done")]


@pytest.mark.parametrize("frequency", [1, 7])
async def test_followed_results_arrive_exactly_once(served: Served, frequency: int) -> None:
    job = await served.started(400)
    store = served.service.store
    early = Worker(store, "early")
    await early.put([done(one) for one in await early.take(job.id, 50)])
    following = asyncio.create_task(
        whole(served.stub.StreamResults(pb.StreamResultsRequest(job_id=job.id, follow=True)))
    )

    async def work(name: str) -> None:
        worker = Worker(store, name)
        while claimed := await worker.take(job.id, frequency):
            await worker.put([broke(one) if one.index % 10 == 3 else done(one) for one in claimed])
        await worker.leave()

    await early.leave()
    await asyncio.gather(*(work(f"worker {number}") for number in range(3)))
    found = await following
    assert sorted(indexes(found)) == list(range(400))
    states = {one.item_index: one.status for one in found}
    assert states[103] == pb.ITEM_STATUS_FAILED
    assert states[104] == pb.ITEM_STATUS_COMPLETED


async def test_followed_results_end_with_the_cancelled_ones(served: Served, worker: Worker) -> None:
    job = await served.started(4)
    stream = aiter(served.stub.StreamResults(pb.StreamResultsRequest(job_id=job.id, follow=True)))
    (one,) = await worker.take(job.id)
    await worker.put([done(one)])
    (first,) = await take(stream, 1)
    await served.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))
    rest = await whole(stream)
    assert first.status == pb.ITEM_STATUS_COMPLETED
    assert {result.status for result in rest} == {pb.ITEM_STATUS_CANCELLED}
    assert sorted(indexes([first, *rest])) == [0, 1, 2, 3]


async def test_only_states_of_finished_items_can_be_streamed(served: Served) -> None:
    job = await served.make()
    request = pb.StreamResultsRequest(job_id=job.id, status=[pb.ITEM_STATUS_FAILED, pb.ITEM_STATUS_RUNNING])
    code, status = await refused(whole(served.stub.StreamResults(request)))
    assert (code, fields_of(status)) == (INVALID, ["status[1]"])


# Logs.


def line(message: str, item: int | None = None) -> LogLine:
    return LogLine(level=logging.WARNING, message=message, time=1_700_000_000_000_000, item=item, worker="by hand")


async def test_logs_are_history_then_live_until_the_job_ends(served: Served, worker: Worker) -> None:
    job = await served.make(2)
    await served.stub.StartJob(pb.StartJobRequest(job_id=job.id))
    (one,) = await worker.take(job.id)
    await worker.put([done(one)], line("first", 0))
    call = served.stub.StreamLogs(pb.StreamLogsRequest(job_id=job.id))
    stream = aiter(call)
    seen = await take_until(stream, lambda entry: entry.message == "first")
    assert "started" in seen[0].message
    assert (seen[-1].level, seen[-1].item_index, seen[-1].worker) == (pb.LOG_LEVEL_WARNING, 0, "by hand")
    assert dict(await call.initial_metadata())["x-sse-id-field"] == "id"
    (two,) = await worker.take(job.id)
    await worker.put([done(two)], line("second", 1))
    seen += await take_until(stream, lambda entry: entry.message == "second")
    await worker.leave()
    seen += await whole(stream)
    ids = [entry.id for entry in seen]
    assert ids == sorted(set(ids))
    without = pb.StreamLogsRequest(job_id=job.id, follow=False)
    assert await whole(served.stub.StreamLogs(without)) == seen
    of_item = pb.StreamLogsRequest(job_id=job.id, item_index=1)
    assert [entry.message for entry in await whole(served.stub.StreamLogs(of_item))] == ["second"]


async def test_many_lines_arrive_complete(served: Served, worker: Worker) -> None:
    job = await served.started(1)
    (one,) = await worker.take(job.id)
    await worker.put([done(one)], *(line(str(number)) for number in range(1000)))
    request = pb.StreamLogsRequest(job_id=job.id, follow=False)
    found = [entry.message for entry in await whole(served.stub.StreamLogs(request))]
    assert [text for text in found if text.isdigit()] == [str(number) for number in range(1000)]


async def test_a_browser_resumes_the_log_at_its_last_event(served: Served, worker: Worker) -> None:
    job = await served.started(1)
    (one,) = await worker.take(job.id)
    await worker.put([done(one)], line("a"), line("b"), line("c"))
    await worker.leave()
    path = f"/v1/jobs/{job.id}/logs:stream"
    events = await whole(events_of(served.http, path))
    ids = [event["id"] for event in events if "data" in event and event.get("event") != "end"]
    last = {json.loads(event["data"])["message"]: event["id"] for event in events if "id" in event}["b"]
    again = await whole(events_of(served.http, f"{path}?after={ids[0]}", **{"last-event-id": last}))
    assert next(json.loads(event["data"])["message"] for event in again if "id" in event) == "c"
    by_after = (await served.http.get(f"{path}?after={last}")).json()
    assert by_after[0]["message"] == "c"


@pytest.mark.parametrize("fields", [{"after": "7"}, {"after": "x" * 16}, {"item_index": -1}])
async def test_an_invalid_log_request_names_its_field(served: Served, fields: dict[str, Any]) -> None:
    job = await served.make()
    code, status = await refused(whole(served.stub.StreamLogs(pb.StreamLogsRequest(job_id=job.id, **fields))))
    assert (code, fields_of(status)) == (INVALID, list(fields))


# Uploading.


def uploads(job_id: str, count: int, *, of: int = 1, first: int | None = None) -> list[pb.UploadItemsRequest]:
    made = []
    for start in range(0, count, of):
        items = [pb.Item(input=f"item {start + number}") for number in range(of)]
        made.append(pb.UploadItemsRequest(job_id=job_id if not start else "", items=items))
        if first is not None:
            made[-1].first_index = first + start
    return made


@pytest.mark.parametrize("of", [1, 3, 1500])
async def test_items_are_stored_in_order(served: Served, of: int) -> None:
    job = await served.make(2)
    answer = await served.stub.UploadItems(iter(uploads(job.id, 3000, of=of)))
    assert (answer.stored_count, answer.duplicate_count, answer.job.total_items) == (3000, 0, 3002)
    page = await served.stub.GetResults(pb.GetResultsRequest(job_id=job.id, page_size=1000))
    assert [one.input for one in page.results][:4] == ["item 0", "item 1", "item 0", "item 1"]


async def test_items_are_uploaded_as_lines(served: Served) -> None:
    job = await served.make(0)
    body = "".join(json.dumps({"items": [{"input": f"äpfel {number}"}]}) + "\n" for number in range(50))
    answer = await served.http.post(f"/v1/jobs/{job.id}/items:upload", content=body, headers=NDJSON)
    assert read(answer, pb.UploadItemsResponse).job.total_items == 50


async def test_a_stream_of_items_may_be_sent_again(served: Served) -> None:
    job = await served.make(0)
    await served.stub.UploadItems(iter(uploads(job.id, 1200, of=10, first=0)))
    answer = await served.stub.UploadItems(iter(uploads(job.id, 1250, of=10, first=0)))
    assert (answer.stored_count, answer.duplicate_count, answer.job.total_items) == (50, 1200, 1250)
    code, status = await refused(served.stub.UploadItems(iter(uploads(job.id, 1, first=1300))))
    assert (code, fields_of(status)) == (INVALID, ["first_index"])


async def test_items_of_both_kinds_may_be_mixed(served: Served) -> None:
    job = await served.make(0)
    mixed = [
        *uploads(job.id, 3, of=3, first=0),
        *uploads("", 2),
        *uploads("", 4, of=4, first=3),  # two of them exist already
        *uploads("", 1),
    ]
    answer = await served.stub.UploadItems(iter(mixed))
    assert (answer.stored_count, answer.duplicate_count) == (8, 2)
    page = await served.stub.GetResults(pb.GetResultsRequest(job_id=job.id))
    assert [one.input[-1] for one in page.results] == ["0", "1", "2", "0", "1", "2", "3", "0"]


async def test_the_first_refused_item_is_reported_and_earlier_ones_are_stored(served: Served) -> None:
    job = await served.make(0)
    bad = [*uploads(job.id, 5), pb.UploadItemsRequest(items=[pb.Item(input="a"), pb.Item()])]
    code, status = await refused(served.stub.UploadItems(iter(bad)))
    assert (code, fields_of(status)) == (INVALID, ["items[1].input"])
    facts = facts_of(status)
    assert (facts["position"], facts["stored"]) == ("6", "5")
    assert (await served.stub.GetJob(pb.GetJobRequest(job_id=job.id))).total_items == 5


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "job_id"),
        ([pb.UploadItemsRequest()], "job_id"),
        ([pb.UploadItemsRequest(first_index=-1)], "first_index"),
        ([pb.UploadItemsRequest(), pb.UploadItemsRequest(job_id="another")], "job_id"),
    ],
)
async def test_an_invalid_upload_names_its_field(
    served: Served, requests: list[pb.UploadItemsRequest], field: str
) -> None:
    job = await served.make(0)
    if requests and (len(requests) > 1 or requests[0].HasField("first_index")):
        requests[0].job_id = job.id
    code, status = await refused(served.stub.UploadItems(iter(requests)))
    assert (code, fields_of(status)) == (INVALID, [field])


async def test_no_job_has_more_items_than_are_allowed(served: Served) -> None:
    job = await served.make(0)
    code, status = await refused(served.stub.UploadItems(iter(uploads(job.id, 6000, of=500))))
    assert (code, facts_of(status)["reason"]) == (INVALID, "TOO_LARGE")
    assert (await served.stub.GetJob(pb.GetJobRequest(job_id=job.id))).total_items <= 5000


@pytest.mark.parametrize("size", [1, 400_000, 2_500_000])
async def test_a_blob_is_stored_once(served: Served, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    pieces = [data[start : start + 100_000] for start in range(0, size, 100_000)]
    kind = "application/pdf"
    requests = [pb.UploadBlobRequest(content=HttpBody(data=piece, content_type=kind)) for piece in pieces]
    blob = await served.stub.UploadBlob(iter(requests))
    assert (blob.id, blob.size, blob.content_type) == (hashlib.sha256(data).hexdigest(), size, "application/pdf")
    answer = await served.http.post("/v1/blobs", content=data, headers={"content-type": "application/pdf"})
    assert read(answer, pb.Blob) == blob
    _, stored = served.service.store.blob(blob.id)
    assert b"".join(stored) == data


async def test_an_invalid_blob_is_refused(served: Served) -> None:
    answer = await served.http.post("/v1/blobs", content=b"x" * 3_000_001)
    assert (answer.status_code, "3000000" in answer.text) == (400, True)
    answer = await served.http.post("/v1/blobs", content=b"x", headers={"content-type": "nonsense"})
    assert (answer.status_code, rest_fields(answer)) == (400, ["content.content_type"])
    code, status = await refused(served.stub.UploadBlob(iter([])))
    assert (code, fields_of(status)) == (INVALID, ["content"])


# Attach.


async def test_commands_and_progress_and_logs_in_one_conversation(served: Served, worker: Worker) -> None:
    job = await served.make(1)
    call = served.stub.Attach()
    await call.write(pb.AttachRequest(job_id=job.id, command=pb.COMMAND_START, include_logs=True))
    stream = aiter(call)
    (first,) = await take(stream, 1)
    assert first.progress.status == pb.JOB_STATUS_PENDING
    await take_until(stream, lambda event: event.done.job.status == pb.JOB_STATUS_RUNNING)
    (one,) = await worker.take(job.id)
    await worker.put([done(one)], line("hello"))
    await take_until(stream, lambda event: event.log.message == "hello")
    await call.write(pb.AttachRequest(command=pb.COMMAND_START))
    repeated = await take_until(stream, lambda event: event.HasField("done"))
    assert repeated[-1].done.command == pb.COMMAND_START
    await worker.leave()
    *_, last = await whole(stream)
    assert last.progress.status == pb.JOB_STATUS_COMPLETED


async def test_a_command_that_is_refused_ends_no_conversation(served: Served) -> None:
    job = await served.make(1)
    call = served.stub.Attach()
    stream = aiter(call)
    refusals = []
    for request in (
        pb.AttachRequest(job_id=job.id, command=pb.COMMAND_PAUSE),
        pb.AttachRequest(job_id="another"),
        pb.AttachRequest(include_logs=True),
        pb.AttachRequest(command=9),  # type: ignore[arg-type]
    ):
        await call.write(request)
        (event,) = (await take_until(stream, lambda event: event.HasField("refusal")))[-1:]
        refusals.append(event.refusal)
    assert [one.command for one in refusals] == [pb.COMMAND_PAUSE, 0, 0, 9]
    for refusal, text in zip(refusals, ("start, cancel", job.id, "include_logs", "pause"), strict=True):
        assert text in refusal.reason
    await call.write(pb.AttachRequest(command=pb.COMMAND_CANCEL))
    rest = await whole(stream)
    assert [event.done.command for event in rest if event.HasField("done")] == [pb.COMMAND_CANCEL]
    assert rest[-1].progress.status == pb.JOB_STATUS_CANCELLED or rest[-1].HasField("done")


async def test_after_half_closing_a_caller_gets_the_results_of_its_commands(served: Served) -> None:
    job = await served.make(1)
    requests = [
        pb.AttachRequest(job_id=job.id, command=pb.COMMAND_START),
        pb.AttachRequest(command=pb.COMMAND_PAUSE),
        pb.AttachRequest(command=pb.COMMAND_RESUME),
    ]
    events = await whole(served.stub.Attach(iter(requests)))
    assert [event.done.command for event in events if event.HasField("done")] == [1, 2, 3]
    assert (await served.stub.GetJob(pb.GetJobRequest(job_id=job.id))).status == pb.JOB_STATUS_RUNNING


async def test_attaching_to_an_ended_job_reports_its_state_and_ends(served: Served, worker: Worker) -> None:
    job = await served.started(1)
    await worker.work(job.id)
    call = served.stub.Attach()
    await call.write(pb.AttachRequest(job_id=job.id, command=pb.COMMAND_CANCEL))
    progress, refusal = await whole(aiter(call))
    assert progress.progress.status == pb.JOB_STATUS_COMPLETED
    assert "the state is final" in refusal.refusal.reason


async def test_attaching_to_a_missing_job_is_refused(served: Served) -> None:
    for request, code in (
        (pb.AttachRequest(), INVALID),
        (pb.AttachRequest(job_id="f" * 32), grpc.StatusCode.NOT_FOUND),
    ):
        call = served.stub.Attach()
        await call.write(request)
        assert (await refused(whole(aiter(call))))[0] is code
    assert (await refused(whole(served.stub.Attach(iter([])))))[0] is INVALID


async def test_a_page_attaches_to_a_job_over_a_websocket(served: Served) -> None:
    job = await served.make(1)
    address = f"ws://127.0.0.1:{served.gateway.http_port}/v1/jobs/{job.id}:attach"
    async with connect(address) as socket, asyncio.timeout(PATIENCE):
        await socket.send(json.dumps({"command": "COMMAND_START"}))
        await socket.send(json.dumps({"command": "COMMAND_CANCEL"}))
        events = [json.loads(frame) async for frame in socket]
    assert [event["done"]["command"] for event in events if "done" in event] == ["COMMAND_START", "COMMAND_CANCEL"]
    assert (await until_ended(served, job.id)).status == pb.JOB_STATUS_CANCELLED


# Leaks.


async def test_callers_that_leave_leave_no_state_behind(served: Served) -> None:
    job = await served.started(1)
    call = served.stub.Attach()
    await call.write(pb.AttachRequest(job_id=job.id, include_logs=True))
    calls: list[Any] = [
        call,
        served.stub.StreamProgress(progress_of(job)),
        served.stub.StreamLogs(pb.StreamLogsRequest(job_id=job.id)),
    ]
    for one in calls:
        await take(aiter(one), 1)
    for one in calls:
        one.cancel()
    ours = {task for task in asyncio.all_tasks() if task.get_name().startswith(("batch-attach", "batch-watch"))}
    assert ours
    _, left = await asyncio.wait(ours, timeout=PATIENCE)
    assert not left

"""Requests that used to be accepted and failed later, or silently: refused at once, with the field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer_services.kit.names import character_faults

from .gateways import Served, Worker, asked, facts_of, fields_of, refused, serving, until_ended

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BLOB = "blob:" + "0" * 64


@pytest.fixture
async def served(place: dict[str, Any]) -> AsyncIterator[Served]:
    """A service without workers."""
    async with serving(place) as running:
        yield running


@pytest.mark.parametrize("task_type", ["text.normalize", "text.template", "ocr.extract", "image.preprocess"])
async def test_a_model_of_a_task_type_without_models_is_refused(served: Served, task_type: str) -> None:
    phases = [pb.Phase(name="one", task_type=task_type, model="large")]
    code, status = await refused(served.stub.CreateJob(asked(0, phases=phases)))
    assert code is INVALID
    assert "phases[0].model" in fields_of(status)


OCR = [pb.Phase(name="read", task_type="ocr.extract")]


async def test_an_unknown_blob_is_refused_before_there_is_a_job(served: Served) -> None:
    (known,) = [await served.stub.UploadBlob(iter([pb.UploadBlobRequest()]))]
    items = [pb.Item(input=f"blob:{known.id}"), pb.Item(input=BLOB)]
    code, status = await refused(served.stub.CreateJob(asked(phases=OCR, items=items)))
    assert (code, fields_of(status)) == (INVALID, ["items[1].input"])
    assert not (await served.stub.ListJobs(pb.ListJobsRequest())).jobs
    job = await served.stub.CreateJob(asked(phases=OCR, items=items[:1]))
    uploads = [pb.UploadItemsRequest(job_id=job.id, items=[one]) for one in (items[0], items[1], items[0])]
    code, status = await refused(served.stub.UploadItems(iter(uploads)))
    assert (code, fields_of(status)) == (INVALID, ["items[0].input"])
    assert (facts_of(status)["position"], facts_of(status)["stored"]) == ("2", "1")


async def test_an_input_of_text_that_looks_like_a_blob_is_text(served: Served) -> None:
    phases = [pb.Phase(name="tidy", task_type="text.normalize")]
    job = await served.stub.CreateJob(asked(phases=phases, items=[pb.Item(input=BLOB)]))
    assert job.total_items == 1


BAD = {
    "a line break": "a\nb",
    "a bell": "a\x07",
    "C1": "a\x85",
    "an override": "a\u202eb",
    "an isolate": "\u2067a",
    "a mark": "a\u200f",
    "a line separator": "a\u2028b",
    "nothing": "a\u200bb",
    "a byte order mark": "\ufeffa",
    "a hidden text": "a\U000e0062",
    "a filler of Hangul": "\u3164",
    "a leading filler": "\u115f",
    "a halfwidth filler": "\uffa0",
}


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
async def test_names_cannot_forge_what_shows_them(served: Served, name: str) -> None:
    phases = [pb.Phase(name=name, task_type="test.trial")]
    items = [pb.Item(input="x", metadata={name: "1"})]
    request = asked(name=name, project_id=name, request_id=name, phases=phases, items=items)
    code, status = await refused(served.stub.CreateJob(request))
    assert code is INVALID
    assert fields_of(status) == ["name", "project_id", "request_id", "phases[0].name", "items[0].metadata"]


@pytest.mark.parametrize(
    "name",
    ["März", "سلام می\u200cخواهم", "👩\u200d🔬", "שלום", "日本", "葛\U000e0100城", "❤\ufe0f", "한글", "a b-c_d.e"],
)
def test_names_of_all_languages_are_good(name: str) -> None:
    assert list(character_faults("name", name)) == []


async def test_the_log_of_an_item_that_the_job_does_not_have_is_refused(served: Served) -> None:
    job = await served.make(3)

    async def read(item: int) -> list[pb.LogEntry]:
        request = pb.StreamLogsRequest(job_id=job.id, item_index=item, follow=False)
        return [entry async for entry in served.stub.StreamLogs(request)]

    assert await read(2) == []
    code, _ = await refused(read(3))
    assert code is grpc.StatusCode.OUT_OF_RANGE
    code, _ = await refused(read(-1))
    assert code is INVALID
    answer = await served.http.get(f"/v1/jobs/{job.id}/logs:stream", params={"itemIndex": "3"})
    assert (answer.status_code, "it has 3 items" in answer.text) == (400, True)


async def test_an_unknown_verb_is_called_one(served: Served) -> None:
    job = await served.make(3)
    answer = await served.http.post(f"/v1/jobs/{job.id}:explode")
    message = answer.json()["error"]["message"]
    assert answer.status_code == 405
    assert message.startswith("unknown verb ':explode'")
    assert message.endswith("expected :attach, :cancel, :pause, :resume, :start")
    answer = await served.http.post(f"/v1/jobs/{job.id}/items:explode")
    assert (answer.status_code, answer.json()["error"]["message"].endswith("expected :upload")) == (404, True)


@pytest.mark.parametrize("end", ["completed", "cancelled"])
async def test_the_log_says_how_the_job_ended(served: Served, end: str) -> None:
    job = await served.started(2)
    if end == "completed":
        await Worker(served.service.store).work(job.id)
    else:
        await served.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))
    await until_ended(served, job.id)
    lines = [entry.message async for entry in served.stub.StreamLogs(pb.StreamLogsRequest(job_id=job.id))]
    told = {"completed": "the job is completed: 2 of 2 items", "cancelled": "the job was cancelled"}
    assert lines == ["the job was started", told[end]]

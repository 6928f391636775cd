"""BatchService through both faces, over SQLite and PostgreSQL: responses and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2

from artificer.batch.v1 import batch_service_pb2 as pb

from .gateways import (
    Served,
    Worker,
    asked,
    broke,
    done,
    facts_of,
    fields_of,
    read,
    refused,
    rest_fields,
    serving,
    unpacked,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
ONE = pb.Phase(name="one", task_type="test.trial")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a root for paths, a file outside of it, and two links that lead out."""
    made = tmp_path_factory.mktemp("strict")
    root = made / "root"
    root.mkdir()
    (made / "secret.txt").write_text("secret")
    (root / "link").symlink_to(made)
    (root / "link.txt").symlink_to(made / "secret.txt")
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(folder: Path) -> AsyncIterator[Served]:
    """A service over SQLite, shared by tests whose requests are refused."""
    async with serving({"data_dir": str(folder)}, tasks={"root": str(folder / "root")}) as running:
        yield running
        # Refused requests store nothing; jobs for refused items have no items.
        jobs = (await running.stub.ListJobs(pb.ListJobsRequest(page_size=1000))).jobs
        assert not [job for job in jobs if job.total_items]


refusing = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
async def served(place: dict[str, Any]) -> AsyncIterator[Served]:
    """A service without workers."""
    async with serving(place) as running:
        yield running


# Creating and finding jobs.


async def test_a_job_is_returned_as_created(served: Served) -> None:
    phases = [
        pb.Phase(name="read", task_type="test.trial", parameters={"log": "1"}),
        pb.Phase(
            name="judge", task_type="test.trial", model="m", validation=pb.Validation(enabled=True, min_score=0.5)
        ),
    ]
    options = pb.JobOptions(concurrency=3, checkpoint_frequency=20)
    made = await served.make(2, name="näme", project_id="p", phases=phases, options=options)
    assert (made.name, made.project_id, made.status) == ("näme", "p", pb.JOB_STATUS_PENDING)
    assert (made.total_items, made.completed_items, made.current_phase) == (2, 0, "read")
    assert (list(made.phases), made.options) == (phases, options)
    assert made.HasField("create_time")
    assert not made.HasField("start_time")
    assert await served.stub.GetJob(pb.GetJobRequest(job_id=made.id)) == made
    assert read(await served.http.get(f"/v1/jobs/{made.id}"), pb.Job) == made


async def test_rest_creates_the_same_job(served: Served) -> None:
    body = {
        "name": "a job",
        "items": [{"input": "a", "metadata": {"k": "v"}}],
        "phases": [{"name": "one", "taskType": "test.trial"}],
        "options": {"autoStart": True},
    }
    made = read(await served.http.post("/v1/jobs", json=body), pb.Job)
    assert (made.status, made.total_items) == (pb.JOB_STATUS_RUNNING, 1)
    assert made.options.concurrency >= 1
    assert made.options.checkpoint_frequency == 1
    assert made.HasField("start_time")
    (result,) = (await served.stub.GetResults(pb.GetResultsRequest(job_id=made.id))).results
    assert (result.input, dict(result.metadata)) == ("a", {"k": "v"})


@pytest.mark.parametrize("face", ["grpc", "rest"])
async def test_a_repeated_request_creates_one_job(served: Served, face: str) -> None:
    made = [await served.make(request_id="r1", project_id="p") for _ in range(2)]
    assert made[0].id == made[1].id
    if face == "grpc":
        code, status = await refused(served.make(4, request_id="r1", project_id="p"))
        assert (code, facts_of(status)) == (
            grpc.StatusCode.ALREADY_EXISTS,
            {"reason": "REQUEST_ID_IN_USE", "job_id": made[0].id},
        )
    else:
        body = {"name": "x", "requestId": "r1", "projectId": "p", "phases": [{"name": "a", "taskType": "test.trial"}]}
        answer = await served.http.post("/v1/jobs", json=body)
        assert (answer.status_code, answer.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert (await served.make(request_id="r1", project_id="other")).id != made[0].id
    assert (await served.make(project_id="p")).id != (await served.make(project_id="p")).id


async def test_an_idempotency_key_replaces_the_request_id(served: Served) -> None:
    body = {
        "name": "a job",
        "items": [{"input": f"item {number}"} for number in range(3)],
        "phases": [{"name": "one", "taskType": "test.trial"}],
    }
    answers = [await served.http.post("/v1/jobs", json=body, headers={"idempotency-key": "k"}) for _ in range(2)]
    first, second = (read(answer, pb.Job) for answer in answers)
    by_grpc = await served.stub.CreateJob(asked(), metadata=(("idempotency-key", "k"),))
    by_field = await served.make(request_id="k")
    assert first.id == second.id == by_grpc.id == by_field.id
    answer = await served.http.post("/v1/jobs", json={**body, "name": "other"}, headers={"idempotency-key": "k"})
    assert answer.status_code == 409


async def test_jobs_are_listed_newest_first_page_by_page(served: Served) -> None:
    ids = [(await served.make(1, project_id="p" if number % 2 else "q")).id for number in range(7)]
    seen: list[str] = []
    token, pages = "", 0
    while not pages or token:
        answer = await served.http.get("/v1/jobs", params={"page_size": 3, "page_token": token})
        page = read(answer, pb.ListJobsResponse)
        seen += [job.id for job in page.jobs]
        token, pages = page.next_page_token, pages + 1
    assert (seen, pages) == (ids[::-1], 3)
    of_project = await served.stub.ListJobs(pb.ListJobsRequest(project_id="p"))
    assert [job.id for job in of_project.jobs] == ids[::-1][1::2]


async def test_jobs_are_listed_by_state(served: Served) -> None:
    pending = await served.make(1)
    running = await served.started(1)
    cancelled = await served.stub.CancelJob(pb.CancelJobRequest(job_id=(await served.make(1)).id))
    answer = await served.http.get("/v1/jobs?status=JOB_STATUS_CANCELLED&status=JOB_STATUS_RUNNING")
    assert [job.id for job in read(answer, pb.ListJobsResponse).jobs] == [cancelled.id, running.id]
    page = await served.stub.ListJobs(pb.ListJobsRequest(status=[pb.JOB_STATUS_PENDING]))
    assert [job.id for job in page.jobs] == [pending.id]


@refusing
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListJobsRequest(page_size=-1), "page_size"),
        (pb.ListJobsRequest(page_token="x"), "page_token"),
        (pb.ListJobsRequest(page_token="é"), "page_token"),
        (pb.ListJobsRequest(status=[pb.JOB_STATUS_RUNNING, pb.JOB_STATUS_UNSPECIFIED]), "status[1]"),
        (pb.ListJobsRequest(status=[77]), "status[0]"),  # type: ignore[list-item]
        (pb.ListJobsRequest(project_id="a\0b"), "project_id"),
    ],
)
async def test_an_invalid_list_request_names_its_field(
    strict: Served, request_: pb.ListJobsRequest, field: str
) -> None:
    code, status = await refused(strict.stub.ListJobs(request_))
    assert (code, fields_of(status)) == (INVALID, [field])


async def test_a_page_token_of_another_list_is_refused(served: Served) -> None:
    jobs = [await served.make(3) for _ in range(2)]
    list_token = (await served.stub.ListJobs(pb.ListJobsRequest(page_size=1))).next_page_token
    _, status = await refused(served.stub.ListJobs(pb.ListJobsRequest(page_token=list_token, project_id="p")))
    assert fields_of(status) == ["page_token"]
    page = await served.stub.GetResults(pb.GetResultsRequest(job_id=jobs[0].id, page_size=1))
    for token in (page.next_page_token, list_token):
        _, status = await refused(served.stub.GetResults(pb.GetResultsRequest(job_id=jobs[1].id, page_token=token)))
        assert fields_of(status) == ["page_token"]


@refusing
@pytest.mark.parametrize("job_id", ["00000000000000000000000000000000", "no%20such", "a%00b"])
async def test_what_is_not_there_is_not_found(strict: Served, job_id: str) -> None:
    for path in ("", "/results", "/progress:stream", "/logs:stream", "/results:stream"):
        answer = await strict.http.get(f"/v1/jobs/{job_id}{path}")
        assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND"), path
    for verb in ("start", "pause", "resume", "cancel"):
        assert (await strict.http.post(f"/v1/jobs/{job_id}:{verb}")).status_code == 404


@refusing
async def test_a_call_without_a_job_id_is_invalid(strict: Served) -> None:
    code, status = await refused(strict.stub.GetJob(pb.GetJobRequest()))
    assert (code, fields_of(status)) == (INVALID, ["job_id"])


@refusing
async def test_task_types_have_descriptions(strict: Served) -> None:
    answer = read(await strict.http.get("/v1/taskTypes"), pb.ListTaskTypesResponse)
    found = {one.name: one for one in answer.task_types}
    assert {"test.trial", "ocr.extract", "text.normalize"} <= found.keys()
    assert list(found) == sorted(found)
    assert found["test.trial"].scored
    assert all(one.description for one in found.values())


# Invalid requests.

BAD = {
    "no phases": ({"phases": []}, ["phases"]),
    "no name": ({"name": " "}, ["name"]),
    "a name of two lines": ({"name": "a\nb"}, ["name"]),
    "a long name": ({"name": "n" * 257}, ["name"]),
    "a long request id": ({"request_id": "n" * 257}, ["request_id"]),
    "an unknown task type": ({"phases": [ONE, pb.Phase(name="b", task_type="ocr.guess")]}, ["phases[1].task_type"]),
    "a phase without a name": ({"phases": [pb.Phase(task_type="test.trial")]}, ["phases[0].name"]),
    "two phases of one name": ({"phases": [ONE, ONE]}, ["phases[1].name"]),
    "many phases": ({"phases": [pb.Phase(name=str(n), task_type="test.trial") for n in range(33)]}, ["phases"]),
    "what the task type refuses": (
        {"phases": [pb.Phase(name="a", task_type="test.trial", parameters={"do": "nonsense"})]},
        ["phases[0].parameters.do"],
    ),
    "a score above one": (
        {"phases": [pb.Phase(name="a", task_type="test.trial", validation=pb.Validation(enabled=True, min_score=1.1))]},
        ["phases[0].validation.min_score"],
    ),
    "a score that is no number": (
        {
            "phases": [
                pb.Phase(
                    name="a", task_type="test.trial", validation=pb.Validation(enabled=True, min_score=float("nan"))
                )
            ]
        },
        ["phases[0].validation.min_score"],
    ),
    "a score of what has none": (
        {
            "phases": [
                pb.Phase(
                    name="a",
                    task_type="text.template",
                    parameters={"template": "x"},
                    validation=pb.Validation(enabled=True),
                )
            ]
        },
        ["phases[0].validation"],
    ),
    "a start without items": ({"items": [], "options": pb.JobOptions(auto_start=True)}, ["options.auto_start"]),
    "a negative concurrency": ({"options": pb.JobOptions(concurrency=-1)}, ["options.concurrency"]),
    "a vast concurrency": ({"options": pb.JobOptions(concurrency=257)}, ["options.concurrency"]),
    "a vast checkpoint": ({"options": pb.JobOptions(checkpoint_frequency=1001)}, ["options.checkpoint_frequency"]),
    "an empty input": ({"items": [pb.Item(input="a"), pb.Item()]}, ["items[1].input"]),
    "an input with NUL": ({"items": [pb.Item(input="a\0")]}, ["items[0].input"]),
    "a vast input": ({"items": [pb.Item(input="é" * (4 * 2**20 + 1))]}, ["items[0].input"]),
    "much metadata": (
        {"items": [pb.Item(input="a", metadata={str(n): "v" * 700 for n in range(100)})]},
        ["items[0].metadata"],
    ),
    "a metadata key of two lines": ({"items": [pb.Item(input="a", metadata={"a\nb": ""})]}, ["items[0].metadata"]),
    "metadata with NUL": ({"items": [pb.Item(input="a", metadata={"k": "\0"})]}, ["items[0].metadata"]),
    "many parameters": (
        {"phases": [pb.Phase(name="a", task_type="test.trial", parameters={"output": "v" * 2**18})]},
        ["phases[0].parameters"],
    ),
    "two million items": ({"items": [pb.Item(input="i")] * 2_000_000}, ["items"]),
    "everything at once": (
        {"name": "", "phases": [pb.Phase(task_type="none")], "items": [pb.Item()]},
        ["name", "phases[0].name", "phases[0].task_type", "items[0].input"],
    ),
}


@refusing
@pytest.mark.parametrize(("fields", "faults"), BAD.values(), ids=BAD)
async def test_an_invalid_job_names_every_field(strict: Served, fields: dict[str, Any], faults: list[str]) -> None:
    code, status = await refused(strict.make(1, **fields))
    assert (code, fields_of(status)) == (INVALID, faults)


@refusing
@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.txt", "a/../../secret.txt", "link/secret.txt", "link.txt"])
async def test_a_path_outside_the_root_is_refused(strict: Served, path: str) -> None:
    phases = [{"name": "read", "taskType": "ocr.extract"}]
    body = {"name": "a job", "phases": phases, "items": [{"input": "inside.pdf"}, {"input": path}]}
    answer = await strict.http.post("/v1/jobs", json=body)
    assert (answer.status_code, rest_fields(answer)) == (400, ["items[1].input"])
    assert "secret" not in answer.text.replace(path, "")
    job = await strict.make(0, phases=[pb.Phase(name="read", task_type="ocr.extract")])
    upload = pb.UploadItemsRequest(job_id=job.id, items=[pb.Item(input=path)])
    code, status = await refused(strict.stub.UploadItems(iter([upload])))
    assert (code, fields_of(status)) == (INVALID, ["items[0].input"])


@refusing
async def test_an_unknown_task_type_lists_the_known_ones(strict: Served) -> None:
    body = {"name": "a job", "phases": [{"name": "a", "taskType": "ocr.extrakt"}]}
    answer = await strict.http.post("/v1/jobs", json=body)
    assert answer.status_code == 400
    assert "ocr.extract" in answer.json()["error"]["message"]


@refusing
async def test_a_hundred_megabytes_of_metadata_are_refused(strict: Served) -> None:
    item = b'{"input":"a","metadata":{"k":"' + b"v" * 100_000_000 + b'"}}'
    body = b'{"name":"a job","phases":[{"name":"a","taskType":"test.trial"}],"items":[' + item + b"]}"
    answer = await strict.http.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    items = [pb.Item(input="a", metadata={"k": "v" * 100_000_000})]
    code, _ = await refused(strict.make(items=items))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


@refusing
async def test_two_million_items_of_json_are_refused(strict: Served) -> None:
    items = b",".join([b'{"input":"i"}'] * 2_000_000)
    body = b'{"name":"a job","phases":[{"name":"a","taskType":"test.trial"}],"items":[' + items + b"]}"
    answer = await strict.http.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


@refusing
async def test_of_many_faults_the_first_are_reported(strict: Served) -> None:
    _, status = await refused(strict.make(items=[pb.Item()] * 1000))
    assert (fields_of(status)[0], len(fields_of(status))) == ("items[0].input", 51)


# Changing jobs.


async def test_verbs_change_a_job_and_may_be_repeated(served: Served) -> None:
    job = await served.make()
    for verb, state in (("start", "RUNNING"), ("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
        for _ in range(2):
            answer = await served.http.post(f"/v1/jobs/{job.id}:{verb}")
            assert (answer.status_code, answer.json()["status"]) == (200, f"JOB_STATUS_{state}")
    assert answer.json()["completeTime"]


async def test_a_verb_that_is_not_allowed_names_the_allowed_ones(served: Served) -> None:
    job = await served.make()
    code, status = await refused(served.stub.PauseJob(pb.PauseJobRequest(job_id=job.id)))
    assert code is PRECONDITION
    expected = {"reason": "ILLEGAL_TRANSITION", "state": "PENDING", "verb": "pause", "allowed": "start,cancel"}
    assert facts_of(status) == expected
    (precondition,) = unpacked(status, error_details_pb2.PreconditionFailure)
    assert "start, cancel" in precondition.violations[0].description
    answer = await served.http.post(f"/v1/jobs/{job.id}:resume")
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


async def test_an_ended_job_accepts_no_items(served: Served) -> None:
    job = await served.started(1)
    await Worker(served.service.store).work(job.id)
    for verb in ("start", "pause", "resume", "cancel"):
        answer = await served.http.post(f"/v1/jobs/{job.id}:{verb}")
        assert (answer.status_code, "the state is final" in answer.text) == (400, True)
    upload = pb.UploadItemsRequest(job_id=job.id, items=[pb.Item(input="late")])
    code, status = await refused(served.stub.UploadItems(iter([upload])))
    assert (code, facts_of(status)["reason"]) == (PRECONDITION, "JOB_NOT_READY")


async def test_a_job_without_items_is_not_started(served: Served) -> None:
    job = await served.make(0)
    code, status = await refused(served.stub.StartJob(pb.StartJobRequest(job_id=job.id)))
    assert (code, facts_of(status)["reason"]) == (PRECONDITION, "JOB_NOT_READY")


# Results.


async def test_results_tell_what_has_become_of_every_item(served: Served) -> None:
    phases = [ONE, pb.Phase(name="two", task_type="test.trial")]
    job = await served.started(3, phases=phases, options=pb.JobOptions(auto_start=True))

    def make(one: Any) -> Any:
        return broke(one) if one.index == 1 else done(one, output=f"{one.index}.{one.phase}", tokens=5, cost_micros=250)

    await Worker(served.service.store).work(job.id, make)
    page = read(await served.http.get(f"/v1/jobs/{job.id}/results"), pb.GetResultsResponse)
    assert [one.item_index for one in page.results] == [0, 1, 2]
    good, bad, _ = page.results
    assert (good.status, good.output, good.error) == (pb.ITEM_STATUS_COMPLETED, "0.1", "")
    assert dict(good.phase_outputs) == {"one": "0.0", "two": "0.1"}
    assert (bad.status, bad.output, bad.error) == (pb.ITEM_STATUS_FAILED, "", "it cannot be done")
    ended = await served.stub.GetJob(pb.GetJobRequest(job_id=job.id))
    assert (ended.status, ended.completed_items, ended.failed_items) == (pb.JOB_STATUS_COMPLETED, 2, 1)
    assert (ended.tokens_used, ended.cost_incurred, ended.current_phase) == (20, 0.001, "")
    failed = await served.stub.GetResults(pb.GetResultsRequest(job_id=job.id, status=[pb.ITEM_STATUS_FAILED]))
    assert ([one.item_index for one in failed.results], failed.next_page_token) == ([1], page.next_page_token)


@pytest.mark.parametrize("size", [0, 1, 7, 5000])
async def test_pages_give_every_item_once(served: Served, size: int) -> None:
    job = await served.make(250)
    seen: list[int] = []
    token, pages = "", 0
    while not pages or token:
        request = pb.GetResultsRequest(job_id=job.id, page_size=size, page_token=token)
        page = await served.stub.GetResults(request)
        seen += [one.item_index for one in page.results]
        token, pages = page.next_page_token, pages + 1
    assert (seen, pages) == (list(range(250)), -(-250 // min(size or 100, 1000)))


async def test_a_page_of_large_outputs_stays_below_a_clients_limit(served: Served) -> None:
    job = await served.started(6)
    await Worker(served.service.store).work(job.id, lambda one: done(one, output="é" * 500_000))
    seen, token = 0, ""
    while not seen or token:
        page = await served.stub.GetResults(pb.GetResultsRequest(job_id=job.id, page_token=token))
        assert 0 < page.ByteSize() < 4 * 1024 * 1024
        seen, token = seen + len(page.results), page.next_page_token
    assert seen == 6


async def test_items_of_a_cancelled_job_are_cancelled(served: Served) -> None:
    job = await served.started(3)
    worker = Worker(served.service.store)
    (one,) = await worker.take(job.id)
    await worker.put([done(one)])
    await worker.leave()
    await served.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))
    page = await served.stub.GetResults(pb.GetResultsRequest(job_id=job.id))
    states = [one.status for one in page.results]
    assert sorted(states) == [pb.ITEM_STATUS_COMPLETED, pb.ITEM_STATUS_CANCELLED, pb.ITEM_STATUS_CANCELLED]
    only = pb.GetResultsRequest(job_id=job.id, status=[pb.ITEM_STATUS_CANCELLED])
    assert len((await served.stub.GetResults(only)).results) == 2

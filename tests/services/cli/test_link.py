"""What a command does when the server goes away in the middle: it asks again, and makes one job.

The servicers here are those of a server at its worst moment, which a real one cannot be told to have; everything else
of the command is tested against the real service.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.cli import link as links
from artificer_services.cli.errors import Failed, Refused, Unreachable, Usage
from artificer_services.cli.inputs import ListSource
from artificer_services.cli.link import Link
from artificer_services.cli.submit import submit


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for milliseconds, since no server here needs seconds to come back."""
    monkeypatch.setattr(links, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(links, "_LONGEST_WAIT", 0.002)


@contextmanager
def linked(servicer: Any) -> Iterator[Link]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    rpc.add_BatchServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    link = Link(f"127.0.0.1:{port}")
    try:
        yield link
    finally:
        link.close()
        server.stop(0).wait()


class Some:
    """A servicer with some of its methods."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda request, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, name)


class Shaky(Some):
    """Breaks every call after its work was done, as often as `breaks` says of it."""

    def __init__(self, **breaks: int) -> None:
        self.breaks = breaks
        self.job = pb.Job(id="job-1", status=pb.JOB_STATUS_PENDING)
        self.requests: list[str] = []
        self.items: list[str] = []

    def _answer(self, name: str, context: grpc.ServicerContext) -> pb.Job:
        if self.breaks.get(name, 0):
            self.breaks[name] -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        return self.job

    def ListTaskTypes(self, request: Any, context: grpc.ServicerContext) -> pb.ListTaskTypesResponse:
        return pb.ListTaskTypesResponse()

    def CreateJob(self, request: pb.CreateJobRequest, context: grpc.ServicerContext) -> pb.Job:
        self.requests.append(request.request_id)
        return self._answer("create", context)

    def UploadItems(
        self, request_iterator: Iterator[pb.UploadItemsRequest], context: grpc.ServicerContext
    ) -> pb.UploadItemsResponse:
        for number, request in enumerate(request_iterator):
            assert request.first_index <= len(self.items), "a gap"
            fresh = request.items[len(self.items) - request.first_index :]
            self.items += [item.input for item in fresh]
            if number == 0:
                self._answer("upload", context)
        self.job.total_items = len(self.items)
        return pb.UploadItemsResponse(job=self.job)

    def StartJob(self, request: pb.StartJobRequest, context: grpc.ServicerContext) -> pb.Job:
        self.job.status = pb.JOB_STATUS_RUNNING
        return self._answer("start", context)

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.Job:
        self.job.status = pb.JOB_STATUS_CANCELLED
        return self._answer("cancel", context)

    def StreamProgress(self, request: pb.StreamProgressRequest, context: grpc.ServicerContext) -> Iterator[pb.Progress]:
        yield pb.Progress(completed_items=len(self.breaks))
        self._answer("progress", context)
        yield pb.Progress(completed_items=9)


def many(count: int) -> ListSource:
    return ListSource((f"item {number}", "name") for number in range(count))


def met(link: Link) -> None:
    """A server that was there a moment ago."""
    link.ask(link.batch.ListTaskTypes, pb.ListTaskTypesRequest())


def test_a_broken_submission_is_retried_and_creates_one_job() -> None:
    servicer = Shaky(create=1, upload=2, start=1)
    with linked(servicer) as link:
        met(link)
        job = submit(link, pb.CreateJobRequest(request_id="r"), many(2500), start=True)
    assert job.status == pb.JOB_STATUS_RUNNING
    assert servicer.requests == ["r", "r"]
    assert servicer.items == [f"item {number}" for number in range(2500)]


def test_a_running_job_is_left_unchanged() -> None:
    servicer = Shaky()
    servicer.job.status = pb.JOB_STATUS_RUNNING
    with linked(servicer) as link:
        assert submit(link, pb.CreateJobRequest(), many(3), start=True).id == "job-1"
    assert servicer.items == []


class _Broken:
    repeatable = True

    def __init__(self, error: Exception) -> None:
        self.error = error

    def items(self) -> Iterator[pb.Item]:
        yield pb.Item(input="good")
        raise self.error


@pytest.mark.parametrize("error", [Usage("line 2 is bad"), OSError("the disk is gone")], ids=["line", "disk"])
def test_a_failing_source_leaves_no_incomplete_job(error: Exception) -> None:
    servicer = Shaky()
    with linked(servicer) as link, pytest.raises(type(error), match=str(error)):
        submit(link, pb.CreateJobRequest(), _Broken(error), start=True)
    assert servicer.requests == []  # no job was created


def test_a_pipe_that_fails_late_leaves_a_cancelled_job() -> None:
    class Pipe(_Broken):
        repeatable = False

        def items(self) -> Iterator[pb.Item]:
            yield from many(600).items()
            raise self.error

    servicer = Shaky()
    with linked(servicer) as link, pytest.raises(Usage, match="line 601"):
        submit(link, pb.CreateJobRequest(), Pipe(Usage("line 601 is bad")), start=True)
    assert servicer.job.status == pb.JOB_STATUS_CANCELLED


def test_a_job_without_items_is_not_left_behind() -> None:
    servicer = Shaky()
    with linked(servicer) as link, pytest.raises(Usage, match="no items"):
        submit(link, pb.CreateJobRequest(), many(0), start=True)
    assert servicer.job.status == pb.JOB_STATUS_CANCELLED


def test_a_submission_that_gives_up_says_how_to_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PATIENCE_SECONDS", 0.0)
    servicer = Shaky(start=1)
    with (
        linked(servicer) as link,
        pytest.raises(Unreachable, match="job job-1 is incomplete: repeat the command with --request-id mine"),
    ):
        submit(link, pb.CreateJobRequest(request_id="mine"), many(1), start=True)


def test_a_stream_is_reopened() -> None:
    with linked(Shaky(progress=2)) as link:
        request = pb.StreamProgressRequest(job_id="job-1")
        came = [one.completed_items for one in link.follow(lambda: link.batch.StreamProgress(request))]
    assert came == [1, 1, 1, 9]


def test_a_server_that_never_answered_fails_at_once() -> None:
    link = Link("127.0.0.1:1")
    try:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
            met(link)
    finally:
        link.close()


def test_an_address_with_another_scheme_is_refused() -> None:
    with pytest.raises(Failed, match="invalid gateway address"):
        Link("ftp://127.0.0.1:1")


class _Refusing(Some):
    def __init__(self, code: grpc.StatusCode) -> None:
        self.code, self.asked = code, 0

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.Job:
        self.asked += 1
        context.abort(self.code, "no")


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2),
        (grpc.StatusCode.NOT_FOUND, 1),
        (grpc.StatusCode.FAILED_PRECONDITION, 1),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1),
    ],
)
def test_a_refusal_is_not_retried(code: grpc.StatusCode, exit_code: int) -> None:
    servicer = _Refusing(code)
    with linked(servicer) as link, pytest.raises(Refused, match=r"^no$") as caught:
        link.ask(link.batch.GetJob, pb.GetJobRequest())
    assert (caught.value.exit_code, servicer.asked) == (exit_code, 1)

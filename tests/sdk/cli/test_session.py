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
from artificer.cli import session as sessions
from artificer.cli.connection import Connection
from artificer.cli.errors import Refused, Unreachable, Usage
from artificer.cli.inputs import ListSource
from artificer.cli.session import Session
from artificer.cli.submit import NewJob, submit
from artificer.types.batch import Item, JobStatus


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for milliseconds, since no server here needs seconds to come back."""
    monkeypatch.setattr(sessions, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(sessions, "_LONGEST_WAIT", 0.002)


@contextmanager
def linked(servicer: Any) -> Iterator[Session]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    rpc.add_BatchServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    session = Session(Connection(server=f"127.0.0.1:{port}"))
    try:
        yield session
    finally:
        session.close()
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


def job(request_id: str = "") -> NewJob:
    return NewJob(name="job", phases=[], request_id=request_id)


def many(count: int) -> ListSource:
    return ListSource((f"item {number}", "name") for number in range(count))


def met(session: Session) -> None:
    """A server that was there a moment ago."""
    session.patiently(session.client.batch.task_types.list().to_list)


def test_a_broken_submission_is_retried_and_creates_one_job() -> None:
    servicer = Shaky(create=1, upload=2, start=1)
    with linked(servicer) as session:
        met(session)
        made = submit(session, job("r"), many(2500), start=True)
    assert made.status is JobStatus.RUNNING
    assert servicer.requests == ["r", "r"]
    assert servicer.items == [f"item {number}" for number in range(2500)]


def test_a_running_job_is_left_unchanged() -> None:
    servicer = Shaky()
    servicer.job.status = pb.JOB_STATUS_RUNNING
    with linked(servicer) as session:
        assert submit(session, job(), many(3), start=True).id == "job-1"
    assert servicer.items == []


class _Broken:
    repeatable = True

    def __init__(self, error: Exception) -> None:
        self.error = error

    def items(self) -> Iterator[Item]:
        yield Item(input="good")
        raise self.error


@pytest.mark.parametrize("error", [Usage("line 2 is bad"), OSError("the disk is gone")], ids=["line", "disk"])
def test_a_failing_source_leaves_no_incomplete_job(error: Exception) -> None:
    servicer = Shaky()
    with linked(servicer) as session, pytest.raises(type(error), match=str(error)):
        submit(session, job(), _Broken(error), start=True)
    assert servicer.requests == []  # no job was created


def test_a_pipe_that_fails_late_leaves_a_cancelled_job() -> None:
    class Pipe(_Broken):
        repeatable = False

        def items(self) -> Iterator[Item]:
            yield from many(600).items()
            raise self.error

    servicer = Shaky()
    with linked(servicer) as session, pytest.raises(Usage, match="line 601"):
        submit(session, job(), Pipe(Usage("line 601 is bad")), start=True)
    assert servicer.job.status == pb.JOB_STATUS_CANCELLED


def test_a_job_without_items_is_not_left_behind() -> None:
    servicer = Shaky()
    with linked(servicer) as session, pytest.raises(Usage, match="no items"):
        submit(session, job(), many(0), start=True)
    assert servicer.job.status == pb.JOB_STATUS_CANCELLED


def test_a_submission_that_gives_up_says_how_to_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", 0.0)
    servicer = Shaky(start=1)
    with (
        linked(servicer) as session,
        pytest.raises(Unreachable, match="job job-1 is incomplete: repeat the command with --request-id mine"),
    ):
        submit(session, job("mine"), many(1), start=True)


def test_a_stream_is_reopened() -> None:
    with linked(Shaky(progress=2)) as session:
        opened = session.follow(lambda: session.client.batch.progress.stream("job-1"))
        came = [one.completed_items for one in opened]
    assert came == [1, 1, 1, 9]


def test_a_server_that_never_answered_fails_at_once() -> None:
    session = Session(Connection(server="127.0.0.1:1"))
    try:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be reached"):
            met(session)
    finally:
        session.close()


def test_an_address_with_another_scheme_is_refused() -> None:
    with pytest.raises(Usage, match=r"invalid server 'ftp://127\.0\.0\.1:1'; expected https://host:port"):
        Connection.of("ftp://127.0.0.1:1", None)


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
    with linked(servicer) as session, pytest.raises(Refused, match=r"^no$") as caught:
        session.patiently(lambda: session.client.batch.get("job"))
    assert (caught.value.exit_code, servicer.asked) == (exit_code, 1)

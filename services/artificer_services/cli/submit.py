"""Submits a job: creates it, uploads its items and starts it. Retries each step after a broken connection.

Knows neither arguments nor terminals.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

import grpc

from artificer.batch.v1 import batch_service_pb2 as pb

from .errors import Failed, Refused, Unreachable, Usage
from .inputs import Source
from .link import Link

# The size of one message of the upload. It stays well below gRPC's 4 MiB even if the last item is a large one.
_MOST_ITEMS, _MOST_BYTES = 500, 256 * 1024


def submit(link: Link, request: pb.CreateJobRequest, source: Source, *, start: bool) -> pb.Job:
    """Create a job with its items and, with `start`, start it. Raises Failed, after cancelling an incomplete job.

    If the server cannot be reached, the incomplete job stays, and the error says how to continue it.

    The job is created with its first items, and after all items were read once if they can be read again: a malformed
    item, or a refused one among the first, then leaves no job at all.
    """
    items = _Items(source)
    if not items.first:
        _refuse_empty(link, request)
    request.items.extend(items.first)
    job = link.ask(link.batch.CreateJob, request)
    if job.status != pb.JOB_STATUS_PENDING:
        return job  # an earlier run with the same request id has started the job
    try:
        if items.more:
            _add(link, job.id, items)
        return link.ask(link.batch.StartJob, pb.StartJobRequest(job_id=job.id)) if start else _now(link, job.id)
    except Unreachable as error:
        error.message += f"; job {job.id} is incomplete: repeat the command with --request-id {request.request_id}"
        raise
    except BaseException:  # an interrupt too
        with suppress(Failed):
            link.ask(link.batch.CancelJob, pb.CancelJobRequest(job_id=job.id))
        raise


def _now(link: Link, job_id: str) -> pb.Job:
    return link.ask(link.batch.GetJob, pb.GetJobRequest(job_id=job_id))


def _refuse_empty(link: Link, request: pb.CreateJobRequest) -> NoReturn:
    """Raises Failed with what else is wrong with the job: the server refuses to start one without items."""
    request.options.auto_start = True
    try:
        job = link.ask(link.batch.CreateJob, request)
    except Refused as error:
        if error.code is grpc.StatusCode.INVALID_ARGUMENT and not error.message.startswith("options.auto_start"):
            raise
    else:
        link.ask(link.batch.CancelJob, pb.CancelJobRequest(job_id=job.id))
    raise Usage("the job has no items")


class _Items:
    """The items of a source. The job is created with the `first` ones; `more` says whether there are others."""

    def __init__(self, source: Source) -> None:
        if source.repeatable:
            deque(source.items(), maxlen=0)  # finds a malformed item before there is a job
        self.repeatable = source.repeatable
        self._source, self._items = source, source.items()
        self.first = list(_message(self._items))
        following = next(self._items, None)
        self.more = following is not None
        self._all = itertools.chain(self.first, () if following is None else (following,), self._items)

    def __iter__(self) -> Iterator[pb.Item]:
        return self._source.items() if self.repeatable else self._all


def _message(items: Iterator[pb.Item]) -> Iterator[pb.Item]:
    """Yields as many items as fit into one message."""
    size = 0
    for count, item in enumerate(items, 1):
        yield item
        size += item.ByteSize()
        if count >= _MOST_ITEMS or size >= _MOST_BYTES:
            return


def _add(link: Link, job_id: str, items: _Items) -> None:
    """Upload the items. The server skips those that are stored: the first ones, and after a retry more."""

    def attempt() -> pb.UploadItemsResponse:
        stream = _UploadStream(job_id, items)
        try:
            return link.batch.UploadItems(iter(stream))
        except grpc.RpcError as error:
            if items.repeatable:
                raise
            raise link.failure(error) from None  # a pipe cannot be read again
        finally:
            if stream.fault:
                raise stream.fault

    link.patiently(attempt)


class _UploadStream:
    """The messages of one attempt. Keeps an error of the source, which gRPC would only log."""

    def __init__(self, job_id: str, items: _Items) -> None:
        self._job_id, self._items = job_id, items
        self.fault: Exception | None = None

    def __iter__(self) -> Iterator[pb.UploadItemsRequest]:
        items, count = iter(self._items), 0
        try:
            while some := list(_message(items)):
                yield pb.UploadItemsRequest(job_id=self._job_id, items=some, first_index=count)
                count += len(some)
        except (Failed, OSError) as error:
            self.fault = error

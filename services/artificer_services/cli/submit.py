"""Submits a job: creates it, uploads its items and starts it. Retries each step after a broken connection.

Knows neither arguments nor terminals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import grpc

from artificer.batch.v1 import batch_service_pb2 as pb

from .errors import Failed, Unreachable, Usage
from .inputs import Source
from .link import Link

# The size of one message of the upload. It stays well below gRPC's 4 MiB even if the last item is a large one.
_MOST_ITEMS, _MOST_BYTES = 500, 256 * 1024


def submit(link: Link, request: pb.CreateJobRequest, source: Source, *, start: bool) -> pb.Job:
    """Create a job with its items and, with `start`, start it. Raises Failed and leaves no incomplete job behind."""
    job = link.ask(link.batch.CreateJob, request)
    if job.status != pb.JOB_STATUS_PENDING:
        return job  # an earlier run with the same request id has started the job
    try:
        total = _add(link, job.id, source)
        if not total:
            raise Usage("the job has no items")
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


def _add(link: Link, job_id: str, source: Source) -> int:
    """Upload the items and return how many the job has. A retry skips the stored ones."""

    def attempt() -> pb.UploadItemsResponse:
        stream = _UploadStream(job_id, source)
        try:
            return link.batch.UploadItems(iter(stream))
        except grpc.RpcError as error:
            if source.repeatable:
                raise
            raise link.failure(error) from None  # a pipe cannot be read again
        finally:
            if stream.fault:
                raise stream.fault

    return link.patiently(attempt).job.total_items


class _UploadStream:
    """The messages of one attempt. Keeps an error of the source, which gRPC would only log."""

    def __init__(self, job_id: str, source: Source) -> None:
        self._job_id, self._source = job_id, source
        self.fault: Exception | None = None

    def __iter__(self) -> Iterator[pb.UploadItemsRequest]:
        message = pb.UploadItemsRequest(job_id=self._job_id, first_index=0)
        count = size = 0
        try:
            for item in self._source.items():
                message.items.append(item)
                count, size = count + 1, size + item.ByteSize()
                if len(message.items) >= _MOST_ITEMS or size >= _MOST_BYTES:
                    yield message
                    message, size = pb.UploadItemsRequest(first_index=count), 0
        except (Failed, OSError) as error:
            self.fault = error
            return
        if message.items or not count:
            yield message

"""Stores streams of items and of a blob's pieces in constant memory.

Owns what the later messages of a stream inherit from the first. Knows the protos, and no context.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from artificer.batch.v1 import batch_service_pb2 as pb

from ...kit.client_stream import ClientStream
from ..jobs import rules
from ..jobs.errors import Fault, Invalid, NotReady, TooLarge
from ..jobs.job import Blob, ItemDraft, Job
from ..jobs.jobs import Jobs
from ..jobs.rules import InputCheck
from ..jobs.states import JobState
from .translate import items_in, job_out

_ITEMS = 1000  # per transaction
_BYTES = 4 * 1024 * 1024  # of their inputs
_IN_MEMORY = 1024 * 1024  # bytes of a blob; larger ones are spooled to a file
_PIECE = 256 * 1024
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *;[^\r\n\0]*)?", re.ASCII)
_MAX_MEDIA_TYPE = 255


@dataclass(frozen=True, slots=True)
class _Part:
    """The items of one message of the stream, whose number is `position`."""

    position: int
    items: list[ItemDraft]


class Uploading:
    """One call of UploadItems; `answer` counts the items stored so far."""

    def __init__(self, jobs: Jobs) -> None:
        self.answer = pb.UploadItemsResponse()
        self.position = 0
        """The number of the current message of the stream, from 1; after an error, of the message that is refused."""
        self._jobs = jobs
        self._job: Job | None = None
        self._check: InputCheck | None = None
        self._waiting: list[_Part] = []
        self._count = self._bytes = 0  # of the items in the buffer
        self._first: int | None = None  # the index of the first of them

    async def add(self, request: pb.UploadItemsRequest) -> None:
        """Handle the next message. Raises ServiceError for an invalid one, after storing those before it."""
        self.position += 1
        try:
            await self._name(request)
            items = await self._good(request)
        except Exception:
            position = self.position
            await self.store()
            self.position = position
            raise
        first = request.first_index if request.HasField("first_index") else None
        if self._waiting and first != self._next():
            await self.store()
        if not self._waiting:
            self._first = first
        self._waiting.append(_Part(self.position, items))
        self._count += len(items)
        self._bytes += sum(len(item.input) for item in items)
        if self._count >= _ITEMS or self._bytes >= _BYTES:
            await self.store()

    async def store(self) -> None:
        """Store the buffered items. If a message cannot be stored, those before it are, and `position` is its number.

        Raises ServiceError.
        """
        parts, first = self._waiting, self._first
        self._waiting, self._count, self._bytes = [], 0, 0
        if self._job is None or not parts:
            return
        last = self.position
        try:
            await self._add([item for part in parts for item in part.items], first)
        except (Invalid, NotReady, TooLarge):
            for part in parts:
                self.position = part.position
                await self._add(part.items, first)
                first = None if first is None else first + len(part.items)
            self.position = last

    async def _add(self, items: list[ItemDraft], first: int | None) -> None:
        if not items or self._job is None:
            return
        stored = await self._jobs.add_items(self._job, items, first)
        self.answer.stored_count += stored
        self.answer.duplicate_count += len(items) - stored

    async def finish(self) -> pb.UploadItemsResponse:
        """Store the buffered items and return the answer. Raises ServiceError."""
        if self._job is None:
            raise Invalid(Fault("job_id", "must be set in the first message of the stream"))
        await self.store()
        self.answer.job.CopyFrom(job_out(await self._jobs.get(self._job.id)))
        return self.answer

    async def _name(self, request: pb.UploadItemsRequest) -> None:
        if self._job is not None:
            if request.job_id not in ("", self._job.id):
                raise Invalid(
                    Fault("job_id", f"must be empty or {self._job.id}, as in the first message of the stream")
                )
            return
        job = await self._jobs.get(request.job_id)
        if job.state is not JobState.PENDING:
            raise NotReady(f"cannot add items to a job that is {job.state.value}")
        self._job, self._check = job, self._jobs.input_check_of(job)

    async def _good(self, request: pb.UploadItemsRequest) -> list[ItemDraft]:
        assert self._check is not None  # noqa: S101 -- _name has set it
        if request.HasField("first_index") and request.first_index < 0:
            raise Invalid(Fault("first_index", "must not be negative"))
        if len(request.items) <= _INLINE_ITEMS:
            return _checked(request, self._check, self._jobs)
        return await self._jobs.run(_checked, request, self._check, self._jobs)

    def _next(self) -> int | None:
        return None if self._first is None else self._first + self._count


# Messages with at most this many items are checked without a thread; most have one item.
_INLINE_ITEMS = 100


def _checked(request: pb.UploadItemsRequest, check: InputCheck, jobs: Jobs) -> list[ItemDraft]:
    items = list(items_in(request.items))
    rules.check_items(items, check, jobs.settings)
    return items


async def upload_blob(jobs: Jobs, requests: ClientStream[pb.UploadBlobRequest]) -> Blob:
    """Store the bytes of a stream as a blob. Raises Invalid, TooLarge.

    They are spooled to a file first, so that a slow client holds no transaction open.
    """
    kind: str | None = None
    size, limit = 0, jobs.settings.max_blob_bytes
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for request in requests:
            if kind is None:
                kind = _media_type(request.content.content_type)
            size += len(request.content.data)
            if size > limit:
                raise TooLarge(f"the blob is larger than {limit} bytes, the maximum")
            await jobs.run(spool.write, request.content.data)
        requests.expect_any("content")
        spool.seek(0)
        return await jobs.put_blob(kind or _media_type(""), _pieces(spool))


def _media_type(kind: str) -> str:
    if kind and (len(kind) > _MAX_MEDIA_TYPE or not _MEDIA_TYPE.fullmatch(kind)):
        raise Invalid(Fault("content.content_type", "must be a media type, such as application/pdf"))
    return kind or "application/octet-stream"


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece

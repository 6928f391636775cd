"""Submits a job: creates it, uploads its items and starts it. Retries each step after a broken connection.

Knows neither arguments nor terminals.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from .. import errors as sdk
from ..types.batch import Item, Job, JobOptions, JobStatus, Phase, UploadItemsResponse
from .errors import Failed, Refused, Unreachable, Usage
from .inputs import Source
from .session import Session

# The size of one message of the upload, in characters. It stays well below gRPC's 4 MiB even if the last item is large.
_MOST_ITEMS, _MOST_BYTES = 500, 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to create; the same request id again creates no second job."""

    name: str
    phases: list[Phase]
    request_id: str
    project_id: str = ""
    options: JobOptions = field(default_factory=JobOptions)

    def create(self, session: Session, items: list[Item], *, auto_start: bool = False) -> Job:
        """Creates the job. Raises Refused, Unreachable."""
        options = self.options.model_copy(update={"auto_start": True}) if auto_start else self.options
        return session.patiently(
            lambda: session.client.batch.create(
                self.name,
                self.phases,
                project_id=self.project_id,
                items=items,
                options=options,
                idempotency_key=self.request_id,
            )
        )


def submit(session: Session, new: NewJob, source: Source, *, start: bool) -> Job:
    """Create a job with its items and, with `start`, start it. Raises Failed, after cancelling an incomplete job.

    If the server cannot be reached, the incomplete job stays, and the error says how to continue it.

    The job is created with its first items, and after all items were read once if they can be read again: a malformed
    item, or a refused one among the first, then leaves no job at all.
    """
    items, batch = _Items(source), session.client.batch
    if not items.first:
        _refuse_empty(session, new)
    job = new.create(session, items.first)
    if job.status is not JobStatus.PENDING:
        return job  # an earlier run with the same request id has started the job
    try:
        if items.more:
            _add(session, job.id, items)
        return session.patiently(lambda: batch.start(job.id) if start else batch.get(job.id))
    except Unreachable as error:
        error.message += f"; job {job.id} is incomplete: repeat the command with --request-id {new.request_id}"
        raise
    except BaseException:  # an interrupt too
        with suppress(Failed):
            session.patiently(lambda: batch.cancel(job.id))
        raise


def _refuse_empty(session: Session, new: NewJob) -> NoReturn:
    """Raises Failed with what else is wrong with the job: the server refuses to start one without items."""
    try:
        job = new.create(session, [], auto_start=True)
    except Refused as error:
        if error.code == "INVALID_ARGUMENT" and not error.message.startswith("options.auto_start"):
            raise
    else:
        session.patiently(lambda: session.client.batch.cancel(job.id))
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

    def __iter__(self) -> Iterator[Item]:
        return self._source.items() if self.repeatable else self._all


def _message(items: Iterator[Item]) -> Iterator[Item]:
    """Yields as many items as fit into one message."""
    size = 0
    for count, item in enumerate(items, 1):
        yield item
        size += len(item.input) + sum(map(len, item.metadata.values()))
        if count >= _MOST_ITEMS or size >= _MOST_BYTES:
            return


def _add(session: Session, job_id: str, items: _Items) -> None:
    """Upload the items. The server skips those that are stored: the first ones, and after a retry more."""

    def attempt() -> UploadItemsResponse:
        try:
            return session.client.batch.items.upload(job_id, iter(items), first_index=0)
        except sdk.APIError as error:
            if items.repeatable:
                raise
            raise session.failure(error) from None  # a pipe cannot be read again

    session.patiently(attempt)

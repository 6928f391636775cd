"""`client.batch.items`: uploads strings, mappings or models as items, and repeats an upload that broke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

from ... import types
from ..._batch import ItemInput, Packer, item
from ..._methods.batch import BatchService
from ..._options import CallOptions, time_left
from ..._retry import RetryPolicy
from ...errors import UnavailableError
from .. import platform
from ..api.batch import BatchItemsApi


class BatchItems(BatchItemsApi):
    """`client.batch.items`."""

    def upload(
        self,
        job_id: str,
        items: Iterable[ItemInput],
        *,
        first_index: int | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.batch.UploadItemsResponse:
        """Adds items to a pending job, up to a million. It returns when all of them are stored.

        A list is sent again if the connection breaks; items that the job already has are skipped and counted in
        `duplicate_count`. To repeat an upload of your own, give the same `first_index`.

        Args:
            job_id: The id of the job.
            items: The items: inputs as strings, or items with metadata.
            first_index: The index of the first item in the job; by default behind those that the job has.
        """
        if isinstance(items, str):
            raise TypeError("items are an iterable; put the one item into a list")
        left = time_left(call_options)
        if first_index is None:
            job = self._calls.unary(BatchService.GET_JOB, {"job_id": job_id}, {**call_options, **left()})
            first_index = job.total_items
        options: CallOptions = {**call_options, **left()}
        if not isinstance(items, Sequence):
            return self._upload(job_id, _messages(items, first_index), **options)
        policy, attempt = RetryPolicy(), 1
        while True:
            options = {**call_options, **left(), "max_retries": 0}
            try:
                return self._upload(job_id, _messages(items, first_index), **options)
            except UnavailableError as error:
                wait = policy.wait(error, attempt, repeatable=True)
                if wait is None or attempt > call_options.get("max_retries", self._calls.options.max_retries):
                    raise
                platform.sleep(wait)
                attempt += 1


def _messages(items: Iterable[ItemInput], index: int) -> Iterator[types.batch.UploadItemsRequest]:
    packer = Packer()
    for given in platform.each(items):
        if some := packer.add(item(given)):
            yield types.batch.UploadItemsRequest(items=some, first_index=index)
            index += len(some)
    if some := packer.rest():
        yield types.batch.UploadItemsRequest(items=some, first_index=index)

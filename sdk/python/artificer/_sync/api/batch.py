"""`client.batch`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from ... import types
from ..._files import FileInput
from ..._methods.batch import BatchService
from ..._options import CallOptions
from ..duplex import Duplex
from ..pages import Pager
from ..resource import Resource
from ..streams import Stream

if TYPE_CHECKING:
    from ..resources.batch_items import BatchItems


class BatchBlobs(Resource):
    """`client.batch.blobs`."""

    def upload(self, file: FileInput, **call_options: Unpack[CallOptions]) -> types.batch.Blob:
        """Stores bytes that items can use as input. An item refers to them as `blob:` followed by the id.

        Identical bytes have the same id and are stored once.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
        """
        return self._calls.upload(BatchService.UPLOAD_BLOB, file, {}, call_options)


class BatchItemsApi(Resource):
    """`client.batch.items`."""

    def _upload(
        self,
        job_id: str,
        requests: Iterable[types.batch.UploadItemsRequest | Mapping[str, Any]],
        **call_options: Unpack[CallOptions],
    ) -> types.batch.UploadItemsResponse:
        """Adds a stream of items to a pending job. It answers once, when all of them are stored. A stream may have a
        million items.

        If the stream breaks, its items are stored up to some point. With `first_index` on its messages the caller
        may send the whole stream again: items that the job already has are skipped.

        Args:
            job_id: The job to add the items to.
        """
        return self._calls.client_stream(BatchService.UPLOAD_ITEMS, requests, {"job_id": job_id}, call_options)


class BatchLogs(Resource):
    """`client.batch.logs`."""

    def stream(
        self,
        job_id: str,
        *,
        item_index: int | None = None,
        after: str | None = None,
        follow: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Stream[types.batch.LogEntry]:
        """Streams the log of a job. It sends the stored lines, then every new line until the job ends.

        Args:
            job_id: The id of the job.
            item_index: Send only the lines of this item; the whole log if absent.
            after: The id of the last line that the caller has received; the stream begins with the next one. A
                `Last-Event-ID` header, which browsers send when they reconnect, takes precedence.
            follow: Whether to keep sending lines as they are written, until the job ends; true if absent.
        """
        return self._calls.stream(
            BatchService.STREAM_LOGS,
            {"job_id": job_id, "item_index": item_index, "after": after, "follow": follow},
            call_options,
        )


class BatchProgress(Resource):
    """`client.batch.progress`."""

    def stream(self, job_id: str, **call_options: Unpack[CallOptions]) -> Stream[types.batch.Progress]:
        """Streams the progress of a job until it ends. It sends the current progress at once, then every change, at
        most ten times a second. The last message has the job's final state.

        Args:
            job_id: The id of the job.
        """
        return self._calls.stream(BatchService.STREAM_PROGRESS, {"job_id": job_id}, call_options)


class BatchResults(Resource):
    """`client.batch.results`."""

    def list(
        self,
        job_id: str,
        *,
        page_size: int | None = None,
        status: Sequence[types.batch.ItemStatus | types.batch.ItemStatusName] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Pager[types.batch.Result]:
        """Returns the items of a job and their results. It lists them page by page, in item order.

        Args:
            job_id: The id of the job.
            page_size: The maximum number of items to return: 100 if it is 0, and never more than 1000. A page may
                have fewer before the end of the list when outputs make the response large.
            status: Return only items in these states; all states if empty.
        """
        return self._calls.pages(
            BatchService.GET_RESULTS,
            "results",
            {"job_id": job_id, "page_size": page_size, "status": status},
            call_options,
        )

    def stream(
        self,
        job_id: str,
        *,
        status: Sequence[types.batch.ItemStatus | types.batch.ItemStatusName] | None = None,
        follow: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Stream[types.batch.Result]:
        """Streams the finished items of a job, in item order. With `follow` it then sends each further item as it
        finishes, until the job ends.

        Args:
            job_id: The id of the job.
            status: Send only items in these states: COMPLETED, FAILED or CANCELLED; all three if empty.
            follow: Whether to keep sending items as they finish, until the job ends.
        """
        return self._calls.stream(
            BatchService.STREAM_RESULTS, {"job_id": job_id, "status": status, "follow": follow}, call_options
        )


class BatchTaskTypes(Resource):
    """`client.batch.task_types`."""

    def list(self, **call_options: Unpack[CallOptions]) -> Pager[types.batch.TaskType]:
        """Returns the task types that phases may use."""
        return self._calls.pages(BatchService.LIST_TASK_TYPES, "task_types", {}, call_options)


class BatchApi(Resource):
    """`client.batch`: jobs that run many items through phases."""

    @cached_property
    def blobs(self) -> BatchBlobs:
        """`client.batch.blobs`."""
        return BatchBlobs(self._calls)

    @cached_property
    def items(self) -> BatchItems:
        """`client.batch.items`."""
        from ..resources.batch_items import BatchItems

        return BatchItems(self._calls)

    @cached_property
    def logs(self) -> BatchLogs:
        """`client.batch.logs`."""
        return BatchLogs(self._calls)

    @cached_property
    def progress(self) -> BatchProgress:
        """`client.batch.progress`."""
        return BatchProgress(self._calls)

    @cached_property
    def results(self) -> BatchResults:
        """`client.batch.results`."""
        return BatchResults(self._calls)

    @cached_property
    def task_types(self) -> BatchTaskTypes:
        """`client.batch.task_types`."""
        return BatchTaskTypes(self._calls)

    def create(
        self,
        name: str,
        phases: Sequence[types.batch.Phase | Mapping[str, Any]],
        *,
        project_id: str | None = None,
        items: Sequence[types.batch.Item | Mapping[str, Any]] | None = None,
        options: types.batch.JobOptions | Mapping[str, Any] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.batch.Job:
        """Creates a job, with or without its items.

        Args:
            name: The display name of the job.
            phases: The phases, in the order in which items go through them.
            project_id: The project that the job belongs to.
            items: The items. `client.batch.items.upload` can add more while the job is pending.
            options: The options of the job.
        """
        return self._calls.unary(
            BatchService.CREATE_JOB,
            {"name": name, "phases": phases, "project_id": project_id, "items": items, "options": options},
            call_options,
        )

    def get(self, job_id: str, **call_options: Unpack[CallOptions]) -> types.batch.Job:
        """Returns the current state of a job.

        Args:
            job_id: The id of the job.
        """
        return self._calls.unary(BatchService.GET_JOB, {"job_id": job_id}, call_options)

    def list(
        self,
        *,
        page_size: int | None = None,
        status: Sequence[types.batch.JobStatus | types.batch.JobStatusName] | None = None,
        project_id: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Pager[types.batch.Job]:
        """Returns jobs page by page, newest first.

        Args:
            page_size: The maximum number of jobs to return: 50 if it is 0, and never more than 1000.
            status: Return only jobs in these states; all states if empty.
            project_id: Return only jobs of this project; all projects if empty.
        """
        return self._calls.pages(
            BatchService.LIST_JOBS,
            "jobs",
            {"page_size": page_size, "status": status, "project_id": project_id},
            call_options,
        )

    def start(self, job_id: str, **call_options: Unpack[CallOptions]) -> types.batch.Job:
        """Starts a pending job. A job that is already running is left unchanged.

        Args:
            job_id: The id of the job.
        """
        return self._calls.unary(BatchService.START_JOB, {"job_id": job_id}, call_options)

    def pause(self, job_id: str, **call_options: Unpack[CallOptions]) -> types.batch.Job:
        """Pauses a job and lets its running items finish. A job that is already paused is left unchanged.

        Args:
            job_id: The id of the job.
        """
        return self._calls.unary(BatchService.PAUSE_JOB, {"job_id": job_id}, call_options)

    def resume(self, job_id: str, **call_options: Unpack[CallOptions]) -> types.batch.Job:
        """Resumes a paused job where it stopped. A job that is already running is left unchanged.

        Args:
            job_id: The id of the job.
        """
        return self._calls.unary(BatchService.RESUME_JOB, {"job_id": job_id}, call_options)

    def cancel(self, job_id: str, **call_options: Unpack[CallOptions]) -> types.batch.Job:
        """Cancels a job and stops its running items. Finished results are kept. A cancelled job is left unchanged.

        Args:
            job_id: The id of the job.
        """
        return self._calls.unary(BatchService.CANCEL_JOB, {"job_id": job_id}, call_options)

    def attach(
        self,
        job_id: str,
        requests: Iterable[types.batch.AttachRequest | Mapping[str, Any]] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Duplex[types.batch.AttachRequest, types.batch.AttachResponse]:
        """Controls a running job and follows its progress. The caller sends commands and receives progress and logs,
        until it half-closes the call or the job ends.

        A command that the job's state does not allow is refused on its own and the stream continues.

        Args:
            job_id: The job to attach to.
        """
        return self._calls.duplex(BatchService.ATTACH, requests, {"job_id": job_id}, call_options)

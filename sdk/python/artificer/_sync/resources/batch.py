"""`client.batch`: whole runs, from files on this machine to results."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from ... import types
from ..._batch import BatchProgress, BatchRun, ItemInput, ShowProgress, item, name_of, phases_of
from ..._files import File, FileInput
from ..._progress import shown
from ...errors import APIError, DeadlineExceededError, UnavailableError
from .. import platform
from ..api.batch import BatchApi


class _Patience(TypedDict):
    max_retries: int


_ENDED = ("JOB_STATUS_COMPLETED", "JOB_STATUS_FAILED", "JOB_STATUS_CANCELLED")
# A run may last hours, in which servers restart. With the pauses of RetryPolicy these are some 25 seconds.
_PATIENT: _Patience = {"max_retries": 12}
_FIRST_ITEMS = 500  # with which a job is created; the others follow in a stream


class Batch(BatchApi):
    """`client.batch`: jobs that run many items through phases."""

    def run(
        self,
        files: Iterable[FileInput] = (),
        *,
        inputs: Iterable[ItemInput] = (),
        task_type: str | None = None,
        parameters: Mapping[str, str] | None = None,
        phases: Sequence[types.batch.Phase | Mapping[str, Any]] | None = None,
        name: str | None = None,
        project_id: str | None = None,
        concurrency: int | None = None,
        uploads: int = 4,
        progress: ShowProgress | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> BatchRun:
        """Runs files or other inputs through a task, or through several phases, and returns the results.

        It uploads the files, creates and starts a job, and waits until it has ended. Items fail alone: look at
        `failed` of the result. If the run itself fails, as when the server cannot be reached for long, the job goes on;
        the same call with the same `idempotency_key` continues with that job. A note of the exception names the key.

        Args:
            files: The files: paths, bytes or open files. They become the first items, in their order.
            inputs: Other items: texts, data URIs, `blob:` and an id, or paths below the server's folder of documents;
                as strings, or as items with metadata.
            task_type: The task of a job with one phase, such as "ocr.extract".
            parameters: The parameters of that task.
            phases: The phases, for a job with several.
            name: The name of the job for people; the tasks, if it is absent.
            project_id: The project that the job belongs to.
            concurrency: How many workers run the job at most; the server's default if it is absent.
            uploads: How many files are uploaded at once.
            progress: True shows a progress bar; a function is called with each BatchProgress instead.
            idempotency_key: The key by which a repeated call finds its job; a random one if it is absent.
            timeout: The most seconds to wait for the end of the job, once it has started.

        Raises:
            TypeError: Neither or both of `task_type` and `phases` are given, or one file instead of a list.
            DeadlineExceededError: The job has not ended within `timeout`; it goes on.
        """
        key = idempotency_key or str(uuid.uuid4())
        with shown(progress) as show:
            try:
                job = self.submit(
                    files,
                    inputs=inputs,
                    task_type=task_type,
                    parameters=parameters,
                    phases=phases,
                    name=name,
                    project_id=project_id,
                    concurrency=concurrency,
                    uploads=uploads,
                    progress=show,
                    idempotency_key=key,
                )
                job = self._followed(job.id, timeout, show)
                results = [one for one in self.results.stream(job.id, **_PATIENT)]
            except (UnavailableError, DeadlineExceededError) as error:
                error.add_note(f"to continue this run, repeat it with idempotency_key={key!r}")
                raise
        return BatchRun(job, results)

    def submit(
        self,
        files: Iterable[FileInput] = (),
        *,
        inputs: Iterable[ItemInput] = (),
        task_type: str | None = None,
        parameters: Mapping[str, str] | None = None,
        phases: Sequence[types.batch.Phase | Mapping[str, Any]] | None = None,
        name: str | None = None,
        project_id: str | None = None,
        concurrency: int | None = None,
        uploads: int = 4,
        progress: ShowProgress | None = None,
        idempotency_key: str | None = None,
    ) -> types.batch.Job:
        """Uploads files, and creates and starts a job, as `run` does, without waiting for its end."""
        asked = phases_of(task_type, parameters, phases)
        if isinstance(files, str | bytes) or isinstance(inputs, str):
            raise TypeError("files and inputs are iterables; put a single one into a list")
        sent, items = list(files), [item(one) for one in inputs]
        if not sent and not items:
            raise ValueError("a job needs at least one file or input")
        if not isinstance(uploads, int):
            raise TypeError(f"uploads is a whole number, not {type(uploads).__name__}")
        if uploads < 1:
            raise ValueError(f"uploads must be at least 1, not {uploads}")
        with shown(progress) as show:
            items = [*self._uploaded(sent, uploads, show), *items]
        job = self.create(
            name or name_of(asked),
            asked,
            project_id=project_id,
            items=items[:_FIRST_ITEMS],
            options={"concurrency": concurrency or 0},
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            **_PATIENT,
        )
        if job.status != "JOB_STATUS_PENDING":
            return job  # an earlier call with this key has started it
        try:
            if items[_FIRST_ITEMS:]:
                self.items.upload(job.id, items[_FIRST_ITEMS:], first_index=_FIRST_ITEMS, **_PATIENT)
            return self.start(job.id, **_PATIENT)
        except (UnavailableError, DeadlineExceededError):
            raise
        except APIError:
            self.cancel(job.id)  # an item was refused, so that the job can never start
            raise

    def wait(
        self, job_id: str, *, progress: ShowProgress | None = None, timeout: float | None = None
    ) -> types.batch.Job:
        """Returns a job when it has ended.

        Args:
            job_id: The id of the job.
            progress: True shows a progress bar; a function is called with each BatchProgress instead.
            timeout: The most seconds to wait.

        Raises:
            DeadlineExceededError: The job has not ended within `timeout`; it goes on.
        """
        with shown(progress) as show:
            return self._followed(job_id, timeout, show)

    def _uploaded(
        self, files: list[FileInput], at_once: int, show: Callable[[BatchProgress], None]
    ) -> list[types.batch.Item]:
        def upload(given: FileInput) -> types.batch.Item:
            blob = self.blobs.upload(given, **_PATIENT)
            name = File.of(given).name
            return types.batch.Item(input=f"blob:{blob.id}", metadata={"name": name} if name else {})

        def uploaded(done: int) -> None:
            show(BatchProgress("uploading", done, len(files), percentage=100 * done / len(files)))

        return platform.mapped(upload, files, at_once, uploaded)

    def _followed(self, job_id: str, timeout: float | None, show: Callable[[BatchProgress], None]) -> types.batch.Job:
        with self.progress.stream(job_id, timeout=timeout, **_PATIENT) as stream:
            for now in stream:
                ended = now.completed_items + now.failed_items
                show(
                    BatchProgress("running", ended, now.total_items, now.failed_items, now.progress_percentage, job_id)
                )
                if now.status in _ENDED:
                    break
        return self.get(job_id, **_PATIENT)

"""The gRPC servicer of artificer.batch.v1.BatchService: translates protos to use cases and back.

Decides nothing: `upload` owns the streams of requests, `attach` the conversation of Attach.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import NoReturn

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc

from ...kit.client_stream import ClientStream, Unreadable
from ...kit.metadata import IDEMPOTENCY_KEY, LAST_EVENT_ID, Context, metadata_value, sse_id_field
from ...kit.statuses import Statuses
from ..jobs import errors, rules
from ..jobs.job import Job
from ..jobs.jobs import Jobs
from ..jobs.states import Verb
from . import translate
from .attach import Attachment
from .follow import FINISHED, Follower
from .upload import Uploading, upload_blob
from .watch import JobWatch

_STATUSES = Statuses("batch.artificer", refused="ITEMS_NOT_TAKEN")


class BatchServicer(rpc.BatchServiceServicer):
    """Serves BatchService from `Jobs` and `JobWatch`."""

    def __init__(self, jobs: Jobs, watch: JobWatch) -> None:
        self._jobs, self._watch = jobs, watch
        self._follower = Follower(jobs, watch)

    async def CreateJob(self, request: pb.CreateJobRequest, context: Context) -> pb.Job:
        request_id = request.request_id or metadata_value(context, IDEMPOTENCY_KEY)
        try:
            job = await self._jobs.create(partial(translate.job_request_in, request, request_id))
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        return translate.job_out(job)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        try:
            job = await self._jobs.get(request.job_id)
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        return translate.job_out(job)

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        try:
            found, token = await self._jobs.page(
                size=request.page_size,
                token=request.page_token,
                states=translate.job_states_in(request.status),
                project_id=request.project_id,
            )
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        return pb.ListJobsResponse(jobs=map(translate.job_out, found), next_page_token=token)

    async def StartJob(self, request: pb.StartJobRequest, context: Context) -> pb.Job:
        return translate.job_out(await self._change(request.job_id, Verb.START, context))

    async def PauseJob(self, request: pb.PauseJobRequest, context: Context) -> pb.Job:
        return translate.job_out(await self._change(request.job_id, Verb.PAUSE, context))

    async def ResumeJob(self, request: pb.ResumeJobRequest, context: Context) -> pb.Job:
        return translate.job_out(await self._change(request.job_id, Verb.RESUME, context))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.Job:
        return translate.job_out(await self._change(request.job_id, Verb.CANCEL, context))

    async def _change(self, job_id: str, verb: Verb, context: Context) -> Job:
        try:
            return await self._jobs.change(job_id, verb)
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)

    async def GetResults(self, request: pb.GetResultsRequest, context: Context) -> pb.GetResultsResponse:
        try:
            found, token = await self._jobs.results(
                request.job_id,
                size=request.page_size,
                token=request.page_token,
                states=translate.item_states_in(request.status),
            )
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        return pb.GetResultsResponse(results=map(translate.result_out, found), next_page_token=token)

    async def ListTaskTypes(self, request: pb.ListTaskTypesRequest, context: Context) -> pb.ListTaskTypesResponse:
        tasks = [self._jobs.tasks[name] for name in sorted(self._jobs.tasks)]
        return pb.ListTaskTypesResponse(task_types=map(translate.task_type_out, tasks))

    # Streams.

    async def StreamProgress(self, request: pb.StreamProgressRequest, context: Context) -> AsyncIterator[pb.Progress]:
        last = None
        try:
            rules.check_job_id(request.job_id)
            async with aclosing(self._watch.progress(request.job_id)) as stream:
                async for job in stream:
                    progress = translate.progress_out(job)
                    if progress != last:
                        yield progress
                    last = progress
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)

    async def StreamResults(self, request: pb.StreamResultsRequest, context: Context) -> AsyncIterator[pb.Result]:
        try:
            rules.check_job_id(request.job_id)
            states = translate.item_states_in(request.status, FINISHED)
            pages = self._follower.results(request.job_id, states=states, follow=request.follow)
            async with aclosing(pages) as stream:
                async for page in stream:
                    for result in page:
                        yield translate.result_out(result)
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)

    async def StreamLogs(self, request: pb.StreamLogsRequest, context: Context) -> AsyncIterator[pb.LogEntry]:
        try:
            rules.check_job_id(request.job_id)
            item = request.item_index if request.HasField("item_index") else None
            if item is not None:
                rules.check_item(item, await self._jobs.get(request.job_id))
            lines = self._follower.logs(
                request.job_id,
                item=item,
                after=_after(request, context),
                follow=request.follow or not request.HasField("follow"),
            )
            async with aclosing(lines) as entries:
                await self._jobs.get(request.job_id)
                await context.send_initial_metadata(sse_id_field("id"))
                async for entry in entries:
                    yield translate.log_out(entry)
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)

    async def UploadItems(
        self, request_iterator: AsyncIterator[pb.UploadItemsRequest], context: Context
    ) -> pb.UploadItemsResponse:
        uploading, requests = Uploading(self._jobs), ClientStream(request_iterator)
        try:
            try:
                async for request in requests:
                    await uploading.add(request)
                requests.expect_any("job_id")
                return await uploading.finish()
            except Unreadable:
                await uploading.store()
                uploading.position = requests.position
                raise
        except (errors.ServiceError, Unreadable) as error:
            stored = uploading.answer.stored_count
            facts = {"position": str(uploading.position), "stored": str(stored)}
            prefix = f"message {uploading.position} of the stream, after {stored} stored items: "
            await _STATUSES.abort(context, error, prefix if uploading.position else "", **facts)

    async def UploadBlob(self, request_iterator: AsyncIterator[pb.UploadBlobRequest], context: Context) -> pb.Blob:
        requests = ClientStream(request_iterator)
        try:
            return translate.blob_out(await upload_blob(self._jobs, requests))
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        except Unreadable as error:
            await self._abort_unreadable(context, error, requests.position)

    async def Attach(
        self, request_iterator: AsyncIterator[pb.AttachRequest], context: Context
    ) -> AsyncIterator[pb.AttachResponse]:
        requests = ClientStream(request_iterator)
        try:
            attachment = Attachment(self._jobs, self._watch, self._follower)
            async with aclosing(attachment.run(requests)) as events:
                async for event in events:
                    yield event
        except errors.ServiceError as error:
            await _STATUSES.abort(context, error)
        except Unreadable as error:
            await self._abort_unreadable(context, error, requests.position)

    async def _abort_unreadable(self, context: Context, error: Unreadable, position: int) -> NoReturn:
        await _STATUSES.abort(context, error, f"message {position} of the stream: ", position=str(position))


def _after(request: pb.StreamLogsRequest, context: Context) -> int:
    # The header wins: a browser that reconnects repeats the original URL.
    if last := metadata_value(context, LAST_EVENT_ID):
        return translate.log_id_in(LAST_EVENT_ID, last)
    return translate.log_id_in("after", request.after)

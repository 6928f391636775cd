"""The conversation of Attach: commands go in; progress, logs and the results of commands come out.

Owns the order of the events of one call. Knows the protos, and no context.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from artificer.batch.v1 import batch_service_pb2 as pb

from ..jobs.errors import Fault, IllegalTransition, Invalid, NotReady
from ..jobs.jobs import Jobs
from .follow import Follower
from .translate import COMMANDS, job_out, log_out, progress_out
from .watch import JobWatch

Requests = AsyncIterator[pb.AttachRequest]


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None


class Attachment:
    """One call of Attach."""

    def __init__(self, jobs: Jobs, watch: JobWatch, follower: Follower) -> None:
        self._jobs, self._watch, self._follower = jobs, watch, follower
        # One place, so that the next event waits until the caller has read the one before.
        self._events: asyncio.Queue[pb.AttachResponse | _End] = asyncio.Queue(1)
        self._commands = asyncio.Lock()
        self._logged = asyncio.Event()  # all log lines have been sent
        self._job_id = ""

    async def run(self, requests: Requests) -> AsyncGenerator[pb.AttachResponse]:
        """Yields events until the caller half-closes or the job ends. Raises ServiceError."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise Invalid(Fault("job_id", "must be set in the first message of the stream")) from None
        job = await self._jobs.get(first.job_id)
        self._job_id = job.id
        progress = progress_out(job)
        yield pb.AttachResponse(progress=progress)
        work = asyncio.create_task(self._work(first, requests, progress), name="batch-attach")
        try:
            while not isinstance(event := await self._events.get(), _End):
                yield event
            if event.error is not None:
                raise event.error
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self, first: pb.AttachRequest, requests: Requests, progress: pb.Progress) -> None:
        error: Exception | None = None
        try:
            await self._execute(first)  # even if the job has ended: the caller expects the refusal
            await self._serve(requests, progress, logs=first.include_logs)
        except Exception as caught:
            error = caught
        await self._events.put(_End(error))

    async def _serve(self, requests: Requests, progress: pb.Progress, *, logs: bool) -> None:
        reading = asyncio.create_task(self._read(requests), name="batch-attach-read")
        progressing = asyncio.create_task(self._progress(progress), name="batch-attach-progress")
        running = {reading, progressing, asyncio.create_task(self._log(wanted=logs), name="batch-attach-log")}
        try:
            while not (reading.done() or progressing.done()):
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            async with self._commands:  # lets a command in progress be answered
                reading.cancel()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _read(self, requests: Requests) -> None:
        async for request in requests:
            async with self._commands:
                await self._execute(request, late=True)

    async def _execute(self, request: pb.AttachRequest, *, late: bool = False) -> None:
        command = request.command
        try:
            if late:
                self._refuse_late(request)
            if command == pb.COMMAND_UNSPECIFIED:
                return
            if command not in COMMANDS:
                raise Invalid(Fault("command", f"must be one of {', '.join(COMMANDS.values())}"))
            job = await self._jobs.change(self._job_id, COMMANDS[command])
        except (Invalid, IllegalTransition, NotReady) as error:
            refusal = pb.CommandRefusal(command=command, reason=error.message)
            await self._events.put(pb.AttachResponse(refusal=refusal))
            return
        done = pb.CommandResult(command=command, job=job_out(job))
        await self._events.put(pb.AttachResponse(done=done))

    def _refuse_late(self, request: pb.AttachRequest) -> None:
        if request.job_id not in ("", self._job_id):
            raise Invalid(Fault("job_id", f"must be empty or {self._job_id}, as in the first message of the stream"))
        if request.include_logs:
            raise Invalid(Fault("include_logs", "may only be set in the first message of the stream"))

    async def _progress(self, last: pb.Progress) -> None:
        async with aclosing(self._watch.progress(self._job_id)) as stream:
            async for job in stream:
                if job.state.ended:
                    await self._logged.wait()  # the final state is the last event
                progress = progress_out(job)
                if progress != last:
                    last = progress
                    await self._events.put(pb.AttachResponse(progress=progress))

    async def _log(self, *, wanted: bool) -> None:
        if wanted:
            lines = self._follower.logs(self._job_id, item=None, after=0, follow=True)
            async with aclosing(lines) as entries:
                async for entry in entries:
                    await self._events.put(pb.AttachResponse(log=log_out(entry)))
        self._logged.set()

"""One conversation with a job: commands go in; progress, logs and what became of the commands come out.

Owns the order of the events of one Attach. Knows the messages, and no context.
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
from .watch import Watch

Requests = AsyncIterator[pb.AttachRequest]


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None


class Attachment:
    """One call of Attach."""

    def __init__(self, jobs: Jobs, watch: Watch, follower: Follower) -> None:
        self._jobs, self._watch, self._follower = jobs, watch, follower
        # One place: whoever has an event waits until the caller has read the one before.
        self._events: asyncio.Queue[pb.AttachResponse | _End] = asyncio.Queue(1)
        self._obeying = asyncio.Lock()
        self._logged = asyncio.Event()  # every line has been sent
        self._job_id = ""

    async def run(self, requests: Requests) -> AsyncGenerator[pb.AttachResponse]:
        """The events, until the caller has ended its side or the job has ended. Raises BatchError."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise Invalid(Fault("job_id", "must be named by a first message")) from None
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
            await self._obey(first)  # also where the job has ended: its refusal is awaited
            await self._converse(requests, progress, logs=first.include_logs)
        except Exception as caught:
            error = caught
        await self._events.put(_End(error))

    async def _converse(self, requests: Requests, progress: pb.Progress, *, logs: bool) -> None:
        hearing = asyncio.create_task(self._hear(requests), name="batch-attach-hear")
        telling = asyncio.create_task(self._tell(progress), name="batch-attach-tell")
        running = {hearing, telling, asyncio.create_task(self._log(wanted=logs), name="batch-attach-log")}
        try:
            while not (hearing.done() or telling.done()):
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            async with self._obeying:  # what is being done is answered
                hearing.cancel()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _hear(self, requests: Requests) -> None:
        async for request in requests:
            async with self._obeying:
                await self._obey(request, late=True)

    async def _obey(self, request: pb.AttachRequest, *, late: bool = False) -> None:
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
            raise Invalid(Fault("job_id", f"must be {self._job_id}, as in the stream's first message, or empty"))
        if request.include_logs:
            raise Invalid(Fault("include_logs", "is for the first message of the stream"))

    async def _tell(self, last: pb.Progress) -> None:
        async with aclosing(self._watch.progress(self._job_id)) as stream:
            async for job in stream:
                if job.state.ended:
                    await self._logged.wait()  # the last state is the last event
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

"""A pool of worker processes for one event loop.

Owns the assignment of tasks to workers, their timeouts, and the replacement of dead workers. Knows nothing of the
work beyond the frames it carries.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass

from . import errors, wire
from .child import Ended, Program, sweep
from .document import Document
from .fair import FairQueue
from .process import WorkerProcess
from .processor_time import DEADLY

_log = logging.getLogger(__name__)

_ATTEMPTS = 3  # of a task whose worker died before it began the task
_BACKOFF = (0.0, 0.5, 2.0, 5.0)  # seconds before a start, by the number of consecutive failures; the last repeats


@dataclass(eq=False, slots=True)
class _PoolTask:
    """A task of a document, waiting or running; `frame` is what the worker receives."""

    frame: wire.Frame
    document: Document
    what: str  # a name for messages, such as "page 3"
    result: asyncio.Future[wire.Frame]
    output: int | None
    attempts: int = 0


class WorkerPool:
    """Worker processes, started in advance or for the first task, replaced when they die, and shared fairly."""

    def __init__(
        self,
        program: Program,
        setup: wire.Frame,
        *,
        size: int,
        task_timeout: float,
        start_timeout: float,
        tasks: int,
    ) -> None:
        """`setup` is each worker's first frame; timeouts are in seconds; a worker is replaced after `tasks` tasks."""
        self.size = size
        self._program = program
        self._setup = setup
        self._task_timeout = task_timeout
        self._start_timeout = start_timeout
        self._tasks = tasks
        self._queue: FairQueue[_PoolTask] = FairQueue()
        self._on_demand = False  # whether the first task may start the workers
        self._supervisors: list[asyncio.Task[None]] = []
        self._workers: set[WorkerProcess] = set()
        self._closing: set[asyncio.Task[None]] = set()  # clean-up after killed workers
        self._broken: set[int] = set()  # slots whose last start failed
        self._changed = asyncio.Event()  # set when a start has succeeded or failed

    @property
    def workers(self) -> frozenset[WorkerProcess]:
        """The workers that are idle or busy."""
        return frozenset(self._workers)

    @property
    def missing(self) -> int:
        """The number of workers that should be there and are not; none before the first task if that starts them."""
        return 0 if self._on_demand and not self._supervisors else self.size - len(self._workers)

    @property
    def busy(self) -> int:
        """The number of running tasks."""
        return self._queue.running

    @property
    def waiting(self) -> int:
        """The number of tasks waiting for a worker."""
        return len(self._queue)

    async def start(self) -> None:
        """Start the workers and wait until the first is ready. Raises Unavailable."""
        if self._supervisors:
            raise RuntimeError("the pool is already started")
        await asyncio.to_thread(sweep)
        self._launch()
        try:
            while not self._workers:
                await self._changed.wait()
                self._changed.clear()
                self.check()
        except BaseException:
            await self.stop()
            raise

    def start_on_demand(self) -> None:
        """Start the workers with the first task instead, which waits for one of them."""
        self._on_demand = True

    def _launch(self) -> None:
        self._supervisors = [asyncio.create_task(self._supervise(slot)) for slot in range(self.size)]

    async def stop(self) -> None:
        """End all workers; waiting and running tasks fail with Unavailable."""
        self._on_demand = False
        supervisors, self._supervisors = self._supervisors, []
        for supervisor in supervisors:
            supervisor.cancel()
        await asyncio.gather(*supervisors, return_exceptions=True)
        await asyncio.gather(*self._closing)
        self._fail_waiting("the server is stopping")
        self._broken.clear()

    def check(self) -> None:
        """Raise Unavailable unless a worker is ready, being started, or started by the next task."""
        if not self._supervisors and not self._on_demand:
            raise errors.Unavailable(f"the {self._program.name} workers are not running")
        if len(self._broken) == self.size:
            raise errors.Unavailable(self._no_worker)

    @property
    def _no_worker(self) -> str:
        return f"no {self._program.name} worker can be started; see the server's log"

    async def run(self, document: Document, task: wire.Frame, what: str, output: int | None = None) -> wire.Frame:
        """Run a task on a document and return its answer. Cancelling it kills the worker that runs it.

        `output` is the descriptor of a file for large results. Raises the worker's WorkError, or TaskTimeout,
        WorkerDied or Unavailable.
        """
        self.check()
        if not self._supervisors:
            self._launch()
        result: asyncio.Future[wire.Frame] = asyncio.get_running_loop().create_future()
        queued = _PoolTask(task | {"document": document.number}, document, what, result, output)
        self._queue.put(document.number, queued)
        try:
            frame = await queued.result
        finally:
            if not queued.result.done() or queued.result.cancelled():
                queued.result.cancel()
                self._queue.remove(document.number, queued)
        if "error" in frame:
            raise errors.from_wire(frame["error"])
        answer = frame.get("answer")
        if not isinstance(answer, dict):
            raise errors.Unexpected(f"a worker sent a frame with {sorted(frame)}, not an answer")
        return answer

    def forget(self, document: Document) -> None:
        """Tell every worker to close a document that has no more tasks."""
        for worker in self._workers:
            worker.forget(document.number)

    async def _supervise(self, slot: int) -> None:
        """Keep one slot of the pool filled with a worker, and give it tasks."""
        while True:
            worker = await self._start_worker(slot)
            self._workers.add(worker)
            self._changed.set()
            try:
                while worker.tasks < self._tasks and await self._serve_next(worker):
                    pass
            finally:
                self._workers.discard(worker)
                worker.kill()
                closing = asyncio.create_task(worker.wait_closed())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
                await asyncio.shield(closing)  # `stop` may cancel this task, and then waits for the clean-up itself

    async def _start_worker(self, slot: int) -> WorkerProcess:
        failures = 0
        while True:
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            try:
                worker = await WorkerProcess.start(self._program, self._setup, self._start_timeout)
            except (Ended, OSError) as error:  # OSError: out of processes, descriptors or memory, or TimeoutError
                failures += 1
                self._broken.add(slot)
                _log.error("cannot start a worker for %s (attempt %d): %r", self._program.name, failures, error)
                if len(self._broken) == self.size:
                    self._fail_waiting(self._no_worker)
                self._changed.set()
            else:
                self._broken.discard(slot)
                return worker

    async def _serve_next(self, worker: WorkerProcess) -> bool:
        """Run one task on a worker; returns whether the worker is still alive."""
        taking = asyncio.ensure_future(self._queue.take())
        closing = asyncio.ensure_future(worker.closed.wait())
        try:
            await asyncio.wait({taking, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
            if not taking.done():
                taking.cancel()
        if not taking.done() or taking.cancelled():
            return False
        key, queued = taking.result()
        try:
            if worker.closed.is_set():
                self._queue.put_back(key, queued)
                return False
            return await self._serve(worker, queued)
        finally:
            self._queue.done(key)

    async def _serve(self, worker: WorkerProcess, queued: _PoolTask) -> bool:
        if queued.result.done():
            return True
        worker.seen.add(queued.document.number)
        fds = [queued.document.fd] if queued.output is None else [queued.document.fd, queued.output]
        call = asyncio.ensure_future(worker.call(queued.frame, fds))
        try:
            await asyncio.wait({call, queued.result}, timeout=self._task_timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # the pool is stopping
            _fail(queued, errors.Unavailable("the server is stopping"))
            raise
        finally:
            if not call.done():
                worker.kill()
                call.cancel()
                await asyncio.wait({call})
        if queued.result.done():
            return not call.cancelled()
        if call.cancelled():
            _fail(queued, errors.TaskTimeout(f"{queued.what} took longer than {self._task_timeout:g} seconds"))
            return False
        return self._conclude(call, queued)

    def _conclude(self, call: asyncio.Future[wire.Frame], queued: _PoolTask) -> bool:
        error = call.exception()
        if error is None:
            queued.result.set_result(call.result())
            return True
        queued.attempts += 1
        if isinstance(error, Ended) and not error.began and queued.attempts < _ATTEMPTS:
            self._queue.put(queued.document.number, queued)
        elif isinstance(error, Ended) and error.status == -DEADLY:
            _fail(queued, errors.TooSlow(f"{queued.what} takes too much processor time", "data"))
        elif isinstance(error, Ended) and error.status == -signal.SIGABRT:
            # What libraries in C++ do that get no memory, such as PDFium; or they found their own data damaged.
            _log.warning("a worker for %s aborted while processing %s", self._program.name, queued.what)
            _fail(
                queued,
                errors.TooLarge(f"{queued.what} needs more memory than the server allows, or is damaged", "data"),
            )
        elif isinstance(error, Ended):
            _log.warning("a worker for %s died while processing %s", self._program.name, queued.what)
            _fail(queued, errors.WorkerDied(f"the process that was working on {queued.what} ended unexpectedly"))
        else:
            _fail(queued, errors.Unexpected(repr(error)))
        return False

    def _fail_waiting(self, message: str) -> None:
        for queued in self._queue.drain():
            _fail(queued, errors.Unavailable(message))


def _fail(queued: _PoolTask, error: errors.WorkError) -> None:
    if not queued.result.done():
        queued.result.set_exception(error)

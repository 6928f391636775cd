"""A pool of worker processes for one event loop.

Owns which worker does what, for how long, and what happens when one ends. Knows nothing of PDF or OCR beyond the
frames it carries.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from . import errors, wire
from .document import Document
from .fair import FairQueue
from .process import Ended, WorkerProcess, sweep

_log = logging.getLogger(__name__)

_ATTEMPTS = 3  # for a task that no worker had begun when the worker ended
_BACKOFF = (0.0, 0.5, 2.0, 5.0)  # seconds before the n-th start in a row that failed; the last one repeats


@dataclass(eq=False, slots=True)
class _Turn:
    task: wire.Frame
    document: Document
    what: str  # for messages, such as "page 3"
    result: asyncio.Future[wire.Frame]
    attempts: int = 0


class WorkerPool:
    """Worker processes that are started ahead, replaced when they end, and shared fairly between documents."""

    def __init__(self, setup: wire.Frame, *, size: int, page_timeout: float, start_timeout: float, tasks: int) -> None:
        """`setup` is each worker's first frame; time-outs in seconds; after `tasks` a worker is replaced."""
        self.size = size
        self._setup = setup
        self._page_timeout = page_timeout
        self._start_timeout = start_timeout
        self._tasks = tasks
        self._queue: FairQueue[_Turn] = FairQueue()
        self._tenders: list[asyncio.Task[None]] = []
        self._workers: set[WorkerProcess] = set()
        self._leaving: set[asyncio.Task[None]] = set()  # workers that were ended and are being cleared up after
        self._broken: set[int] = set()  # places whose last start failed
        self._news = asyncio.Event()  # set whenever a start succeeded or failed

    @property
    def workers(self) -> frozenset[WorkerProcess]:
        """The workers that are ready or at work."""
        return frozenset(self._workers)

    @property
    def busy(self) -> int:
        """How many tasks are being done."""
        return self._queue.running

    @property
    def waiting(self) -> int:
        """How many tasks wait for a worker."""
        return len(self._queue)

    async def start(self) -> None:
        """Start the workers and wait until the first is ready. Raises Unavailable."""
        if self._tenders:
            raise RuntimeError("the pool is started already")
        await asyncio.to_thread(sweep)
        self._tenders = [asyncio.create_task(self._tend(place)) for place in range(self.size)]
        try:
            while not self._workers:
                await self._news.wait()
                self._news.clear()
                self.check()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all workers; tasks that still wait or run fail with Unavailable."""
        tenders, self._tenders = self._tenders, []
        for tender in tenders:
            tender.cancel()
        await asyncio.gather(*tenders, return_exceptions=True)
        await asyncio.gather(*self._leaving)
        self._fail_waiting("the server is stopping")
        self._broken.clear()

    def check(self) -> None:
        """Raise Unavailable unless some worker is ready, or about to be."""
        if not self._tenders:
            raise errors.Unavailable("the workers are not running")
        if len(self._broken) == self.size:
            raise errors.Unavailable("no worker process can be started; see the server's log")

    async def run(self, document: Document, task: wire.Frame, what: str) -> wire.Frame:
        """Have a task done on a document. A cancelled call ends the worker that is at it.

        Raises OcrError: the worker's own, or PageTimeout, WorkerDied, Unavailable.
        """
        self.check()
        turn = _Turn(task | {"document": document.number}, document, what, asyncio.get_running_loop().create_future())
        self._queue.put(document.number, turn)
        try:
            frame = await turn.result
        finally:
            if not turn.result.done() or turn.result.cancelled():
                turn.result.cancel()
                self._queue.remove(document.number, turn)
        if "error" in frame:
            raise errors.from_wire(frame["error"])
        answer = frame.get("answer")
        if not isinstance(answer, dict):
            raise errors.Unexpected(f"a worker answered {sorted(frame)}")
        return answer

    def forget(self, document: Document) -> None:
        """Have every worker close a document that needs no more tasks."""
        for worker in self._workers:
            worker.forget(document.number)

    async def _tend(self, place: int) -> None:
        """Keep one place of the pool filled with a worker, and the worker with tasks."""
        while True:
            worker = await self._hire(place)
            self._workers.add(worker)
            self._news.set()
            try:
                while worker.tasks < self._tasks and await self._serve_next(worker):
                    pass
            finally:
                self._workers.discard(worker)
                worker.kill()
                leaving = asyncio.create_task(worker.wait_closed())
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
                await asyncio.shield(leaving)  # `stop` may cancel this, and then waits for it itself

    async def _hire(self, place: int) -> WorkerProcess:
        failures = 0
        while True:
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            try:
                worker = await WorkerProcess.start(self._setup, self._start_timeout)
            except (Ended, OSError) as error:  # OSError: no more processes, descriptors or memory; TimeoutError is one
                failures += 1
                self._broken.add(place)
                _log.error("an OCR worker could not be started (attempt %d): %r", failures, error)
                if len(self._broken) == self.size:
                    self._fail_waiting("no worker process can be started; see the server's log")
                self._news.set()
            else:
                self._broken.discard(place)
                return worker

    async def _serve_next(self, worker: WorkerProcess) -> bool:
        """Do one task with a worker; false when it has ended."""
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
        key, turn = taking.result()
        try:
            if worker.closed.is_set():
                self._queue.put_back(key, turn)
                return False
            return await self._serve(worker, turn)
        finally:
            self._queue.done(key)

    async def _serve(self, worker: WorkerProcess, turn: _Turn) -> bool:
        if turn.result.done():
            return True
        worker.seen.add(turn.document.number)
        call = asyncio.ensure_future(worker.call(turn.task, turn.document.fd))
        try:
            await asyncio.wait({call, turn.result}, timeout=self._page_timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # the pool stops
            _fail(turn, errors.Unavailable("the server is stopping"))
            raise
        finally:
            if not call.done():
                worker.kill()
                call.cancel()
                await asyncio.wait({call})
        if turn.result.done():
            return not call.cancelled()
        if call.cancelled():
            _fail(turn, errors.PageTimeout(f"{turn.what} took longer than {self._page_timeout:g} seconds"))
            return False
        return self._conclude(call, turn)

    def _conclude(self, call: asyncio.Future[wire.Frame], turn: _Turn) -> bool:
        error = call.exception()
        if error is None:
            turn.result.set_result(call.result())
            return True
        turn.attempts += 1
        if isinstance(error, Ended) and not error.began and turn.attempts < _ATTEMPTS:
            self._queue.put(turn.document.number, turn)
        elif isinstance(error, Ended):
            _log.warning("an OCR worker ended while it was at %s", turn.what)
            _fail(turn, errors.WorkerDied(f"the process that was reading {turn.what} ended unexpectedly"))
        else:
            _fail(turn, errors.Unexpected(repr(error)))
        return False

    def _fail_waiting(self, message: str) -> None:
        for turn in self._queue.drain():
            _fail(turn, errors.Unavailable(message))


def _fail(turn: _Turn, error: errors.OcrError) -> None:
    if not turn.result.done():
        turn.result.set_exception(error)

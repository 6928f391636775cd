"""When a worker process is replaced."""

from __future__ import annotations

from artificer_services.kit.workers.child import Program
from artificer_services.kit.workers.document import Document
from artificer_services.kit.workers.pool import WorkerPool
from tests.waiting import until_here


async def keep(pool: WorkerPool, size: int) -> None:
    """Have a worker keep memory beyond the end of a document."""
    document = await Document.store(b"x")
    try:
        await pool.run(document, {"bytes": size}, "a test")
    finally:
        pool.forget(document)
        document.close()


async def test_a_worker_that_keeps_much_memory_after_a_document_is_replaced() -> None:
    program = Program("tests", "tests.services.kit.hoarder")
    pool = WorkerPool(program, {"memory": 0}, size=1, task_timeout=60, start_timeout=60, tasks=1000)
    await pool.start()
    try:
        (first,) = pool.workers
        await keep(pool, 1 << 20)
        await keep(pool, 600 << 20)
        assert first.tasks == 2  # the first document has not ended it
        await until_here(first.closed.is_set)
        await keep(pool, 1 << 20)
    finally:
        await pool.stop()

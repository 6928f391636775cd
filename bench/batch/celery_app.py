"""Plain Celery as in its documentation: tasks, a Redis broker and a Redis result backend, all with defaults."""

from __future__ import annotations

import os

from celery import Celery

from bench.batch.work import WORK

_URL = os.environ["BENCH_REDIS_URL"]
app = Celery("bench", broker=_URL, backend=_URL)
app.conf.broker_connection_retry_on_startup = True


@app.task(name="bench.run")  # type: ignore[untyped-decorator]  # Celery has no types
def run(task: str, text: str) -> str:
    """One item."""
    return WORK[task](text)

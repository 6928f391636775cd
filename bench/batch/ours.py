"""Jobs of the batch service: its program in a separate process, called over gRPC as by any client."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import grpc

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.build import BatchSettings
from artificer_services.batch.jobs.work import Done
from artificer_services.batch.store.database import open_store
from bench import process
from bench.batch.work import NAP, NAP_SECONDS, NOTHING, OCR

_MESSAGE = 1000  # items
_PHASES = {
    NOTHING: pb.Phase(name="work", task_type="test.trial"),
    NAP: pb.Phase(name="work", task_type="test.trial", parameters={"seconds": str(NAP_SECONDS)}),
    OCR: pb.Phase(name="work", task_type="ocr.extract"),
}
_ENDED = (pb.JOB_STATUS_COMPLETED, pb.JOB_STATUS_FAILED, pb.JOB_STATUS_CANCELLED)


class Service:
    """The running service, and the kernel's figures for it."""

    def __init__(self, server: process.Server, channel: grpc.Channel, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.stub: rpc.BatchServiceStub = rpc.BatchServiceStub(channel)

    def create(self, task: str, items: Iterable[str], *, concurrency: int = 0, checkpoint: int = 1) -> pb.Job:
        """Creates a job that is not started yet."""
        options = pb.JobOptions(concurrency=concurrency, checkpoint_frequency=checkpoint)
        request = pb.CreateJobRequest(name="bench", phases=[_PHASES[task]], options=options)
        job = self.stub.CreateJob(request)
        return self.stub.UploadItems(_messages(job.id, items)).job

    def run(self, task: str, items: Sequence[str], *, checkpoint: int = 1) -> float:
        """Returns the seconds from the start of a job until its client learns that it ended."""
        job = self.create(task, items, checkpoint=checkpoint)
        began = time.perf_counter()
        self.stub.StartJob(pb.StartJobRequest(job_id=job.id))
        (last,) = deque(self.stub.StreamProgress(pb.StreamProgressRequest(job_id=job.id)), maxlen=1)
        seconds = time.perf_counter() - began
        if last.status != pb.JOB_STATUS_COMPLETED or last.completed_items != len(items):
            raise RuntimeError(f"the job ended as {last}")
        return seconds


@contextlib.contextmanager
def service(workers: int, root: Path | None = None, **settings: Any) -> Iterator[Service]:
    """Runs the service on a new database, with workers that are ready."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = {"root": str(root)} if root else {}
        values = {"data_dir": folder, "workers": workers, "trial_tasks": True, "tasks": tasks, **settings}
        with (
            process.server("diptych", "batch", None, json.dumps(values)) as server,
            grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel,
        ):
            yield Service(server, channel, Path(folder))


def _messages(job_id: str, items: Iterable[str]) -> Iterator[pb.UploadItemsRequest]:
    rest = iter(items)
    while some := [pb.Item(input=text) for text in islice(rest, _MESSAGE)]:
        yield pb.UploadItemsRequest(job_id=job_id, items=some)


@dataclass(frozen=True, slots=True)
class Large:
    """A job with very many items: seconds, MiB, and milliseconds of calls about it."""

    count: int
    create: float
    grown: float
    file: float
    start_ms: float
    get_ms: float
    page_ms: float
    cancel_ms: float


def large(count: int) -> Large:
    """Creates such a job, starts it, queries it, and cancels it."""
    with service(1, engine="none") as one:
        one.create(NOTHING, ("warm" for _ in range(_MESSAGE)))
        one.server.forget_peak()
        before = one.server.peak()
        began = time.perf_counter()
        job = one.create(NOTHING, (f"item {number}" for number in range(count)))
        seconds, grown = time.perf_counter() - began, one.server.peak() - before
        assert job.total_items == count
        size = sum(file.stat().st_size for file in one.folder.iterdir()) / 1024 / 1024
        start = _ms(lambda: one.stub.StartJob(pb.StartJobRequest(job_id=job.id)))
        get = _ms(lambda: one.stub.GetJob(pb.GetJobRequest(job_id=job.id)))
        page = _ms(lambda: one.stub.GetResults(pb.GetResultsRequest(job_id=job.id)))
        cancel = _ms(lambda: one.stub.CancelJob(pb.CancelJobRequest(job_id=job.id)))
    return Large(count, seconds, grown, size, start, get, page, cancel)


def _ms(call: Any) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def latency(count: int) -> list[float]:
    """Returns milliseconds from the commit of an item's result until a client's stream delivers it, sorted.

    This process is the worker, so that one clock measures both moments.
    """
    with service(1, engine="none") as one:
        job = one.create(NOTHING, (str(number) for number in range(count)), concurrency=1)
        one.stub.StartJob(pb.StartJobRequest(job_id=job.id))
        heard: queue.SimpleQueue[tuple[int, float]] = queue.SimpleQueue()
        call = one.stub.StreamProgress(pb.StreamProgressRequest(job_id=job.id))

        def listen() -> None:
            for progress in call:
                heard.put((progress.completed_items, time.perf_counter()))

        listener = threading.Thread(target=listen)
        listener.start()
        heard.get()
        found = sorted(_commits(one, job.id, count, heard))
        listener.join()
        return found


def _commits(one: Service, job_id: str, count: int, heard: queue.SimpleQueue[tuple[int, float]]) -> Iterator[float]:
    store = open_store(BatchSettings(data_dir=str(one.folder)), durable=False)
    slot = store.open_slot(f"bench-{os.getpid()}", job_id=job_id)
    assert slot is not None
    (claimed,) = store.claim(slot, 1)
    for number in range(1, count + 1):
        # At a moment that is independent of the gateway's polling.
        time.sleep(0.05 + 0.1 * ((number * 0.618) % 1))
        outcome = Done(index=claimed.index, phase=claimed.phase, output="done")
        following = store.checkpoint(slot, [outcome], want=1)
        committed = time.perf_counter()
        while True:
            completed, when = heard.get(timeout=30)
            if completed >= number:
                break
        yield (when - committed) * 1e3
        if following:
            (claimed,) = following
    store.close_slot(slot)
    store.close()


def middle(values: list[float], share: float) -> float:
    """Returns the value below which that share of sorted values lies."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]

"""Runs of batch jobs from files and texts to results, also when something fails in between."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from artificer import Artificer, AsyncArtificer, BatchProgress
from artificer.errors import DeadlineExceededError, InvalidArgumentError, InvalidRequestError
from artificer_services.cluster.servers import free_port
from tests.e2e.conftest import ROOT, wait_until_listening
from tests.waiting import PATIENCE

LINES = ["a  b", "c\u00a0 d"]
CLEAN = ["a b", "c d"]


def test_files_become_texts(client: Artificer, scan: Path) -> None:
    seen: list[BatchProgress] = []
    run = client.batch.run(
        [str(scan), scan.read_bytes(), b"no document"],
        task_type="ocr.extract",
        parameters={"dpi": "100"},
        progress=seen.append,
    )
    assert run.job.status == "JOB_STATUS_COMPLETED"
    assert [output is not None and "Invoice number" in output for output in run.outputs] == [True, True, False]
    assert run.results[0].metadata == {"name": "scan.pdf"}
    assert [one.item_index for one in run.failed] == [2]
    assert run.failed[0].error
    uploads = [(one.done, one.total) for one in seen if one.stage == "uploading"]
    assert uploads == [(1, 3), (2, 3), (3, 3)]
    assert (seen[-1].done, seen[-1].failed, seen[-1].percentage, seen[-1].job_id) == (3, 1, 100.0, run.job.id)


def test_more_items_than_one_message_has(client: Artificer) -> None:
    run = client.batch.run(inputs=LINES * 1500, phases=[{"name": "tidy", "task_type": "text.normalize"}], concurrency=2)
    assert run.outputs == CLEAN * 1500
    assert run.job.name == "text.normalize"


def test_the_same_key_continues_the_same_job(client: Artificer) -> None:
    key = uuid4().hex
    first = client.batch.submit(inputs=LINES, task_type="text.normalize", idempotency_key=key)
    again = client.batch.run(inputs=LINES, task_type="text.normalize", idempotency_key=key)
    assert again.job.id == first.id
    assert again.outputs == CLEAN
    assert client.batch.wait(first.id).status == "JOB_STATUS_COMPLETED"


def test_items_are_added_as_texts(client: Artificer) -> None:
    job = client.batch.create("texts", [{"name": "tidy", "task_type": "text.normalize"}], items=[{"input": "first"}])
    added = client.batch.items.upload(job.id, ["second", {"input": "third", "metadata": {"n": "3"}}])
    assert (added.stored_count, added.duplicate_count) == (2, 0)
    assert client.batch.items.upload(job.id, iter(["second"]), first_index=1).duplicate_count == 1
    client.batch.start(job.id)
    client.batch.wait(job.id)
    assert [one.output for one in client.batch.results.list(job.id, page_size=2)] == ["first", "second", "third"]


def test_what_cannot_run_says_why(client: Artificer) -> None:
    with pytest.raises(TypeError, match="either task_type or phases"):
        client.batch.run(inputs=LINES)
    with pytest.raises(TypeError, match="put a single one into a list"):
        client.batch.run("scan.pdf", task_type="ocr.extract")
    with pytest.raises(ValueError, match="uploads must be at least 1"):
        client.batch.run(["scan.pdf"], task_type="ocr.extract", uploads=0)
    with pytest.raises(ValueError, match="at least one file or input"):
        client.batch.run(task_type="text.normalize")
    with pytest.raises(InvalidArgumentError, match="unknown task type") as failed:
        client.batch.run(inputs=LINES, task_type="absent")
    assert failed.value.field_violations[0].field == "phases[0].task_type"
    assert not hasattr(failed.value, "__notes__")
    with pytest.raises(InvalidRequestError, match=r"phases\[0\]\.taks: there is no such field"):
        client.batch.run(inputs=LINES, phases=[{"taks": "text.normalize"}])
    with pytest.raises(FileNotFoundError):
        client.batch.run(["absent.pdf"], task_type="ocr.extract")


def test_an_empty_file_fails_alone(client: Artificer, scan: Path) -> None:
    """It is uploaded like any other; over REST its request has no bytes."""
    run = client.batch.run([b"", scan], task_type="ocr.extract")
    assert [one.item_index for one in run.failed] == [0]
    assert "empty" in run.failed[0].error
    assert run.outputs[0] is None
    assert run.outputs[1]


def test_an_end_that_does_not_come(client: Artificer, scan: Path) -> None:
    """The job goes on, and the exception says how to wait again."""
    key = uuid4().hex
    with pytest.raises(DeadlineExceededError) as failed:
        client.batch.run(
            [scan] * 3, task_type="ocr.extract", parameters={"force": "true"}, idempotency_key=key, timeout=0.001
        )
    assert f"idempotency_key={key!r}" in failed.value.__notes__[0]
    (job,) = (one for one in client.batch.list() if one.name == "ocr.extract" and not one.complete_time)
    client.batch.cancel(job.id)


async def test_asynchronously(async_client: AsyncArtificer, scan: Path) -> None:
    seen: list[BatchProgress] = []
    run = await async_client.batch.run([scan] * 6, task_type="ocr.extract", uploads=2, progress=seen.append)
    assert len(set(run.outputs)) == 1
    assert [one.done for one in seen if one.stage == "uploading"] == [1, 2, 3, 4, 5, 6]

    async def lines() -> AsyncIterator[str]:
        for line in LINES:
            yield line

    job = await async_client.batch.create("texts", [{"name": "tidy", "task_type": "text.normalize"}])
    await async_client.batch.items.upload(job.id, lines())
    await async_client.batch.start(job.id)
    assert (await async_client.batch.wait(job.id)).completed_items == 2
    with pytest.raises(FileNotFoundError):
        await async_client.batch.run([scan, "absent.pdf"], task_type="ocr.extract")


def test_a_killed_server_is_waited_for(tmp_path: Path) -> None:
    """The run goes on when a server is up again at the same address, and has every result once."""
    running, outcome = threading.Event(), queue.Queue[list[str | None]]()

    def show(progress: BatchProgress) -> None:
        if progress.stage == "running" and progress.done:
            running.set()

    def run(client: Artificer) -> None:
        texts = [f"line  {number}" for number in range(3000)]
        phases = [{"name": f"tidy{number}", "task_type": "text.normalize"} for number in range(3)]
        outcome.put(client.batch.run(inputs=texts, phases=phases, concurrency=1, progress=show).outputs)

    port = free_port()
    with gateway(tmp_path, port) as (process, address), Artificer(base_url=address) as client:
        thread = threading.Thread(target=run, args=[client])
        thread.start()
        assert running.wait(PATIENCE)
        process.kill()
        process.wait()
        with gateway(tmp_path, port):
            assert outcome.get(timeout=3 * PATIENCE) == [f"line {number}" for number in range(3000)]
        thread.join()


@contextmanager
def gateway(data: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The services on a port, with jobs in a folder that outlives them; a dead worker's items are given up soon."""
    settings = {"DATA_DIR": str(data), "LEASE_SECONDS": "2", "HEARTBEAT_SECONDS": "0.4"}
    environment = os.environ | {f"DIPTYCH_SERVICES__BATCH__{name}": value for name, value in settings.items()}
    environment |= {f"DIPTYCH_SERVICES__{service}__DATA_DIR": str(data) for service in ("AI", "CHAT")}
    ports = ("--http-port", str(port), "--grpc-port", "0")
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create", *ports]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            yield process, wait_until_listening(process).http
        finally:
            process.terminate()

"""The worker processes: what ends them, what that costs others, and what is left behind (nothing)."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import aclosing, suppress
from pathlib import Path

import grpc
import pytest
from PIL import Image

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer_services.kit.workers.process import WorkerProcess
from artificer_services.ocr import errors
from artificer_services.ocr.build import OcrService, OcrSettings, build
from artificer_services.ocr.engine import Choices, Page
from tests.waiting import exited, until_here, wait_for

from . import samples
from .conftest import serve

ROOT = Path(__file__).parents[3]
ONE = samples.page_text(1)
LONG = samples.scan_pdf(*(samples.page_text(number) for number in range(1, 9)))
SHORT = samples.scan_pdf(ONE)
# Once the first page of a slow document has arrived, its worker stays busy for the rest of the test.
SLOW = samples.slow_pdf(ONE)


def busy(service: OcrService) -> list[WorkerProcess]:
    return [worker for worker in service.pool.workers if worker.busy]


async def read(service: OcrService, data: bytes) -> str:
    async with aclosing(service.reader.pages(data, Choices())) as pages:
        return "\f".join([page.text async for page in pages])


async def test_a_killed_worker_fails_only_its_own_request() -> None:
    async with serve(OcrSettings(workers=1)) as (service, stub):
        long = aiter(stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=SLOW)))
        await anext(long)
        await until_here(lambda: bool(busy(service)))
        short = stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))
        (worker,) = busy(service)
        os.kill(worker.pid, signal.SIGKILL)
        failed = await anext(long)
        assert (failed.page_number, failed.text, failed.method) == (2, "", "")
        assert failed.reason == pb.PAGE_REASON_FAILED
        assert failed.report.error.code == grpc.StatusCode.INTERNAL.value[0]
        assert "page 2 ended unexpectedly" in failed.report.error.message
        assert samples.words((await short).text) == samples.words(ONE)
        assert await service.ready()


def memory_files() -> int:
    """How many memory files this process has open."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing itself is closed by now
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sum("memfd:" in link for link in links)


async def test_a_worker_that_dies_idle_costs_no_request() -> None:
    async with serve(OcrSettings(workers=1)) as (service, stub):
        (worker,) = service.pool.workers
        os.kill(worker.pid, signal.SIGKILL)  # and at once, before the pool has noticed:
        answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))
        assert samples.words(answer.text) == samples.words(ONE)


async def test_a_client_that_leaves_frees_the_pool() -> None:
    async with serve(OcrSettings(workers=1)) as (service, stub):
        call = stub.ProcessPDFStream(pb.ProcessPDFStreamRequest(pdf_data=SLOW))
        await anext(aiter(call))
        await until_here(lambda: bool(busy(service)))
        (worker,) = busy(service)
        gone = os.pidfd_open(worker.pid)
        call.cancel()
        await exited(gone)
        answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))
        assert samples.words(answer.text) == samples.words(ONE)


async def test_a_client_that_leaves_before_its_searchable_document_leaves_nothing() -> None:
    async with serve(OcrSettings(workers=1, max_requests=1)) as (service, stub):
        await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))
        files = memory_files()
        call = stub.MakeSearchablePDF(pb.MakeSearchablePDFRequest(document_data=SLOW))
        reading = asyncio.ensure_future(call.read())
        await until_here(lambda: bool(busy(service)))
        assert memory_files() > files
        call.cancel()
        await asyncio.wait({reading})
        await until_here(lambda: memory_files() == files)
        scan = pb.MakeSearchablePDFRequest(document_data=samples.scan_pdf(ONE))
        assert (await anext(aiter(stub.MakeSearchablePDF(scan)))).data.startswith(b"%PDF-")


async def test_a_closed_generator_stops_the_work() -> None:
    service = build(OcrSettings(workers=2))
    async with service.lifespan():
        await until_here(lambda: len(service.pool.workers) == 2)
        pages = service.reader.pages(samples.slow_pdf(ONE, slow=2), Choices())
        await anext(pages)
        await until_here(lambda: len(busy(service)) == 2)
        gone = [os.pidfd_open(worker.pid) for worker in busy(service)]
        await pages.aclose()
        await exited(*gone)
        await until_here(lambda: len(service.pool.workers) == 2)


async def test_a_page_that_takes_too_long_is_ended() -> None:
    async with serve(OcrSettings(workers=1, page_timeout=1.5)) as (service, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.slow_pdf()))
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "page 1 took longer than 1.5 seconds" in (caught.value.details() or "")
        await until_here(lambda: bool(service.pool.workers))


async def test_a_page_that_needs_too_much_memory_is_not_called_damaged() -> None:
    drawn = samples.stream(b"BT /F1 8 Tf 10 10 Td (aaaaaaa aaaaa) Tj ET\n" * 60_000)
    font = "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    async with serve(OcrSettings(workers=1, worker_memory_bytes=100 << 20)) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.raw_pdf(f"{font} /Contents 4 0 R", drawn)))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.details() == "page 1 needs more memory than the server allows"


@pytest.mark.parametrize("mebibytes", [220, 235])  # the copy that fails first differs
async def test_an_image_for_which_tesseract_gets_no_memory_is_the_fault_of_the_image(mebibytes: int) -> None:
    picture = samples.save(Image.new("L", (6000, 6000), 255), "PNG")
    async with serve(OcrSettings(workers=1, worker_memory_bytes=mebibytes << 20)) as (_, stub):
        try:
            await stub.ExtractTextFromImage(pb.ExtractTextFromImageRequest(image_data=picture))
        except grpc.aio.AioRpcError as failed:
            assert failed.details() == "the document needs more memory than the server allows"  # noqa: PT017


async def test_a_page_for_which_pdfium_gets_no_memory_is_the_fault_of_its_document() -> None:
    form = "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F %d 0 R>>>>"
    forms = [samples.stream(b"/F Do /F Do", (form % (number + 1)).encode()) for number in range(5, 35)]
    last = samples.stream(b"0 0 1 1 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    page = "/MediaBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>/Contents 4 0 R"
    document = samples.raw_pdf(page, samples.stream(b"/F Do"), *forms, last)
    settings = OcrSettings(workers=1, pdf_engine="pypdfium2", worker_memory_bytes=150 << 20)
    async with serve(settings) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=document))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.value.details() == "page 1 needs more memory than the server allows, or is damaged"


async def test_a_long_document_does_not_starve_a_short_one() -> None:
    service = build(OcrSettings(workers=1))
    async with service.lifespan():
        seen: list[int] = []

        async def long() -> None:
            async for page in service.reader.pages(LONG, Choices()):
                seen.append(page.number)  # counted while it runs

        reading = asyncio.create_task(long())
        await until_here(lambda: seen == [1])
        assert samples.words(await read(service, SHORT)) == samples.words(ONE)
        assert len(seen) <= 4  # of eight: one turn each for inspecting and reading, and one already running
        await reading
        assert seen == list(range(1, 9))


async def test_the_first_page_arrives_while_others_are_read() -> None:
    service = build(OcrSettings(workers=1))
    async with service.lifespan(), aclosing(service.reader.pages(SLOW, Choices())) as pages:
        assert (await anext(pages)).number == 1
        (worker,) = service.pool.workers
        await until_here(lambda: worker.busy)  # at a slow page


async def test_a_slow_consumer_slows_the_work_down() -> None:
    service = build(OcrSettings(workers=1))
    data = samples.scan_pdf(*["x"] * 20)
    async with service.lifespan(), aclosing(service.reader.pages(data, Choices())) as pages:
        await anext(pages)
        # The generator is no longer read: running pages end, and no others begin.
        await until_here(lambda: not busy(service) and not len(service.pool._queue))
        (worker,) = service.pool.workers
        assert worker.tasks <= 8


async def test_requests_beyond_the_maximum_are_refused_with_a_retry_time() -> None:
    async with serve(OcrSettings(workers=1, max_requests=1)) as (service, stub):
        call = stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SLOW))
        await until_here(lambda: bool(busy(service)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        call.cancel()


async def test_workers_that_cannot_start_make_the_service_unavailable() -> None:
    service = build(OcrSettings(workers=2))
    service.pool._setup["languages"] = []
    with pytest.raises(errors.Unavailable, match="no OCR worker can be started"):
        await service.start()
    assert not await service.ready()


async def test_a_stopped_service_is_unavailable() -> None:
    async with serve(OcrSettings(workers=1)) as (service, stub):
        assert await service.ready()
        call = stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SLOW))
        await until_here(lambda: bool(busy(service)))
        await service.stop()
        assert not await service.ready()
        for failing in (call, stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=SHORT))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await failing
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_workers_are_replaced_after_their_number_of_tasks() -> None:
    service = build(OcrSettings(workers=1, worker_pages=3))
    async with service.lifespan():
        (first,) = service.pool.workers
        assert samples.words(await read(service, samples.scan_pdf(ONE, ONE, ONE))) == samples.words(ONE) * 3
        assert first not in service.pool.workers


async def test_documents_are_closed_in_the_workers() -> None:
    service = build(OcrSettings(workers=1))
    async with service.lifespan():
        for _ in range(4):
            await read(service, SHORT)
        (worker,) = service.pool.workers
        assert not worker.seen
        await service.reader.look(SHORT, Choices())  # a worker handles frames in order, so the four are closed by now
        assert documents(worker.pid) <= 1  # the last may just be closing


def documents(pid: int) -> int:
    """How many documents a worker has open, by however many descriptors."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since the folder was listed
            if "diptych" in str(file.readlink()):
                found.add(file.stat().st_ino)
    return len(found)


def left_behind() -> tuple[set[str], set[str], set[str]]:
    """This process's children, open descriptors and the service's temporary files."""
    gc.collect()
    children = set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())
    descriptors = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            descriptors.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    files = {str(path) for path in Path(tempfile.gettempdir()).glob(f"diptych-worker-{os.getpid()}-*")}
    return children, descriptors, files


@pytest.mark.parametrize("engine", ["tesserocr", "pytesseract"])
async def test_nothing_is_left_behind(engine: str) -> None:
    await asyncio.to_thread(int)  # the loop's thread pool is not the service's
    before = left_behind()
    service = build(OcrSettings(workers=2, ocr_engine=engine))  # type: ignore[arg-type]  # both are of the literal
    async with service.lifespan():
        await read(service, SHORT)
        await until_here(lambda: len(service.pool.workers) == 2)
        readings = [service.reader.pages(SLOW, Choices()) for _ in range(2)]
        for pages in readings:
            await anext(pages)
        cancelled, killed = (asyncio.ensure_future(anext(pages)) for pages in readings)
        await until_here(lambda: len(busy(service)) == 2)
        cancelled.cancel()
        for worker in busy(service):
            os.kill(worker.pid, signal.SIGKILL)
        results = await asyncio.gather(cancelled, killed, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert isinstance(results[1], Page)
        assert isinstance(results[1].error, errors.WorkerDied)
        await readings[1].aclose()
        with pytest.raises(errors.BadDocument):
            await read(service, SHORT[:200])
    for now, then in zip(left_behind(), before, strict=True):
        assert not now - then  # files of other processes may be gone in the meantime


SERVER = """
import asyncio, sys
from pathlib import Path
from artificer_services.ocr.build import OcrSettings, build
from artificer_services.ocr.engine import Choices
from tests.waiting import until_here

async def main() -> None:
    service = build(OcrSettings(workers=2, ocr_engine=sys.argv[2]))
    await service.start()
    await until_here(lambda: len(service.pool.workers) == 2)
    data = Path(sys.argv[1]).read_bytes()
    async for page in service.reader.pages(data, Choices(force=True)):
        if page.number == 1:
            print(*(worker.pid for worker in service.pool.workers), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("engine", ["tesserocr", "pytesseract"])
def test_workers_die_with_a_server_that_is_killed(tmp_path: Path, engine: str) -> None:
    (tmp_path / "slow.pdf").write_bytes(samples.slow_pdf(ONE, slow=2))
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "slow.pdf"), engine],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
        text=True,
    ) as server:
        assert server.stdout is not None
        workers = [int(pid) for pid in server.stdout.readline().split()]
        if engine == "pytesseract":
            wait_for(lambda: all(children(worker) for worker in workers))
        started = [int(pid) for worker in workers for pid in children(worker)]
        gone = [os.pidfd_open(pid) for pid in (*workers, *started)]
        server.kill()
        asyncio.run(exited(*gone))
        assert server.stdout.read() == ""  # it was killed in the middle of its work
    assert len(workers) == 2
    assert len(started) == (2 if engine == "pytesseract" else 0)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

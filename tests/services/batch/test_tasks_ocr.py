"""ocr.extract with the real engine: readable documents, unreadable ones, and an OCR process that dies."""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.tasks.api import Output, PhaseView, Rejected, Task, TaskError
from artificer_services.batch.tasks.registry import load
from artificer_services.ocr.batch_task import OcrTask, create
from tests.services.ocr import samples

from .works import ItemWork, phase

PRICES = {"ocr.extract": {"cost_per_page": 0.25, "max_page_pixels": 20_000_000}}


@pytest.fixture(scope="module")
def task() -> Iterator[Task]:
    """The task as in a worker; its OCR process is shared, as between the items of a job."""
    made = load(BatchSettings(tasks=PRICES))["ocr.extract"]
    yield made
    made.close()


def uri(data: bytes, kind: str = "application/pdf") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def read(task: Task | OcrTask, data: bytes, *, metadata: dict[str, str] | None = None, **parameters: str) -> Output:
    work = ItemWork(input=uri(data), phase=phase("ocr.extract", **parameters), metadata=metadata or {})
    assert task.check(work.phase) == []
    made = task.run(work)
    return Output(text=made.text, score=made.score, cost=made.cost)


def test_a_document_with_text_is_read_directly(task: Task, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ledger.pdf").write_bytes(samples.text_pdf(samples.page_text(1), samples.page_text(2)))
    work = ItemWork(input="in/ledger.pdf", settings={"root": str(tmp_path)}, phase=phase("ocr.extract"))
    output = task.run(work)
    assert [samples.words(text) for text in output.text.split("\f")] == [
        samples.words(samples.page_text(number)) for number in (1, 2)
    ]
    assert output.score is not None
    assert 0.9 < output.score < 1
    assert (output.cost, output.tokens) == (0.0, 0)
    assert [message for _, message in work.lines] == ["2 pages, 0 of them by OCR"]


def test_a_scan_is_read_by_ocr_and_its_cost_counted(task: Task) -> None:
    output = read(task, samples.mixed_pdf(samples.page_text(1), samples.page_text(2)))
    direct, scanned = output.text.split("\f")
    assert samples.words(direct) == samples.words(samples.page_text(1))
    assert samples.words(scanned) == samples.words(samples.page_text(2))
    assert output.score is not None
    assert 0.8 < output.score < 1
    assert output.cost == 0.25


def test_images_are_read_regardless_of_their_media_type(task: Task) -> None:
    output = read(task, samples.picture(samples.page_text(3)))
    assert samples.words(output.text) == samples.words(samples.page_text(3))
    assert output.score is not None
    assert output.score > 0.8
    assert output.cost == 0.25


def test_a_blob_is_read(task: Task) -> None:
    work = ItemWork(phase=phase("ocr.extract"))
    work.input = work.save_blob(samples.text_pdf(samples.page_text(1)), "application/pdf")
    assert samples.words(task.run(work).text) == samples.words(samples.page_text(1))


def test_a_phase_chooses_how_documents_are_read(task: Task) -> None:
    forced = read(task, samples.text_pdf(samples.page_text(1)), force="true", dpi="200", languages="eng")
    assert forced.cost == 0.25
    assert "harbour" in forced.text


def test_a_blank_page_lowers_no_score(task: Task) -> None:
    whole, blank = (read(task, samples.text_pdf(*texts)).score for texts in ((samples.page_text(1), ""), ("",)))
    assert whole == read(task, samples.text_pdf(samples.page_text(1))).score
    assert blank is not None
    assert blank >= 0.9


def test_the_phase_or_the_item_gives_a_password(task: Task) -> None:
    document = samples.encrypted_pdf(samples.page_text(1), "sesame")
    for metadata, parameters in (
        ({}, {"password": "sesame"}),
        ({"password": "sesame"}, {}),
        ({"password": "sesame"}, {"password": "another item's"}),
    ):
        assert "harbour" in read(task, document, metadata=metadata, **parameters).text
    with pytest.raises(Rejected, match="password"):
        read(task, document)
    with pytest.raises(Rejected, match="password"):
        read(task, document, password="guess")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello", "not a PDF document"),
        (samples.text_pdf("text")[:-300], "the end of the PDF document is lost"),
        (b"%PDF-1.7\n" + b"garbage " * 100 + b"\nstartxref\n0\n%%EOF\n", "PDF"),
        (samples.huge_page_pdf(), "pixels"),
        (samples.image_bomb_pdf(8000), "pixels"),
        (samples.png_bomb(40_000), "pixels"),
        (samples.picture("text", form="PNG")[:2000], "damaged"),
    ],
    ids=["empty", "text", "cut", "garbage", "huge page", "bomb in a page", "bomb", "cut picture"],
)
def test_a_broken_document_fails_at_once_with_its_reason(task: Task, data: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        read(task, data)


def test_a_page_that_cannot_be_read_is_logged(task: Task) -> None:
    with samples.pymupdf.open(stream=samples.mixed_pdf(samples.page_text(1), "lost"), filetype="pdf") as document:
        xref = document.get_page_images(1)[0][0]
        document.update_stream(xref, b"this is no picture", compress=False)
        document.xref_set_key(xref, "Filter", "/DCTDecode")
        data = bytes(document.tobytes())
    work = ItemWork(input=uri(data), phase=phase("ocr.extract"))
    output = task.run(work)
    assert samples.words(output.text) == samples.words(samples.page_text(1))
    assert output.cost == 0.0
    assert any("page 2 could not be read" in message for _, message in work.lines)


def test_a_killed_ocr_process_is_replaced(tmp_path: Path) -> None:
    task = create({})
    try:
        document = samples.scan_pdf(samples.page_text(1))
        assert "harbour" in read(task, document).text
        assert task._service is not None
        [worker] = task._service.pool.workers
        os.kill(worker.pid, signal.SIGKILL)
        assert "harbour" in read(task, document).text
    finally:
        task.close()


class Soon(threading.Event):
    """An event that is set at its third check: by then the OCR has begun, and is far from its end."""

    looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks >= 3


def test_after_a_cancelled_item_the_next_one_is_read(task: Task) -> None:
    pages = [samples.page_text(number) for number in range(20)]
    work = ItemWork(input=uri(samples.scan_pdf(*pages)), phase=phase("ocr.extract"), cancelled=Soon())
    with pytest.raises(TaskError, match="cancelled") as error:
        task.run(work)
    assert not isinstance(error.value, Rejected)
    assert "harbour" in read(task, samples.scan_pdf(samples.page_text(1))).text


def test_close_ends_the_ocr_process() -> None:
    task = create({})
    read(task, samples.text_pdf(samples.page_text(1)))
    assert task._service is not None
    [worker] = task._service.pool.workers
    task.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
    task.close()  # closing again does no harm
    read(task, samples.text_pdf(samples.page_text(1)))  # and it can be used again
    task.close()


def test_an_unused_task_starts_no_process() -> None:
    task = create({})
    assert task.check(phase("ocr.extract")) == []
    task.close()
    assert task._service is None


@pytest.mark.parametrize(
    ("view", "field", "reason"),
    [
        (phase("ocr.extract", languages="klingon"), "parameters.languages", "not installed"),
        (phase("ocr.extract", languages="../../etc/x"), "parameters.languages", "not installed"),
        (phase("ocr.extract", dpi="10"), "parameters.dpi", "from 50 to 1200"),
        (phase("ocr.extract", dpi="many"), "parameters.dpi", "from 50 to 1200"),
        (phase("ocr.extract", force="maybe"), "parameters.force", "true or false"),
        (phase("ocr.extract", min_text_threshold="-1"), "parameters.min_text_threshold", "number of characters"),
        (phase("ocr.extract", langauges="eng"), "parameters.langauges", "expected one of languages, dpi"),
        (phase("ocr.extract", use_rag=True), "use_rag", "does not retrieve passages"),
    ],
)
def test_a_phase_that_asks_for_what_is_not_there_is_refused(
    task: Task, view: PhaseView, field: str, reason: str
) -> None:
    [(found, text)] = task.check(view)
    assert found == field
    assert reason in text

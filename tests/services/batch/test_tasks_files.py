"""document.convert, image.process and ocr.searchable: what they make of files, and what they refuse for good."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pymupdf
import pytest
from PIL import Image

from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.tasks.api import Rejected, Task, TaskError
from artificer_services.batch.tasks.registry import load
from tests.services.convert import samples as documents
from tests.services.ocr import samples

from .works import ItemWork, phase


@pytest.fixture(scope="module")
def tasks() -> Iterator[dict[str, Task]]:
    """The tasks as in a worker."""
    limits = {"image.process": {"max_pixels": 1_000_000}, "document_convert": {"timeout": 20.0}}
    made = load(BatchSettings(tasks=limits))
    yield made
    for task in made.values():
        task.close()


def work_of(task: Task, data: bytes, kind: str = "", **parameters: str) -> ItemWork:
    uri = f"data:{kind or 'application/octet-stream'};base64,{base64.b64encode(data).decode()}"
    work = ItemWork(input=uri, phase=phase(task.name, **parameters))
    assert task.check(work.phase) == []
    return work


def blob(task: Task, work: ItemWork) -> tuple[bytes, str]:
    return work.blobs[task.run(work).text.removeprefix("blob:")]


def test_a_document_becomes_markdown_for_the_next_phase(tasks: dict[str, Task]) -> None:
    task = tasks["document.convert"]
    output = task.run(work_of(task, documents.REPORT))
    assert (output.text, output.score) == ("# Annual report\n\nSales rose in spring.\n", None)


def test_a_document_of_an_office_becomes_a_blob(tasks: dict[str, Task]) -> None:
    task = tasks["document.convert"]
    made, kind = blob(task, work_of(task, b"# Title\n", "text/markdown", to="odt"))
    assert made.startswith(b"PK")
    assert kind == "application/vnd.oasis.opendocument.text"


def test_an_image_is_processed_by_steps(tasks: dict[str, Task]) -> None:
    task = tasks["image.process"]
    out = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(out, "PNG")
    steps = json.dumps([{"resize": {"width": 100}}, {"rotate": {"degrees": 90}}])
    work = work_of(task, out.getvalue(), steps=steps, format="webp", quality="50")
    made, kind = blob(task, work)
    image = Image.open(io.BytesIO(made))
    assert (kind, image.format, image.size) == ("image/webp", "WEBP", (50, 100))
    assert [line for _, line in work.lines] == ["WEBP, 50 by 100 pixels"]


def test_a_scan_becomes_searchable(tasks: dict[str, Task]) -> None:
    task = tasks["ocr.searchable"]
    made, kind = blob(task, work_of(task, samples.scan_pdf("Quarterly figures")))
    assert kind == "application/pdf"
    with pymupdf.Document(stream=made) as document:  # type: ignore[no-untyped-call]
        assert samples.words(document[0].get_text()) == ["Quarterly", "figures"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("document.convert", b"\0\1", "the file is binary and of an unknown type"),
        ("image.process", b"text", "the file is not a PNG, JPEG, TIFF, "),
        ("image.process", samples.png_bomb(2_000), "the image has 2,000 by 2,000 pixels; at most 1,000,000"),
        ("ocr.searchable", b"text", "the file is of an unknown type"),
    ],
)
def test_a_file_that_can_never_succeed_fails_at_once(
    tasks: dict[str, Task], name: str, data: bytes, message: str
) -> None:
    with pytest.raises(Rejected) as caught:
        tasks[name].run(work_of(tasks[name], data))
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "parameters", "fault"),
    [
        ("document.convert", {"to": "pdf"}, ("parameters.to", "must be one of docx")),
        ("document.convert", {"input_format": "plain"}, ("parameters.input_format", "must be one of docx")),
        ("document.convert", {"media": "keep"}, ("parameters.media", "must be one of embed, omit, not 'keep'")),
        ("document.convert", {"model": "x"}, ("model", "must be empty")),
        ("image.process", {"steps": "{}"}, ("parameters.steps", "must be a JSON list of steps")),
        ("image.process", {"steps": "[" * 10_000}, ("parameters.steps", "must be a JSON list of steps")),
        ("image.process", {"steps": "[1]"}, ("parameters.steps", "must be a JSON list of steps")),
        ("image.process", {"steps": '[{"\\ud800": {}}]'}, ("parameters.steps", "must be a JSON list of steps")),
        ("image.process", {"steps": '[{"sharpen": {}}]'}, ("parameters.steps", "")),
        ("image.process", {"steps": '[{"resize": {}}]'}, ("parameters.steps[0].resize.width", "expected a width")),
        ("image.process", {"format": "bmp"}, ("parameters.format", "must be one of png, jpeg, webp")),
        ("image.process", {"quality": "0"}, ("parameters.quality", "must be a whole number from 1 to 100")),
        ("image.process", {"blur": "1"}, ("parameters.blur", "image.process has no such parameter")),
        ("ocr.searchable", {"dpi": "x"}, ("parameters.dpi", "must be a whole number")),
        ("ocr.searchable", {"password": "x"}, ("parameters.password", "ocr.searchable has no such parameter")),
    ],
)
def test_a_faulty_phase_names_its_parameter(
    tasks: dict[str, Task], name: str, parameters: dict[str, Any], fault: tuple[str, str]
) -> None:
    [(field, text)] = tasks[name].check(phase(name, **parameters))
    assert field == fault[0]
    assert text.startswith(fault[1])


def test_a_cancelled_job_ends_its_conversion(tasks: dict[str, Task]) -> None:
    task = tasks["document.convert"]
    work = work_of(task, b"<html>" + b"<b>" * 20_000 + b"x")
    stopping = threading.Timer(0.5, work.cancelled.set)
    stopping.start()
    with pytest.raises(TaskError, match="the job was cancelled"):
        task.run(work)
    stopping.join()
    assert task.run(work_of(task, b"next")).text == "next\n"

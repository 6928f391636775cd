"""Documents of a few kilobytes that draw for ever: refused early, and without an effect on readiness."""

from __future__ import annotations

import asyncio
from typing import Literal

import grpc
import pytest

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer_services.ocr.build import OcrSettings
from artificer_services.ocr.pdf.nesting import forms_drawn
from tests.waiting import until_here, until_told

from . import samples
from .conftest import serve

ENGINES = ["pymupdf", "pypdfium2"]


def document(*bodies: bytes) -> bytes:
    """Returns a PDF file of these objects, the first of which is the catalog."""
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1) + table + end


def stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def nested(levels: int = 30, *, kind: str = "forms", draws: bytes = b"/F Do ", after: bytes = b"") -> bytes:
    """Returns a document whose forms draw the next form ten times, 10^30 rectangles in all.

    A second page has the text `after`, if there is any.
    """
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 600 800]"
    uses = b"/Resources << /XObject << /F %d 0 R >> >>"
    inner = [stream(form + uses % (6 + level), draws * 10) for level in range(levels)]
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R %s >>"
    if kind == "annotation":
        note = b"<< /Type /Annot /Subtype /Stamp /F 4 /Rect [0 0 600 800] /AP << /N 5 0 R >> >>"
        page %= b"/Annots [" + note + b"]"
    else:
        page %= uses % 5
    content = stream(b"", b"" if kind == "annotation" else b"/F Do")
    kids = b"<< /Type /Pages /Kids [3 0 R %d 0 R] /Count 2 >>" % (6 + levels) if after else b""
    pages = (b"<< /Type /Catalog /Pages 2 0 R >>", kids or b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    font = b"/Resources << /Font << /T << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    second = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R %s >>" % (7 + levels, font)
    text = stream(b"", b"BT /T 12 Tf 60 700 Td (%s) Tj ET" % after)
    more = (second, text) if after else ()
    return document(*pages, page, content, *inner, stream(form, b"0 0 10 10 re f"), *more)


KINDS = {
    "forms": nested(),
    "forms behind comments": nested(draws=b"/F % comment\n Do "),
    "an annotation": nested(kind="annotation"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_document_that_draws_for_ever_is_refused(engine: Literal["pymupdf", "pypdfium2"], kind: str) -> None:
    assert len(KINDS[kind]) < 12_000
    settings = OcrSettings(workers=1, pdf_engine=engine, draw_timeout=0.5)
    async with serve(settings) as (ocr, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=KINDS[kind], force_ocr=True))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        told = str(caught.value.details())
        assert "page 1 takes too much processor time" in told or told == "page 1 draws more than 200,000 forms"
        assert await ocr.ready()
        answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=samples.text_pdf("after it")))
        assert "after it" in answer.text


@pytest.mark.parametrize("kind", ["forms", "forms behind comments"])
async def test_a_document_of_nested_forms_costs_pymupdf_no_worker(kind: str) -> None:
    async with serve(OcrSettings(workers=1, draw_timeout=600)) as (ocr, stub):
        workers = ocr.pool.workers
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=KINDS[kind]))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "page 1 draws more than 200,000 forms" in str(caught.value.details())
        assert ocr.pool.workers == workers


CONTENTS = {
    "a page": ({0: b"/A Do /A Do"}, 2),
    "nested": ({0: b"/A Do /B Do", 1: b"/B Do\n/B%x\nDo", 2: b"/Done Do"}, 4),
    "escaped": ({0: b"/#41 Do", 1: b"/#42 Do"}, 2),
    "no uses": ({0: b"/A Dox /A gs (/A Do)Tj"}, 1),  # a string is counted too; it is an estimate
    "itself": ({0: b"/A Do", 1: b"/A Do /A Do"}, 1),
    "comments": ({0: b"/A " + b"%" * 100_000 + b"\n" + b"/A%" * 100_000 + b"\n/A Do"}, 1),  # within a moment
    "too many": ({0: b"/A Do " * 1000, 1: b"/B Do " * 1000}, 200_001),
}


@pytest.mark.parametrize(("contents", "count"), CONTENTS.values(), ids=CONTENTS)
def test_forms_are_counted_without_drawing_them(contents: dict[int, bytes], count: int) -> None:
    names = {b"A": 1, b"B": 2}
    assert forms_drawn({0: names, 1: names}, lambda user: contents.get(user, b"")) == count


async def test_a_cancelled_document_does_not_change_readiness() -> None:
    """It costs its worker, and calls wait for the next one."""
    async with serve(OcrSettings(workers=1, draw_timeout=600)) as (ocr, stub):
        call = stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=nested(kind="annotation"), force_ocr=True))
        waiting = asyncio.ensure_future(call.code())
        (worker,) = ocr.pool.workers
        await until_here(lambda: worker.busy)
        call.cancel()
        assert await waiting is grpc.StatusCode.CANCELLED
        await until_here(lambda: worker not in ocr.pool.workers)

        async def replaced() -> bool:
            assert await ocr.ready()
            return bool(ocr.pool.workers)

        await until_told(replaced)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_page_that_draws_for_ever_does_not_fail_the_others(engine: Literal["pymupdf", "pypdfium2"]) -> None:
    data = nested(kind="annotation", after=b"The page after it")
    async with serve(OcrSettings(workers=1, pdf_engine=engine, draw_timeout=0.5)) as (_, stub):
        answer = await stub.ProcessPDF(pb.ProcessPDFRequest(pdf_data=data, force_ocr=True))
    assert answer.text == "\fThe page after it"
    first, second = answer.metadata.page_reports
    assert first.reason == pb.PAGE_REASON_FAILED
    assert "page 1" in first.error.message
    assert not second.HasField("error")

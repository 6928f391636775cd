"""The servicer of artificer.ocr.v1.OCRService: maps protos to the engine and back.

Owns the mapping of fields; decides nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf import message

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer.ocr.v1 import ocr_service_pb2_grpc

from ..kit.statuses import Context, Statuses
from .engine import Choices, DocumentReader, Page, weigh
from .errors import OcrError, Unexpected
from .routing import Method, Reason

_log = logging.getLogger(__name__)

_STATUSES = Statuses("ocr.artificer")
_REASONS = {reason: pb.PageReason.Value(f"PAGE_REASON_{reason.name}") for reason in Reason}


class OCRServicer(ocr_service_pb2_grpc.OCRServiceServicer):
    """Serves OCRService from a DocumentReader; `cost_per_page` is the price of OCR per page."""

    def __init__(self, reader: DocumentReader, *, cost_per_page: float = 0.0) -> None:
        self._reader = reader
        self._cost = cost_per_page

    async def ExtractTextFromImage(
        self, request: pb.ExtractTextFromImageRequest, context: Context
    ) -> pb.ExtractTextFromImageResponse:
        started = time.monotonic()
        choices = Choices(languages=tuple(request.languages), dpi=_optional(request, "dpi"))
        async with _AbortOnOcrError(context, "image_data"):
            image = await self._reader.image(request.image_data, request.content_type, choices)
        return pb.ExtractTextFromImageResponse(
            text=image.text,
            confidence=image.confidence,
            metadata=pb.ExtractionMetadata(
                processing_time_ms=_since(started), provider=self._reader.provider, model=image.model
            ),
        )

    async def ProcessPDF(self, request: pb.ProcessPDFRequest, context: Context) -> pb.ProcessPDFResponse:
        started = time.monotonic()
        async with (
            _AbortOnOcrError(context, "pdf_data"),
            aclosing(self._reader.pages(request.pdf_data, _choices(request))) as stream,
        ):
            pages = [page async for page in stream]
        ocr = [page for page in pages if page.decision.method is Method.OCR]
        return pb.ProcessPDFResponse(
            text="\f".join(page.text for page in pages),
            metadata=pb.PDFMetadata(
                pages=len(pages),
                method=_method(pages),
                has_text_content=any(page.decision.usable for page in pages),
                ocr_used=bool(ocr),
                ocr_confidence=weigh([(page.text, page.confidence or 0.0) for page in ocr]),
                ocr_cost=len(ocr) * self._cost,
                processing_time_ms=_since(started),
                page_reports=[_report(page) for page in pages],
            ),
        )

    async def ProcessPDFStream(
        self, request: pb.ProcessPDFStreamRequest, context: Context
    ) -> AsyncIterator[pb.ProcessPDFStreamResponse]:
        async with (
            _AbortOnOcrError(context, "pdf_data"),
            aclosing(self._reader.pages(request.pdf_data, _choices(request))) as pages,
        ):
            async for page in pages:
                yield pb.ProcessPDFStreamResponse(
                    page_number=page.number,
                    text=page.text,
                    confidence=page.confidence or 0.0,
                    method=page.decision.method.value,
                    reason=_REASONS[page.decision.reason],
                    pages=page.of,
                )

    async def CheckPDFNeedsOCR(
        self, request: pb.CheckPDFNeedsOCRRequest, context: Context
    ) -> pb.CheckPDFNeedsOCRResponse:
        choices = Choices(
            threshold=_optional(request, "min_text_threshold"),
            password=request.password or None,
            keep_invisible=request.keep_invisible_text,
        )
        async with _AbortOnOcrError(context, "pdf_data"):
            pages = await self._reader.look(request.pdf_data, choices)
        ocr_pages = sum(page.decision.method is Method.OCR for page in pages)
        return pb.CheckPDFNeedsOCRResponse(
            needs_ocr=ocr_pages > 0,
            has_text_content=any(page.decision.usable for page in pages),
            pages=len(pages),
            text_length=sum(page.text_length for page in pages),
            estimated_ocr_cost=ocr_pages * self._cost,
            page_reports=[_report(page) for page in pages],
        )


def _choices(request: pb.ProcessPDFRequest | pb.ProcessPDFStreamRequest) -> Choices:
    return Choices(
        languages=tuple(request.languages),
        dpi=_optional(request, "dpi"),
        force=request.force_ocr,
        threshold=_optional(request, "min_text_threshold"),
        password=request.password or None,
        keep_invisible=request.keep_invisible_text,
    )


def _optional(request: message.Message, field: str) -> int | None:
    return getattr(request, field) if request.HasField(field) else None


def _method(pages: list[Page]) -> str:
    """Returns how the document was read. Blank pages, which are read directly, do not count as direct."""
    used = {page.decision.method for page in pages if page.decision.reason is not Reason.BLANK}
    if len(used) == 2:
        return "mixed"
    return Method.OCR.value if Method.OCR in used else Method.DIRECT.value


def _report(page: Page) -> pb.PageReport:
    return pb.PageReport(
        page_number=page.number,
        method=page.decision.method.value,
        reason=_REASONS[page.decision.reason],
        text_length=page.text_length,
        invisible_text=page.invisible,
        confidence=page.confidence,
    )


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


class _AbortOnOcrError:
    """Ends the call with the status of an OcrError raised within it; `data` is the request field of the document."""

    __slots__ = ("_context", "_data")

    def __init__(self, context: Context, data: str) -> None:
        self._context, self._data = context, data

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Unexpected):
            _log.error("internal error while reading a document: %s", error.message)
            await _STATUSES.abort(self._context, Unexpected("internal error while reading the document"))
        if isinstance(error, OcrError):
            field = self._data if error.field == "data" else error.field
            await _STATUSES.abort(self._context, type(error)(error.message, field))

"""artificer.ocr.v1.OCRService for gRPC: proto to engine and back.

Owns the mapping of fields and of errors to statuses. Has no logic of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer.ocr.v1 import ocr_service_pb2_grpc

from . import errors
from .engine import Choices, Page, Reader, weigh
from .routing import Method, Reason

_log = logging.getLogger(__name__)

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

_CODES: dict[type[errors.OcrError], grpc.StatusCode] = {
    errors.BadDocument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.BadChoice: grpc.StatusCode.INVALID_ARGUMENT,
    # Not RESOURCE_EXHAUSTED: that is for quotas (AIP-193), and clients would try again what can never succeed.
    errors.TooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PasswordNeeded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PasswordWrong: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PageTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    # Not UNAVAILABLE: clients retry that by themselves, and a document that crashes one worker crashes the next.
    errors.WorkerDied: grpc.StatusCode.INTERNAL,
    errors.Busy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Unexpected: grpc.StatusCode.INTERNAL,
}
# About a page for every core; and the pool's longest wait before it tries to start workers again.
_RETRY_SECONDS: dict[type[errors.OcrError], int] = {errors.Busy: 2, errors.Unavailable: 5}
_REASONS = {reason: pb.PageReason.Value(f"PAGE_REASON_{reason.name}") for reason in Reason}


class OCRServicer(ocr_service_pb2_grpc.OCRServiceServicer):
    """Serves OCRService from a Reader. `cost_per_page` is what OCR of one page is accounted at."""

    def __init__(self, reader: Reader, *, cost_per_page: float = 0.0) -> None:
        self._reader = reader
        self._cost = cost_per_page

    async def ExtractTextFromImage(
        self, request: pb.ExtractTextFromImageRequest, context: Context
    ) -> pb.ExtractTextFromImageResponse:
        started = time.monotonic()
        choices = Choices(languages=tuple(request.languages), dpi=_optional(request, "dpi"))
        reading = self._reader.image(request.image_data, request.content_type, choices)
        image = await _or_abort(reading, context, "image_data")
        return pb.ExtractTextFromImageResponse(
            text=image.text,
            confidence=image.confidence,
            metadata=pb.ExtractionMetadata(
                processing_time_ms=_since(started), provider=self._reader.provider, model=image.model
            ),
        )

    async def ProcessPDF(self, request: pb.ProcessPDFRequest, context: Context) -> pb.ProcessPDFResponse:
        started = time.monotonic()
        pages = await _or_abort(self._all(request.pdf_data, _choices(request)), context, "pdf_data")
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
        async with aclosing(self._reader.pages(request.pdf_data, _choices(request))) as pages:
            while (page := await _or_abort(anext(pages, None), context, "pdf_data")) is not None:
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
        pages = await _or_abort(self._reader.look(request.pdf_data, choices), context, "pdf_data")
        needy = sum(page.decision.method is Method.OCR for page in pages)
        return pb.CheckPDFNeedsOCRResponse(
            needs_ocr=needy > 0,
            has_text_content=any(page.decision.usable for page in pages),
            pages=len(pages),
            text_length=sum(page.text_length for page in pages),
            estimated_ocr_cost=needy * self._cost,
            page_reports=[_report(page) for page in pages],
        )

    async def _all(self, data: bytes, choices: Choices) -> list[Page]:
        async with aclosing(self._reader.pages(data, choices)) as pages:
            return [page async for page in pages]


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
    """The way the document was read; blank pages, read directly, make no document mixed."""
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


async def _or_abort(work: Awaitable[T], context: Context, data_field: str) -> T:
    try:
        return await work
    except errors.OcrError as error:
        await _abort(error, context, data_field)


async def _abort(error: errors.OcrError, context: Context, data_field: str) -> NoReturn:
    text = error.message
    if isinstance(error, errors.Unexpected):
        _log.error("reading failed unexpectedly: %s", text)
        text = "reading the document failed unexpectedly"
    status = status_pb2.Status(code=_CODES[type(error)].value[0], message=text)
    if error.field:
        field = data_field if error.field == "data" else error.field
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.Busy | errors.Unavailable):
        delay = duration_pb2.Duration(seconds=_RETRY_SECONDS[type(error)])
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    await context.abort_with_status(rpc_status.to_status(status))

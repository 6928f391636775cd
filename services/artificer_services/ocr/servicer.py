"""The servicer of artificer.ocr.v1.OCRService: maps protos to the engine and back.

Owns the mapping of fields; decides nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from google.api import httpbody_pb2
from google.protobuf import message

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer.ocr.v1 import ocr_service_pb2_grpc

from ..kit.metadata import metadata_value
from ..kit.statuses import Context, Statuses
from .contents import Content, accepted_format, format_of, needs_places
from .engine import PROTECTED, Choices, DocumentReader, weigh
from .errors import BadChoice, OcrError, Unexpected
from .page.reading import Page
from .rendering import Rendering
from .reports import INTERNAL, REASONS, document_method, page_report, uses_ocr
from .sniff import is_image

_log = logging.getLogger(__name__)

_MOST_COUNTED = 2**31 - 1  # characters, as many as the field can say; 64 MB of a document unpack to more
_STATUSES = Statuses("ocr.artificer")


class OCRServicer(ocr_service_pb2_grpc.OCRServiceServicer):
    """Serves OCRService from a DocumentReader; `cost_per_page` is the price of OCR per page."""

    def __init__(self, reader: DocumentReader, *, cost_per_page: float = 0.0) -> None:
        self._reader = reader
        self._cost = cost_per_page

    async def ExtractTextFromImage(
        self, request: pb.ExtractTextFromImageRequest, context: Context
    ) -> pb.ExtractTextFromImageResponse:
        started = time.monotonic()
        choices = Choices(
            languages=tuple(request.languages), dpi=_optional(request, "dpi"), layout=needs_places(request.output)
        )
        async with _AbortOnOcrError(context, "image_data"):
            content = Content(request.output, self._reader.max_text, image=True)
            image = await self._reader.image(request.image_data, request.content_type, choices)
            for page in image.pages:
                await content.add(page)
        return pb.ExtractTextFromImageResponse(
            text=image.text,
            confidence=image.confidence,
            metadata=pb.ExtractionMetadata(
                processing_time_ms=_since(started), provider=self._reader.provider, model=image.model
            ),
            layouts=content.layouts,
            content=content.take(),
            page_reports=[page_report(page) for page in image.pages],
        )

    async def ProcessPDF(self, request: pb.ProcessPDFRequest, context: Context) -> pb.ProcessPDFResponse:
        started = time.monotonic()
        pages: list[Page] = []
        async with (
            _AbortOnOcrError(context, "pdf_data"),
            aclosing(self._reader.pages(request.pdf_data, _choices(request))) as stream,
        ):
            content = Content(request.output, self._reader.max_text)
            async for page in stream:
                await content.add(page)
                pages.append(replace(page, layout=None))
        ocr = [page for page in pages if uses_ocr(page)]
        return pb.ProcessPDFResponse(
            text="\f".join(page.text for page in pages),
            metadata=pb.PDFMetadata(
                pages=pages[0].of,
                method=document_method(pages),
                has_text_content=any(page.decision.usable for page in pages),
                ocr_used=bool(ocr),
                ocr_confidence=weigh([(page.text, page.confidence or 0.0) for page in ocr]),
                ocr_cost=len(ocr) * self._cost,
                processing_time_ms=_since(started),
                page_reports=[page_report(page) for page in pages],
            ),
            layouts=content.layouts,
            content=content.take(),
        )

    async def ProcessPDFStream(
        self, request: pb.ProcessPDFStreamRequest, context: Context
    ) -> AsyncIterator[pb.ProcessPDFStreamResponse]:
        async with (
            _AbortOnOcrError(context, "pdf_data"),
            aclosing(self._reader.pages(request.pdf_data, _choices(request))) as pages,
        ):
            content = Content(request.output, self._reader.max_text)
            async for page in pages:
                await content.add(page)
                (layout,) = content.take_layouts() or (None,)
                yield pb.ProcessPDFStreamResponse(
                    page_number=page.number,
                    text=page.text,
                    confidence=page.confidence or 0.0,
                    method=page.decision.method.value,
                    reason=REASONS[page.decision.reason],
                    pages=page.of,
                    report=page_report(page),
                    layout=layout,
                    content=content.take(),
                )

    async def CheckPDFNeedsOCR(
        self, request: pb.CheckPDFNeedsOCRRequest, context: Context
    ) -> pb.CheckPDFNeedsOCRResponse:
        choices = Choices(
            threshold=_optional(request, "min_text_threshold"),
            password=request.password or None,
            keep_invisible=request.keep_invisible_text,
            pages=request.pages,
        )
        async with _AbortOnOcrError(context, "pdf_data"):
            pages = await self._reader.look(request.pdf_data, choices)
        ocr_pages = sum(uses_ocr(page) for page in pages)
        return pb.CheckPDFNeedsOCRResponse(
            needs_ocr=ocr_pages > 0,
            has_text_content=any(page.decision.usable for page in pages),
            pages=pages[0].of,
            text_length=min(sum(page.text_length for page in pages), _MOST_COUNTED),
            estimated_ocr_cost=ocr_pages * self._cost,
            page_reports=[page_report(page) for page in pages],
        )

    async def RenderDocument(self, request: pb.RenderDocumentRequest, context: Context) -> httpbody_pb2.HttpBody:
        form = request.output or accepted_format(metadata_value(context, "accept"))
        choices = Choices(
            languages=tuple(request.languages),
            dpi=_optional(request, "dpi"),
            force=request.force_ocr,
            password=request.password or None,
            pages=request.pages,
            layout=needs_places(form),
        )
        data = request.document_data
        async with (
            _AbortOnOcrError(context, "document_data"),
            aclosing(self._reader.either(data, choices)) as pages,
        ):
            rendering = Rendering(format_of(form), self._reader.max_text, image=is_image(data))
            async for page in pages:
                await rendering.add(page)
        return httpbody_pb2.HttpBody(content_type=rendering.media_type, data=rendering.encoded())

    async def MakeSearchablePDF(
        self, request: pb.MakeSearchablePDFRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        choices = Choices(
            languages=tuple(request.languages),
            dpi=_optional(request, "dpi"),
            pages=request.pages,
            redo=request.force_ocr,
        )
        async with (
            _AbortOnOcrError(context, "document_data"),
            aclosing(self._reader.searchable(request.document_data, choices)) as pieces,
        ):
            if request.password:
                raise BadChoice(PROTECTED, "password")
            async for piece in pieces:
                yield httpbody_pb2.HttpBody(content_type="application/pdf", data=piece)


def _choices(request: pb.ProcessPDFRequest | pb.ProcessPDFStreamRequest) -> Choices:
    return Choices(
        languages=tuple(request.languages),
        dpi=_optional(request, "dpi"),
        force=request.force_ocr,
        threshold=_optional(request, "min_text_threshold"),
        password=request.password or None,
        keep_invisible=request.keep_invisible_text,
        pages=request.pages,
        layout=needs_places(request.output),
    )


def _optional(request: message.Message, field: str) -> int | None:
    return getattr(request, field) if request.HasField(field) else None


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
            await _STATUSES.abort(self._context, Unexpected(INTERNAL))
        if isinstance(error, OcrError):
            field = self._data if error.field == "data" else error.field
            await _STATUSES.abort(self._context, type(error)(error.message, field))

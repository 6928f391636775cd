"""`client.documents`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Unpack

from ... import types
from ..._files import FileInput
from ..._methods.convert import ConversionService
from ..._methods.ocr import OCRService
from ..._options import CallOptions
from ...types.base import HttpBody
from ..downloads import AsyncDownload
from ..resource import AsyncResource
from ..streams import AsyncStream


class AsyncDocumentsConversionFormats(AsyncResource):
    """`client.documents.conversion_formats`."""

    async def list(self, **call_options: Unpack[CallOptions]) -> types.convert.ListConversionFormatsResponse:
        """Returns the formats that documents can be converted from and to."""
        return await self._calls.unary(ConversionService.LIST_CONVERSION_FORMATS, {}, call_options)


class AsyncDocuments(AsyncResource):
    """`client.documents`: the text of PDF documents, and conversion between formats."""

    @cached_property
    def conversion_formats(self) -> AsyncDocumentsConversionFormats:
        """`client.documents.conversion_formats`."""
        return AsyncDocumentsConversionFormats(self._calls)

    def convert(
        self,
        file: FileInput,
        *,
        to: str | None = None,
        input_format: str | None = None,
        filename: str | None = None,
        standalone: bool | None = None,
        media: types.convert.MediaHandling | types.convert.MediaHandlingName | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AsyncDownload:
        """Converts one document.

        The first chunk carries the options. The converted document is streamed in pieces, of which the first has
        the media type, once the whole document has been received and converted.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            to: The format to convert to: a name or alias of `client.documents.conversion_formats.list`, such as
                "md", "html" or "docx". If it is empty, the Accept header of a REST request decides. Pandoc's
                extensions can be added, as in "md-raw_html".
            input_format: The format of the document: a name or alias of
                `client.documents.conversion_formats.list`. If it is empty, it is found by the bytes, the media type
                and the file name. A format that contradicts the bytes is refused, and so are a media type and a file
                name that contradict each other.
            filename: The name of the document's file, such as "report.docx".
            standalone: Whether a text format is written as a whole file, such as HTML with a head, instead of the
                content alone. Formats such as docx are always whole files.
            media: What becomes of the pictures inside the document in a text format, which has no place for them.
        """
        return self._calls.transfer(
            ConversionService.CONVERT_DOCUMENT,
            file,
            {"to": to, "input_format": input_format, "filename": filename, "standalone": standalone, "media": media},
            call_options,
        )

    async def process(
        self,
        file: FileInput,
        *,
        force_ocr: bool | None = None,
        min_text_threshold: int | None = None,
        languages: Sequence[str] | None = None,
        dpi: int | None = None,
        password: str | None = None,
        keep_invisible_text: bool | None = None,
        pages: str | None = None,
        output: types.ocr.OutputFormat | types.ocr.OutputFormatName | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.ocr.ProcessPDFResponse:
        """Reads the text of a PDF document. It answers once, when every page has been read.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            force_ocr: Whether to read every page by OCR, even one with a usable text layer.
            min_text_threshold: The number of visible characters from which a page's text layer is sufficient; 100
                if absent. A page with a picture or many drawings goes to OCR if its text layer has fewer than a fifth
                of this number. A page that is mostly covered by a picture goes to OCR if it has fewer than four times
                this number. A page with only text is read directly, unless this is set above 100 and the page has
                fewer characters. With an explicit 0, no page goes to OCR for lack of text. Below 100, pictures beside
                the text of a page are not read.
            languages: The languages of the text by their Tesseract names, such as "eng", most likely first. The
                default is the server's. "auto" alone chooses among the installed languages by the script of each
                page. A language that is not installed is refused; the error lists the installed ones.
            dpi: The resolution in dots per inch at which pages are rendered for OCR, from 50 to 600. The default
                is the page's own resolution, up to 200, or up to 300 for small print. A scanned page is never
                rendered above its own resolution.
            password: The password that opens the document.
            keep_invisible_text: Whether to use the invisible text that an earlier OCR run added to a scanned page
                in any case. Otherwise it is used if it reads well, and OCR is run again if not.
            pages: The pages to read, such as "1-3,7,10-": numbers counted from 1 and ranges of them. All pages if
                empty.
            output: What the response has beside the text.
        """
        return await self._calls.unary(
            OCRService.PROCESS_PDF,
            {
                "force_ocr": force_ocr,
                "min_text_threshold": min_text_threshold,
                "languages": languages,
                "dpi": dpi,
                "password": password,
                "keep_invisible_text": keep_invisible_text,
                "pages": pages,
                "output": output,
            },
            call_options,
            file=("pdf_data", file),
        )

    def process_stream(
        self,
        file: FileInput,
        *,
        force_ocr: bool | None = None,
        min_text_threshold: int | None = None,
        languages: Sequence[str] | None = None,
        dpi: int | None = None,
        password: str | None = None,
        keep_invisible_text: bool | None = None,
        pages: str | None = None,
        output: types.ocr.OutputFormat | types.ocr.OutputFormatName | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AsyncStream[types.ocr.ProcessPDFStreamResponse]:
        """Reads a PDF document and streams its pages. Each page is sent, in page order, as soon as it and all pages
        before it have been read.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            force_ocr: Whether to read every page by OCR, even one with a usable text layer.
            min_text_threshold: The number of visible characters from which a page's text layer is sufficient; 100
                if absent. A page with a picture or many drawings goes to OCR if its text layer has fewer than a fifth
                of this number. A page that is mostly covered by a picture goes to OCR if it has fewer than four times
                this number. A page with only text is read directly, unless this is set above 100 and the page has
                fewer characters. With an explicit 0, no page goes to OCR for lack of text. Below 100, pictures beside
                the text of a page are not read.
            languages: The languages of the text by their Tesseract names, such as "eng", most likely first. The
                default is the server's. "auto" alone chooses among the installed languages by the script of each
                page. A language that is not installed is refused; the error lists the installed ones.
            dpi: The resolution in dots per inch at which pages are rendered for OCR, from 50 to 600. The default
                is the page's own resolution, up to 200, or up to 300 for small print. A scanned page is never
                rendered above its own resolution.
            password: The password that opens the document.
            keep_invisible_text: Whether to use the invisible text that an earlier OCR run added to a scanned page
                in any case. Otherwise it is used if it reads well, and OCR is run again if not.
            pages: The pages to read, such as "1-3,7,10-": numbers counted from 1 and ranges of them. All pages if
                empty.
            output: What the response has beside the text.
        """
        return self._calls.stream(
            OCRService.PROCESS_PDF_STREAM,
            {
                "force_ocr": force_ocr,
                "min_text_threshold": min_text_threshold,
                "languages": languages,
                "dpi": dpi,
                "password": password,
                "keep_invisible_text": keep_invisible_text,
                "pages": pages,
                "output": output,
            },
            call_options,
            file=("pdf_data", file),
        )

    async def render(
        self,
        file: FileInput,
        *,
        output: types.ocr.OutputFormat | types.ocr.OutputFormatName | None = None,
        pages: str | None = None,
        languages: Sequence[str] | None = None,
        dpi: int | None = None,
        password: str | None = None,
        force_ocr: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> HttpBody:
        """Reads a PDF document or an image and returns it as a file: plain text, Markdown, hOCR, ALTO, TSV, or words
        with their places as JSON.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            output: The format of the file that is returned. If it is absent, the Accept header of a REST request
                decides ("text/markdown", "text/vnd.hocr+html", "application/alto+xml", "text/tab-separated-values",
                "application/json"); otherwise the format is plain text.
            pages: The pages to read, as in `client.documents.process`.
            languages: The languages of the text, as in `client.documents.process`.
            dpi: The resolution in dots per inch: of an image, or at which pages are rendered for OCR.
            password: The password that opens the document.
            force_ocr: Whether to read every page by OCR, even one with a usable text layer.
        """
        return await self._calls.unary(
            OCRService.RENDER_DOCUMENT,
            {
                "output": output,
                "pages": pages,
                "languages": languages,
                "dpi": dpi,
                "password": password,
                "force_ocr": force_ocr,
            },
            call_options,
            file=("document_data", file),
        )

    def make_searchable(
        self,
        file: FileInput,
        *,
        pages: str | None = None,
        languages: Sequence[str] | None = None,
        dpi: int | None = None,
        password: str | None = None,
        force_ocr: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AsyncDownload:
        """Adds the text found by OCR to a PDF document, invisibly, so that it can be searched and copied. An image
        becomes a PDF document.

        The pages look as before, and pages that need no OCR stay as they are. The file is streamed in pieces.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            pages: The pages to add text to, as in `client.documents.process`. The document keeps all its pages.
            languages: The languages of the text, as in `client.documents.process`.
            dpi: The resolution in dots per inch: of an image, or at which pages are rendered for OCR.
            password: The password that opens the document. A document with a password is refused, since what is
                returned has none.
            force_ocr: Whether to replace the invisible text of an earlier OCR run, also where it reads well.
        """
        return self._calls.download(
            OCRService.MAKE_SEARCHABLE_PDF,
            {"pages": pages, "languages": languages, "dpi": dpi, "password": password, "force_ocr": force_ocr},
            call_options,
            file=("document_data", file),
        )

    async def check_ocr(
        self,
        file: FileInput,
        *,
        min_text_threshold: int | None = None,
        password: str | None = None,
        keep_invisible_text: bool | None = None,
        pages: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.ocr.CheckPDFNeedsOCRResponse:
        """Reports which pages of a PDF need OCR. It also estimates what `client.documents.process` would cost.

        It looks at each page once and never runs OCR.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            min_text_threshold: The number of visible characters from which a text layer is sufficient, as in
                `client.documents.process`.
            password: The password that opens the document.
            keep_invisible_text: Whether to use the invisible text of an earlier OCR run, as in
                `client.documents.process`.
            pages: The pages to inspect, as in `client.documents.process`.
        """
        return await self._calls.unary(
            OCRService.CHECK_PDF_NEEDS_OCR,
            {
                "min_text_threshold": min_text_threshold,
                "password": password,
                "keep_invisible_text": keep_invisible_text,
                "pages": pages,
            },
            call_options,
            file=("pdf_data", file),
        )

"""Models of artificer.ocr.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

from . import base

__all__ = [
    "BoundingBox",
    "CheckPDFNeedsOCRRequest",
    "CheckPDFNeedsOCRResponse",
    "ExtractTextFromImageRequest",
    "ExtractTextFromImageResponse",
    "ExtractionMetadata",
    "MakeSearchablePDFRequest",
    "OutputFormat",
    "OutputFormatName",
    "PDFMetadata",
    "PageError",
    "PageLayout",
    "PageReason",
    "PageReasonName",
    "PageReport",
    "ProcessPDFRequest",
    "ProcessPDFResponse",
    "ProcessPDFStreamRequest",
    "ProcessPDFStreamResponse",
    "RenderDocumentRequest",
    "TableCell",
    "TableRow",
    "TextBlock",
    "TextBlockKind",
    "TextBlockKindName",
    "TextComparison",
    "TextLine",
    "Word",
]


class TextBlockKind(base.OpenEnum):
    """What a block of text is."""

    UNSPECIFIED = "TEXT_BLOCK_KIND_UNSPECIFIED"
    """Never sent."""
    PARAGRAPH = "TEXT_BLOCK_KIND_PARAGRAPH"
    """Running text."""
    HEADING = "TEXT_BLOCK_KIND_HEADING"
    """A heading, by the size of its letters."""
    LIST_ITEM = "TEXT_BLOCK_KIND_LIST_ITEM"
    """One item of a list."""
    TABLE = "TEXT_BLOCK_KIND_TABLE"
    """A table, by its ruled lines or by aligned columns."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "TEXT_BLOCK_KIND_UNSPECIFIED": 0,
            "TEXT_BLOCK_KIND_PARAGRAPH": 1,
            "TEXT_BLOCK_KIND_HEADING": 2,
            "TEXT_BLOCK_KIND_LIST_ITEM": 3,
            "TEXT_BLOCK_KIND_TABLE": 4,
        }


TextBlockKindName: TypeAlias = Literal["paragraph", "heading", "list_item", "table"]
"""The names of TextBlockKind in arguments of methods."""


class OutputFormat(base.OpenEnum):
    """A form in which the text of a document is returned."""

    UNSPECIFIED = "OUTPUT_FORMAT_UNSPECIFIED"
    """Plain text."""
    TEXT = "OUTPUT_FORMAT_TEXT"
    """Plain text, with a form feed (U+000C) between pages."""
    WORDS = "OUTPUT_FORMAT_WORDS"
    """Words with their places and confidences: PageLayout messages, or their JSON."""
    MARKDOWN = "OUTPUT_FORMAT_MARKDOWN"
    """Markdown with headings, lists and tables."""
    HOCR = "OUTPUT_FORMAT_HOCR"
    """HOCR 1.2, HTML with the places of words."""
    ALTO = "OUTPUT_FORMAT_ALTO"
    """ALTO 4, XML with the places of words."""
    TSV = "OUTPUT_FORMAT_TSV"
    """Tab-separated values as Tesseract writes them."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "OUTPUT_FORMAT_UNSPECIFIED": 0,
            "OUTPUT_FORMAT_TEXT": 1,
            "OUTPUT_FORMAT_WORDS": 2,
            "OUTPUT_FORMAT_MARKDOWN": 3,
            "OUTPUT_FORMAT_HOCR": 4,
            "OUTPUT_FORMAT_ALTO": 5,
            "OUTPUT_FORMAT_TSV": 6,
        }


OutputFormatName: TypeAlias = Literal["text", "words", "markdown", "hocr", "alto", "tsv"]
"""The names of OutputFormat in arguments of methods."""


class PageReason(base.OpenEnum):
    """The reason why a page is read directly or by OCR."""

    UNSPECIFIED = "PAGE_REASON_UNSPECIFIED"
    """Never sent."""
    TEXT_LAYER = "PAGE_REASON_TEXT_LAYER"
    """The page's own text layer is usable and is read directly."""
    BLANK = "PAGE_REASON_BLANK"
    """The page has no text and nothing that OCR could read."""
    FORCED = "PAGE_REASON_FORCED"
    """The request asked for OCR on every page."""
    IMAGE = "PAGE_REASON_IMAGE"
    """The page is a picture with little or no text."""
    VECTOR_TEXT = "PAGE_REASON_VECTOR_TEXT"
    """The page has many drawings and little or no text, as when letters were converted to outlines."""
    SPARSE_TEXT = "PAGE_REASON_SPARSE_TEXT"
    """A picture covers most of the page and the text layer is too short for such a page."""
    GARBLED = "PAGE_REASON_GARBLED"
    """Too many characters of the text layer are meaningless, as when a font does not map its glyphs to Unicode."""
    INVISIBLE_TEXT = "PAGE_REASON_INVISIBLE_TEXT"
    """The text layer is the invisible text of an earlier OCR run, which reads badly or says something else than the
    page; OCR is run again.
    """
    INVISIBLE_TEXT_KEPT = "PAGE_REASON_INVISIBLE_TEXT_KEPT"
    """The invisible text of an earlier OCR run is read directly, as the request asks or since it reads well."""
    BELOW_THRESHOLD = "PAGE_REASON_BELOW_THRESHOLD"
    """The text layer is shorter than the request's threshold, which is above the default."""
    UNCOVERED_PICTURES = "PAGE_REASON_UNCOVERED_PICTURES"
    """The text layer is usable, but pictures or drawings on the page have content that it does not cover: these are
    read by OCR too, and both are merged. The whole page is read by OCR if they cover most of it.
    """
    IMPLAUSIBLE_TEXT = "PAGE_REASON_IMPLAUSIBLE_TEXT"
    """The characters of the text layer have a meaning, but their sequence looks like no language, as when a font
    maps its glyphs to wrong letters.
    """
    LAYER_KEPT = "PAGE_REASON_LAYER_KEPT"
    """The text layer looked unusable, but OCR did not find better text."""
    FAILED = "PAGE_REASON_FAILED"
    """The page could not be read."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "PAGE_REASON_UNSPECIFIED": 0,
            "PAGE_REASON_TEXT_LAYER": 1,
            "PAGE_REASON_BLANK": 2,
            "PAGE_REASON_FORCED": 3,
            "PAGE_REASON_IMAGE": 4,
            "PAGE_REASON_VECTOR_TEXT": 5,
            "PAGE_REASON_SPARSE_TEXT": 6,
            "PAGE_REASON_GARBLED": 7,
            "PAGE_REASON_INVISIBLE_TEXT": 8,
            "PAGE_REASON_INVISIBLE_TEXT_KEPT": 9,
            "PAGE_REASON_BELOW_THRESHOLD": 10,
            "PAGE_REASON_UNCOVERED_PICTURES": 11,
            "PAGE_REASON_IMPLAUSIBLE_TEXT": 12,
            "PAGE_REASON_LAYER_KEPT": 13,
            "PAGE_REASON_FAILED": 14,
        }


PageReasonName: TypeAlias = Literal[
    "text_layer",
    "blank",
    "forced",
    "image",
    "vector_text",
    "sparse_text",
    "garbled",
    "invisible_text",
    "invisible_text_kept",
    "below_threshold",
    "uncovered_pictures",
    "implausible_text",
    "layer_kept",
    "failed",
]
"""The names of PageReason in arguments of methods."""


class ExtractTextFromImageRequest(base.Model):
    """One image, with hints for reading it."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ExtractTextFromImageRequest"

    image_data: bytes = b""
    """The bytes of the image file."""
    content_type: str = ""
    """The media type of the image, such as "image/png". If it is empty or "application/octet-stream", the type is
    detected from the bytes. A type that contradicts the bytes is refused.
    """
    languages: list[str] = []
    """The languages of the text by their Tesseract names, such as "eng", most likely first. The default is the
    server's. "auto" alone chooses among the installed languages by the script of each page. A language that is
    not installed is refused; the error lists the installed ones.
    """
    dpi: base.Int32 | None = None
    """The resolution of the image in dots per inch, from 50 to 1200. The default is the resolution that the image
    file states, or an estimate if it states none.
    """
    output: OutputFormat = OutputFormat.UNSPECIFIED
    """What the response has beside the text."""


class ExtractTextFromImageResponse(base.Model):
    """The text found in an image."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ExtractTextFromImageResponse"

    text: str = ""
    """The text, in reading order. A form feed (U+000C) separates the pages of a multi-page image."""
    confidence: float = 0.0
    """The engine's confidence in the text, from 0 to 1; 0 if it found none."""
    metadata: ExtractionMetadata | None = None
    """How the text was read."""
    layouts: list[PageLayout] = []
    """The words of each frame with their places, if the request asks for OUTPUT_FORMAT_WORDS."""
    content: str = ""
    """The text in the format that the request asks for, if it is a format of files such as OUTPUT_FORMAT_HOCR."""
    page_reports: list[PageReport] = []
    """How each frame was read, in order."""


class ProcessPDFRequest(base.Model):
    """One PDF document, with options for reading it."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ProcessPDFRequest"

    pdf_data: bytes = b""
    """The bytes of the PDF file."""
    force_ocr: bool = False
    """Whether to read every page by OCR, even one with a usable text layer."""
    min_text_threshold: base.Int32 | None = None
    """The number of visible characters from which a page's text layer is sufficient; 100 if absent.

    A page with a picture or many drawings goes to OCR if its text layer has fewer than a fifth of this number. A
    page that is mostly covered by a picture goes to OCR if it has fewer than four times this number. A page with
    only text is read directly, unless this is set above 100 and the page has fewer characters. With an explicit
    0, no page goes to OCR for lack of text. Below 100, pictures beside the text of a page are not read.
    """
    languages: list[str] = []
    """The languages of the text by their Tesseract names, such as "eng", most likely first. The default is the
    server's. "auto" alone chooses among the installed languages by the script of each page. A language that is
    not installed is refused; the error lists the installed ones.
    """
    dpi: base.Int32 | None = None
    """The resolution in dots per inch at which pages are rendered for OCR, from 50 to 600. The default is the page's
    own resolution, up to 200, or up to 300 for small print. A scanned page is never rendered above its own
    resolution.
    """
    password: str | None = None
    """The password that opens the document."""
    keep_invisible_text: bool = False
    """Whether to use the invisible text that an earlier OCR run added to a scanned page in any case. Otherwise it is
    used if it reads well, and OCR is run again if not.
    """
    pages: str = ""
    """The pages to read, such as "1-3,7,10-": numbers counted from 1 and ranges of them. All pages if empty."""
    output: OutputFormat = OutputFormat.UNSPECIFIED
    """What the response has beside the text."""


class ProcessPDFResponse(base.Model):
    """The text of a PDF document."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ProcessPDFResponse"

    text: str = ""
    """The text of all pages in order, separated by a form feed (U+000C), which no page's own text has."""
    metadata: PDFMetadata | None = None
    """How the document was read."""
    layouts: list[PageLayout] = []
    """The words of each page with their places, if the request asks for OUTPUT_FORMAT_WORDS."""
    content: str = ""
    """The document in the format that the request asks for, if it is a format of files such as
    OUTPUT_FORMAT_MARKDOWN.
    """


class ProcessPDFStreamRequest(base.Model):
    """One PDF document, with the same options as a ProcessPDFRequest."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ProcessPDFStreamRequest"

    pdf_data: bytes = b""
    """The bytes of the PDF file."""
    force_ocr: bool = False
    """Whether to read every page by OCR, even one with a usable text layer."""
    min_text_threshold: base.Int32 | None = None
    """The number of visible characters from which a page's text layer is sufficient; 100 if absent.

    A page with a picture or many drawings goes to OCR if its text layer has fewer than a fifth of this number. A
    page that is mostly covered by a picture goes to OCR if it has fewer than four times this number. A page with
    only text is read directly, unless this is set above 100 and the page has fewer characters. With an explicit
    0, no page goes to OCR for lack of text. Below 100, pictures beside the text of a page are not read.
    """
    languages: list[str] = []
    """The languages of the text by their Tesseract names, such as "eng", most likely first. The default is the
    server's. "auto" alone chooses among the installed languages by the script of each page. A language that is
    not installed is refused; the error lists the installed ones.
    """
    dpi: base.Int32 | None = None
    """The resolution in dots per inch at which pages are rendered for OCR, from 50 to 600. The default is the page's
    own resolution, up to 200, or up to 300 for small print. A scanned page is never rendered above its own
    resolution.
    """
    password: str | None = None
    """The password that opens the document."""
    keep_invisible_text: bool = False
    """Whether to use the invisible text that an earlier OCR run added to a scanned page in any case. Otherwise it is
    used if it reads well, and OCR is run again if not.
    """
    pages: str = ""
    """The pages to read, such as "1-3,7,10-": numbers counted from 1 and ranges of them. All pages if empty."""
    output: OutputFormat = OutputFormat.UNSPECIFIED
    """What the response has beside the text."""


class ProcessPDFStreamResponse(base.Model):
    """The text of one page of a PDF document."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ProcessPDFStreamResponse"

    page_number: base.Int32 = 0
    """The number of the page, counted from 1."""
    text: str = ""
    """The text of the page, in reading order."""
    confidence: float = 0.0
    """The confidence in the text, from 0 to 1: the engine's for text read by OCR, and for text that was read
    directly how much it looks like a language, which is below 1.
    """
    method: str = ""
    """How the page was read: "direct", "ocr" or "mixed", as in PageReport."""
    reason: PageReason = PageReason.UNSPECIFIED
    """Why the page was read that way."""
    pages: base.Int32 = 0
    """The number of pages of the document."""
    report: PageReport | None = None
    """How the page was read."""
    layout: PageLayout | None = None
    """The words of the page with their places, if the request asks for OUTPUT_FORMAT_WORDS."""
    content: str = ""
    """The page in the format that the request asks for, if it is a format of files such as OUTPUT_FORMAT_HOCR. That
    of each page is a whole file.
    """


class RenderDocumentRequest(base.Model):
    """One PDF document or image, with the format to return it in."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.RenderDocumentRequest"

    document_data: bytes = b""
    """The bytes of the file."""
    output: OutputFormat = OutputFormat.UNSPECIFIED
    """The format of the file that is returned. If it is absent, the Accept header of a REST request decides
    ("text/markdown", "text/vnd.hocr+html", "application/alto+xml", "text/tab-separated-values",
    "application/json"); otherwise the format is plain text.
    """
    pages: str = ""
    """The pages to read, as in ProcessPDFRequest."""
    languages: list[str] = []
    """The languages of the text, as in ProcessPDFRequest."""
    dpi: base.Int32 | None = None
    """The resolution in dots per inch: of an image, or at which pages are rendered for OCR."""
    password: str | None = None
    """The password that opens the document."""
    force_ocr: bool = False
    """Whether to read every page by OCR, even one with a usable text layer."""


class MakeSearchablePDFRequest(base.Model):
    """One PDF document or image, with options for reading it."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.MakeSearchablePDFRequest"

    document_data: bytes = b""
    """The bytes of the file."""
    pages: str = ""
    """The pages to add text to, as in ProcessPDFRequest. The document keeps all its pages."""
    languages: list[str] = []
    """The languages of the text, as in ProcessPDFRequest."""
    dpi: base.Int32 | None = None
    """The resolution in dots per inch: of an image, or at which pages are rendered for OCR."""
    password: str | None = None
    """The password that opens the document. A document with a password is refused, since what is returned has none."""
    force_ocr: bool = False
    """Whether to replace the invisible text of an earlier OCR run, also where it reads well."""


class CheckPDFNeedsOCRRequest(base.Model):
    """One PDF document, with the options that affect the choice of pages."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.CheckPDFNeedsOCRRequest"

    pdf_data: bytes = b""
    """The bytes of the PDF file."""
    min_text_threshold: base.Int32 | None = None
    """The number of visible characters from which a text layer is sufficient, as in ProcessPDFRequest."""
    password: str | None = None
    """The password that opens the document."""
    keep_invisible_text: bool = False
    """Whether to use the invisible text of an earlier OCR run, as in ProcessPDFRequest."""
    pages: str = ""
    """The pages to inspect, as in ProcessPDFRequest."""


class CheckPDFNeedsOCRResponse(base.Model):
    """CheckPDFNeedsOCRResponse reports how ProcessPDF would read a document."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.CheckPDFNeedsOCRResponse"

    needs_ocr: bool = False
    """Whether any page needs OCR."""
    has_text_content: bool = False
    """Whether any page has a text layer that would be read directly."""
    pages: base.Int32 = 0
    """The number of pages of the document."""
    text_length: base.Int32 = 0
    """The number of visible characters in the text layers of all pages, usable or not."""
    estimated_ocr_cost: float = 0.0
    """The cost of OCR on the pages that need it, in the currency of the server's price per page."""
    page_reports: list[PageReport] = []
    """How each page would be read, in page order."""


class ExtractionMetadata(base.Model):
    """ExtractionMetadata describes how the text of an image was read."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.ExtractionMetadata"

    processing_time_ms: base.Int32 = 0
    """The duration of the request in milliseconds, including the wait for a free worker."""
    provider: str = ""
    """The engine that read the image, such as "tesserocr"."""
    model: str = ""
    """The engine's version and the language data it used, such as "tesseract-5.5.4/eng"."""
    tokens_used: base.Int32 = 0
    """The number of tokens used; 0 for engines that run on the server itself."""
    cost: float = 0.0
    """The cost of the extraction; 0 for engines that run on the server itself."""


class PDFMetadata(base.Model):
    """PDFMetadata describes how a PDF document was read."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.PDFMetadata"

    pages: base.Int32 = 0
    """The number of pages of the document."""
    method: str = ""
    """How the pages were read: "direct", "ocr", or "mixed" if both were used. Pages without any content and those
    that could not be read do not count.
    """
    has_text_content: bool = False
    """Whether any page has a usable text layer."""
    ocr_used: bool = False
    """Whether any page was read by OCR."""
    ocr_confidence: float = 0.0
    """The engine's confidence in the pages read by OCR, from 0 to 1, weighted by their length; 0 if OCR was not used
    or found no text.
    """
    ocr_cost: float = 0.0
    """The cost of OCR; 0 for engines that run on the server itself."""
    processing_time_ms: base.Int32 = 0
    """The duration of the request in milliseconds, including the wait for a free worker."""
    page_reports: list[PageReport] = []
    """How each page was read, in page order."""


class PageReport(base.Model):
    """PageReport describes how one page is read, and why."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.PageReport"

    page_number: base.Int32 = 0
    """The number of the page, counted from 1."""
    method: str = ""
    """How the page is read: "direct", "ocr", or "mixed" if its text layer is read directly and the pictures that the
    layer does not cover by OCR. Empty if the page could not be read.
    """
    reason: PageReason = PageReason.UNSPECIFIED
    """Why the page is read that way."""
    text_length: base.Int32 = 0
    """The number of visible characters in the page's own text layer."""
    invisible_text: bool = False
    """Whether the page has the invisible text of an earlier OCR run."""
    confidence: float | None = None
    """The confidence in the page's text, from 0 to 1: the engine's for text read by OCR, and for text that was read
    directly how much it looks like a language, which is below 1. Absent if the page has not been read.
    """
    ocr_regions: list[BoundingBox] = []
    """The parts of a "mixed" page that are read by OCR."""
    comparison: TextComparison | None = None
    """The text layer beside what OCR found, if both were read; the better one is returned."""
    rotation_degrees: base.Int32 = 0
    """The degrees by which the page was turned clockwise to be read by OCR: 0, 90, 180 or 270."""
    skew_degrees: float = 0.0
    """The degrees by which the page was turned clockwise to straighten its lines, from -15 to 15."""
    ocr_dpi: base.Int32 = 0
    """The resolution at which the page was read by OCR, in dots per inch; 0 if it is unknown or OCR was not used."""
    languages: list[str] = []
    """The languages with which OCR read the page."""
    script: str = ""
    """The script of the page by its Unicode name, such as "Latin" or "Cyrillic", if it was determined."""
    error: PageError | None = None
    """Why the page could not be read, if so."""


class PageError(base.Model):
    """Why one page could not be read."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.PageError"

    code: base.Int32 = 0
    """The kind of the error: a google.rpc.Code such as 3 (INVALID_ARGUMENT) for a damaged page, 4
    (DEADLINE_EXCEEDED) for one that took too long, or 8 (RESOURCE_EXHAUSTED) for one that is too large.
    """
    message: str = ""
    """What is wrong with the page."""


class TextComparison(base.Model):
    """A page's text layer beside the text that OCR found on the page."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.TextComparison"

    layer_quality: float = 0.0
    """The quality of the text layer, from 0 to 1."""
    ocr_quality: float = 0.0
    """The quality of the text found by OCR, from 0 to 1, measured in the same way."""
    kept: str = ""
    """The text that is returned: "layer" or "ocr"."""


class BoundingBox(base.Model):
    """A rectangle on a displayed page, in points (1/72 inch) from its top left corner; y grows downwards. On an
    image whose resolution is unknown, a point is a pixel.
    """

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.BoundingBox"

    left: float = 0.0
    """The left edge."""
    top: float = 0.0
    """The top edge."""
    right: float = 0.0
    """The right edge."""
    bottom: float = 0.0
    """The bottom edge."""


class PageLayout(base.Model):
    """The text of a page with the place of every word."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.PageLayout"

    page_number: base.Int32 = 0
    """The number of the page, counted from 1."""
    width: float = 0.0
    """The width of the displayed page in points."""
    height: float = 0.0
    """The height of the displayed page in points."""
    blocks: list[TextBlock] = []
    """The blocks of the page in reading order."""


class TextBlock(base.Model):
    """A paragraph, a heading, an item of a list, or a table."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.TextBlock"

    kind: TextBlockKind = TextBlockKind.UNSPECIFIED
    """What the block is."""
    box: BoundingBox | None = None
    """Where the block is."""
    lines: list[TextLine] = []
    """The lines of the block, in reading order."""
    level: base.Int32 = 0
    """The level of a heading, where 1 is the highest, or the depth of an item of a list; else 0."""
    rows: list[TableRow] = []
    """The rows of a table."""


class TextLine(base.Model):
    """One line of text."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.TextLine"

    box: BoundingBox | None = None
    """Where the line is."""
    words: list[Word] = []
    """The words of the line, in reading order."""


class Word(base.Model):
    """One word of a line."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.Word"

    text: str = ""
    """The word."""
    box: BoundingBox | None = None
    """Where the word is."""
    confidence: float = 0.0
    """The confidence in the word, from 0 to 1, as in PageReport."""
    font_size: float = 0.0
    """The size of the letters in points; an estimate for words read by OCR."""


class TableRow(base.Model):
    """One row of a table."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.TableRow"

    cells: list[TableCell] = []
    """The cells of the row, from left to right. A cell that spans several rows is in the first of them."""


class TableCell(base.Model):
    """One cell of a table."""

    __proto__ = "artificer.ocr.v1.ocr_service_pb2:artificer.ocr.v1.TableCell"

    text: str = ""
    """The text of the cell."""
    box: BoundingBox | None = None
    """Where the cell is."""
    column_span: base.Int32 = 0
    """The number of columns that the cell spans."""
    row_span: base.Int32 = 0
    """The number of rows that the cell spans."""

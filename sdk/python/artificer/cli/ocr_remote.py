"""Reads documents by the OCR service of a gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import APIError
from ..types.ocr import OutputFormat, PageReport, ProcessPDFStreamResponse
from .errors import Unreachable
from .json_form import as_json
from .ocr_reading import LACK_END, Asked, OutputKind, Watcher, is_pdf
from .session import Session

_FORMATS = {
    OutputKind.TXT: OutputFormat.TEXT,
    OutputKind.MD: OutputFormat.MARKDOWN,
    OutputKind.JSON: OutputFormat.WORDS,
    OutputKind.HOCR: OutputFormat.HOCR,
    OutputKind.ALTO: OutputFormat.ALTO,
    OutputKind.TSV: OutputFormat.TSV,
}
_STREAMED = frozenset({OutputKind.TXT, OutputKind.JSON})  # forms whose pages make a file when they are joined


class RemoteReader:
    """Reads by a gateway, without a time limit: OCR of a long document takes hours."""

    def __init__(self, session: Session) -> None:
        self._session, self._documents = session, session.client.documents

    def read(self, data: bytes, asked: Asked, watcher: Watcher) -> Sequence[bytes]:
        """See `Reader`."""
        try:
            return list(self._read(data, asked, watcher))
        except APIError as error:
            failure = self._session.failure(error)
            if isinstance(failure, Unreachable):
                failure.message += "; --local needs no server"
            raise failure from None

    def _read(self, data: bytes, asked: Asked, watcher: Watcher) -> Iterator[bytes]:
        common: dict[str, Any] = {"languages": asked.languages, "dpi": asked.dpi, "pages": asked.pages}
        common |= {"force_ocr": asked.force, "password": asked.password or None, "timeout": None}
        if asked.output is OutputKind.PDF:
            with self._documents.make_searchable(data, **common) as made:
                yield from made
            return
        form = _FORMATS[asked.output]
        streamed = is_pdf(data) and asked.output in _STREAMED
        if not is_pdf(data):
            yield self._documents.render(data, output=form, **common).data
        elif streamed:
            with self._documents.process_stream(data, output=form, **common) as pages:
                yield from _joined(pages, asked.output, watcher)
        else:
            answer = self._documents.process(data, output=form, **common)
            for report in answer.metadata.page_reports if answer.metadata else ():
                _tell(watcher, report)
            yield answer.content.encode()
        if asked.output in LACK_END and not streamed:
            yield b"\n"


def _joined(pages: Iterable[ProcessPDFStreamResponse], output: OutputKind, watcher: Watcher) -> Iterator[bytes]:
    """Yields the pages as RenderDocument would return them."""
    text = output is OutputKind.TXT
    start, between, end = ("", "\f", "\n") if text else ('{"layouts":[', ",", "]}\n")
    for page in pages:
        _tell(watcher, page.report)
        watcher.page(page.pages)
        if text or page.layout is not None:
            yield (start + (page.text if text else as_json(page.layout))).encode()
            start = between
    yield (("" if start == between else start) + end).encode()


def _tell(watcher: Watcher, report: PageReport | None) -> None:
    if report is not None and report.error is not None:
        watcher.error(report.page_number, report.error.message)

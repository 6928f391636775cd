"""Reads assets for the AI services by the OCR and conversion services: pages and documents as Markdown.

A composition root makes these of the services' engines, since the services never import one another.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager

from .ai.reading.detect import detect
from .ai.reading.errors import NoReader
from .ai.reading.values import AssetKind, Page, Reader, Reading
from .convert.engine import Choices as ConvertChoices
from .convert.engine import Converter
from .kit.workers.errors import Unexpected
from .ocr.choices import Choices as OcrChoices
from .ocr.engine import DocumentReader
from .ocr.output.formats import OutputFormat
from .ocr.page.reading import Page as OcrPage
from .ocr.rendering import Rendering
from .ocr.sniff import media_type

_log = logging.getLogger(__name__)

_GFM = "gfm-raw_html"  # without HTML, which Pandoc writes for what Markdown lacks, and which a model reads as noise
_CONVERTED = {AssetKind.HTML: "text/html", AssetKind.OFFICE: "application/octet-stream"}


class PdfReader:
    """Reads PDF documents page by page: their text, or OCR where a page has none."""

    kinds = frozenset({AssetKind.PDF})

    def __init__(self, reader: DocumentReader) -> None:
        self._reader = reader

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        """See `Reader`."""
        pages: list[Page] = []
        with _without_internals():
            async with aclosing(self._reader.pages(data, OcrChoices(layout=True))) as stream:
                async for page in stream:
                    if page.error is not None:
                        _log.warning(
                            "page %d of %d of an asset could not be read: %s", page.number, page.of, page.error
                        )
                    pages.append(Page(page.number, await self._markdown(page)))
        return Reading(kind=AssetKind.PDF, content_type="application/pdf", pages=tuple(pages))

    async def page_count(self, data: bytes) -> int:
        """See `CountsPages`."""
        with _without_internals():
            return await self._reader.count(data)

    async def _markdown(self, page: OcrPage) -> str:
        return await _markdown(page, self._reader.max_text, image=False)


class ImageReader:
    """Reads images by OCR; one with several frames has a page for each."""

    kinds = frozenset({AssetKind.IMAGE})

    def __init__(self, reader: DocumentReader) -> None:
        self._reader = reader

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        """See `Reader`."""
        # Without the client's media type, which may be wrong; the bytes tell the right one.
        with _without_internals():
            image = await self._reader.image(data, "", OcrChoices(layout=True))
        pages = [Page(page.number, await _markdown(page, self._reader.max_text, image=True)) for page in image.pages]
        return Reading(kind=AssetKind.IMAGE, content_type=media_type(data), pages=tuple(pages))


class PandocReader:
    """Reads office documents and HTML by Pandoc."""

    kinds = frozenset({AssetKind.OFFICE, AssetKind.HTML})

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        """See `Reader`. Raises NoReader without Pandoc."""
        if not self._converter.installed:
            text = "office documents and HTML are read by Pandoc, which this server lacks; install"
            raise NoReader(f"{text} artificer-services[convert] there")
        kind = detect(data, content_type, filename)
        asked = "html" if kind is AssetKind.HTML else ""
        choices = ConvertChoices(
            to=_GFM, content_type=content_type, filename=filename, media="omit", input_format=asked
        )
        with _without_internals():
            text = (await self._converter.convert_bytes(data, choices)).decode(errors="replace")
        stated = content_type.partition(";")[0].strip().lower()
        return Reading(kind=kind, content_type=stated or _CONVERTED[kind], pages=(Page(0, text),))


def readers_of(reader: DocumentReader, converter: Converter) -> Sequence[Reader]:
    """Returns the readers of everything that is no plain text."""
    return PdfReader(reader), ImageReader(reader), PandocReader(converter)


async def _markdown(page: OcrPage, max_text: int, *, image: bool) -> str:
    """Returns a page as Markdown; of a page that could not be read, what its own text layer has. Raises TooLarge."""
    rendering = Rendering(OutputFormat.MARKDOWN, max_text, image=image)
    await rendering.add(page)
    return rendering.file()


@contextmanager
def _without_internals() -> Iterator[None]:
    """Log the message of a bug, which must not reach a client."""
    try:
        yield
    except Unexpected as error:
        _log.error("internal error while reading an asset: %s", error.message)
        raise Unexpected("internal error while reading the asset") from error

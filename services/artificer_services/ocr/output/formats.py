"""All formats by name, and the choice of one by an Accept header (RFC 9110 section 12.5.1)."""

from __future__ import annotations

from enum import StrEnum

from .alto import Alto
from .hocr import Hocr
from .markdown import Markdown
from .page import Format
from .plain import PlainText
from .tsv import Tsv
from .words import Words


class OutputFormat(StrEnum):
    TEXT = "text"
    WORDS = "words"
    MARKDOWN = "markdown"
    HOCR = "hocr"
    ALTO = "alto"
    TSV = "tsv"


FORMATS: dict[OutputFormat, Format] = {
    OutputFormat.TEXT: PlainText(),
    OutputFormat.WORDS: Words(),
    OutputFormat.MARKDOWN: Markdown(),
    OutputFormat.HOCR: Hocr(),
    OutputFormat.ALTO: Alto(),
    OutputFormat.TSV: Tsv(),
}
_BY_MEDIA_TYPE = {form.media_type.partition(";")[0]: name for name, form in FORMATS.items()}


def accepted(header: str) -> OutputFormat:
    """Returns the format that an Accept header prefers among those it names, or plain text if it names none.

    Wildcards mean plain text as well, since nearly all clients send them without a thought.
    """
    best, chosen = 0.0, OutputFormat.TEXT
    for part in header[:_MOST].split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        name = _BY_MEDIA_TYPE.get(media_type.lower())
        weight = _weight(parameters)
        if name is not None and weight > best:
            best, chosen = weight, name
    return chosen


_MOST = 4096  # characters of a header; browsers send 200


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

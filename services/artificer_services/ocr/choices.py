"""The options of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of a request; None means the server's default."""

    languages: tuple[str, ...] = ()
    dpi: int | None = None
    force: bool = False
    threshold: int | None = None  # visible characters
    password: str | None = None
    keep_invisible: bool = False
    pages: str = ""  # such as "1-3,7,10-"; empty means all
    layout: bool = False  # whether the places of words are wanted
    only_ocr: bool = False  # of those, only the places of words that OCR finds
    redo: bool = False  # whether to run OCR again where a page has the invisible text of an earlier run

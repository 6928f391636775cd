"""Reads plain text and Markdown: encodings, byte order marks, line breaks.

Knows no service. A text keeps its characters, except for control characters, which no reader of it wants.
"""

from __future__ import annotations

import asyncio
import codecs
import re

from ...kit.charsets import charset_of
from ...kit.errors import Fault, Invalid
from .values import AssetKind, Page, Reading

_BREAKS = re.compile(r"\r\n?|[\f\v\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
_MOST_CONTROLS = 0.01  # of the characters; a log with colours has some, a binary file has a tenth


class TextReader:
    """Reads plain text and Markdown."""

    kinds = frozenset({AssetKind.TEXT})

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        """Returns the text as one page without a number. Raises Invalid for an encoding that does not fit, and junk."""
        text = await asyncio.to_thread(decoded, data, content_type)
        markdown = "markdown" in content_type.lower() or filename.lower().endswith((".md", ".markdown"))
        kind = "text/markdown" if markdown else "text/plain"
        return Reading(kind=AssetKind.TEXT, content_type=kind, pages=(Page(0, text),))


def decoded(data: bytes, content_type: str) -> str:
    """Returns a text with line feeds as its only line breaks. Raises Invalid."""
    try:
        charset = charset_of(content_type) or "utf-8"
    except ValueError as error:
        raise Invalid(Fault("content_type", str(error))) from None
    if data.startswith(codecs.BOM_UTF8):
        charset = "utf-8-sig"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16"
    try:
        text = data.decode(charset)
    except UnicodeError:
        hint = "" if "charset=" in content_type.lower() else "; state another in the content type, as ; charset=cp1252"
        raise Invalid(Fault("data", f"the text is not in the encoding {charset.removesuffix('-sig')}{hint}")) from None
    text = _BREAKS.sub("\n", text)
    if "\0" in text:
        raise Invalid(Fault("data", "the file is binary: it has NUL characters"))
    clean = _CONTROLS.sub("", text)
    if len(text) - len(clean) > _MOST_CONTROLS * len(text) + 1:
        raise Invalid(Fault("data", "the file is binary: it has many control characters"))
    return clean

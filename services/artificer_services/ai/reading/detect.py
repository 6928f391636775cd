"""Finds the kind of an asset: by its bytes, and for texts also by what the client says of it.

Pure and without a parser. The readers find out whether a file is complete.
"""

from __future__ import annotations

import codecs
import re

from ...kit.errors import Fault, Invalid
from .values import AssetKind

_HEAD = 4096
_IMAGES = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"GIF87a",
    b"GIF89a",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
_BRANDS = frozenset({b"avif", b"avis", b"mif1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_PNM = re.compile(rb"P[1-6]\s+[\d#]|P[fF]\n")
_BITMAP = re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL)  # the reserved fields are zero, and a text may begin with BM
_OLE = b"\xd0\xcf\x11\xe0"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OFFICE_TEXTS = {"application/rtf": "rtf", "text/rtf": "rtf", "application/x-ipynb+json": "ipynb"}
_OFFICE_ENDS = frozenset({"rtf", "ipynb", "fb2"})
_HTML_ENDS = frozenset({"html", "htm", "xhtml"})
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_BINARY_ENDS = {"pdf": "a PDF document"} | dict.fromkeys(
    ("docx", "odt", "epub", "pptx", "xlsx"), "an office document, which is a zip archive"
)


def detect(data: bytes, content_type: str = "", filename: str = "") -> AssetKind:
    """Returns the kind of an asset. Raises Invalid with the field `data`, `content_type` or `filename`."""
    if not data:
        raise Invalid(Fault("data", "the asset is empty"))
    head = data[:_HEAD]
    if b"%PDF-" in head[:1024]:  # ISO 32000-1, annex H.3.4.1: the header may be anywhere in the first 1024 bytes
        return AssetKind.PDF
    if _is_image(head):
        return AssetKind.IMAGE
    if head.startswith(b"PK\x03\x04") or head.startswith(b"{\\rtf"):
        return AssetKind.OFFICE
    if head.startswith(_OLE):
        text = "the file is of an old version of Office, such as .doc, or has a password; save it as docx"
        raise Invalid(Fault("data", text))
    if b"\0" in head and not head.startswith(_UTF16) and "utf-16" not in content_type.lower():
        known = "PDF documents, images, office documents, HTML, Markdown and plain text are read"
        raise Invalid(Fault("data", f"the file is binary and of an unknown type; {known}"))
    return _of_text(head, content_type.partition(";")[0].strip().lower(), filename.rpartition(".")[2].lower())


def _of_text(head: bytes, media_type: str, end: str) -> AssetKind:
    """Returns the kind of a file that is text. Raises Invalid if the client says that it is a binary file."""
    if media_type == "application/pdf" or (media_type.startswith("image/") and media_type != "image/svg+xml"):
        raise Invalid(Fault("content_type", f"the content type is {media_type[:64]}, but the file is text"))
    if end in _BINARY_ENDS:
        raise Invalid(Fault("filename", f"the file is named .{end}, but is text and not {_BINARY_ENDS[end]}"))
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start):
        return AssetKind.HTML
    if media_type in _HTML_TYPES or end in _HTML_ENDS:
        return AssetKind.HTML
    if media_type in _OFFICE_TEXTS or end in _OFFICE_ENDS:
        return AssetKind.OFFICE
    return AssetKind.TEXT


def _is_image(head: bytes) -> bool:
    if head.startswith(_IMAGES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return True
    if head[4:8] == b"ftyp":
        size = min(int.from_bytes(head[:4]), 256)
        return any(brand in _BRANDS for brand in (head[8:12], *(head[at : at + 4] for at in range(16, size, 4))))
    return _PNM.match(head) is not None or _BITMAP.match(head) is not None

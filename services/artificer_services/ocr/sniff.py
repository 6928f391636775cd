"""Detects the type of a file from its first and last bytes.

Pure and cheap; runs in the server's own process before any parser reads the file.
"""

from __future__ import annotations

from .errors import BadChoice, BadDocument, TooLarge

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),  # BigTIFF
    (b"MM\x00+", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/x-png": "image/png",
}
# What clients send for an unknown type; application/x-www-form-urlencoded is curl's default with --data-binary.
_UNKNOWN = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded", "image/*", "*/*"})


def media_type(data: bytes) -> str:
    """Returns the media type of a PDF or a supported image, or "" for anything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    # ISO 32000-1, annex H.3.4.1: the header may be anywhere in the first 1024 bytes.
    return "application/pdf" if b"%PDF-" in data[:1024] else ""


def check_pdf(data: bytes, limit: int) -> None:
    """Raise BadDocument or TooLarge unless the data is a complete PDF file of at most `limit` bytes."""
    _check_size(data, limit, "PDF document")
    kind = media_type(data)
    if kind != "application/pdf":
        raise BadDocument(f"the file is {kind or 'of an unknown type'}, not a PDF document", "data")
    # Parsers repair a truncated file by guessing and silently lose pages. ISO 32000-1, 7.5.5: the file ends with
    # startxref; scanners pad it.
    if b"startxref" not in data[-65536:].rstrip(b"\0\t\r\n ")[-4096:]:
        raise BadDocument("the PDF document is truncated: its end is missing", "data")


def check_image(data: bytes, content_type: str, limit: int) -> str:
    """Returns the media type of an image of at most `limit` bytes. Raises BadDocument, BadChoice or TooLarge."""
    _check_size(data, limit, "image")
    kind = media_type(data)
    stated = content_type.partition(";")[0].strip().lower()
    stated = _ALIASES.get(stated, stated)
    if not kind.startswith("image/"):
        raise BadDocument(
            f"the file is {kind or 'of an unknown type'}; expected a PNG, JPEG, TIFF, WebP, BMP or GIF image", "data"
        )
    if stated not in _UNKNOWN and stated != kind:
        raise BadChoice(f"the content type is {stated!r}, but the image is {kind}", "content_type")
    return kind


def _check_size(data: bytes, limit: int, what: str) -> None:
    if not data:
        raise BadDocument(f"the {what} is empty", "data")
    if len(data) > limit:
        raise TooLarge(f"the {what} has {len(data):,} bytes; at most {limit:,} are accepted", "data")

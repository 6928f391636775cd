"""Detects the type of a file from its first and last bytes.

Pure and cheap; runs in the server's own process before any parser reads the file.
"""

from __future__ import annotations

import re

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
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),  # a codestream without the container
)
_PNM = re.compile(rb"P[1-6]\s|P[fF]\n")
# ISO/IEC 14496-12: the brands of the first box. "mif1" says only that there is an image; its other brands tell which.
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"
)
_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/x-png": "image/png",
    "image/heif": "image/heic",
    "image/jpx": "image/jp2",
    "image/j2c": "image/jp2",
    "image/jpeg2000": "image/jp2",
    "image/x-portable-bitmap": "image/x-portable-anymap",
    "image/x-portable-graymap": "image/x-portable-anymap",
    "image/x-portable-pixmap": "image/x-portable-anymap",
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
    if data[4:8] == b"ftyp":
        return _brand(data)
    if _PNM.match(data):
        return "image/x-portable-anymap"
    # ISO 32000-1, annex H.3.4.1: the header may be anywhere in the first 1024 bytes.
    return "application/pdf" if b"%PDF-" in data[:1024] else ""


def _brand(data: bytes) -> str:
    """Returns the media type of an image in the ISO base media format, or ""."""
    size = min(int.from_bytes(data[:4]), 256)
    brands = [data[8:12], *(data[start : start + 4] for start in range(16, size, 4))]
    known = [brand for brand in brands if brand in _BRANDS]
    return _BRANDS[known[0]] if known else ""


def is_image(data: bytes) -> bool:
    """Whether the data is an image of a supported type."""
    return media_type(data).startswith("image/")


def check_either(data: bytes) -> None:
    """Raise BadDocument unless the data is a PDF document or an image."""
    if not data:
        raise BadDocument("the file is empty", "data")
    if not media_type(data):
        raise BadDocument("the file is of an unknown type; expected a PDF document or an image", "data")


def check_pdf(data: bytes, limit: int) -> None:
    """Raise BadDocument or TooLarge unless the data looks like a PDF file of at most `limit` bytes.

    Whether it is complete is for the parsers: like viewers, they read files whose end is lost or followed by junk.
    """
    _check_size(data, limit, "PDF document")
    kind = media_type(data)
    if kind != "application/pdf":
        raise BadDocument(f"the file is {kind or 'of an unknown type'}, not a PDF document", "data")


def check_image(data: bytes, content_type: str, limit: int) -> str:
    """Returns the media type of an image of at most `limit` bytes. Raises BadDocument, BadChoice or TooLarge."""
    _check_size(data, limit, "image")
    kind = media_type(data)
    stated = content_type.partition(";")[0].strip().lower()
    stated = _ALIASES.get(stated, stated)
    if not kind.startswith("image/"):
        raise BadDocument(
            f"the file is {kind or 'of an unknown type'}; expected a PNG, JPEG, TIFF, WebP, BMP, GIF, "
            "JPEG 2000, PNM, AVIF or HEIC image",
            "data",
        )
    if stated not in _UNKNOWN and stated != kind:
        raise BadChoice(f"the content type is {stated!r}, but the image is {kind}", "content_type")
    return kind


def _check_size(data: bytes, limit: int, what: str) -> None:
    if not data:
        raise BadDocument(f"the {what} is empty", "data")
    if len(data) > limit:
        raise TooLarge(f"the {what} has {len(data):,} bytes; at most {limit:,} are accepted", "data")

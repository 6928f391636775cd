"""What kind of file some bytes are, by their first and last bytes.

Pure and cheap: runs in the server's own process before any parser sees the file.
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
# What clients send when they do not know: the second is curl's default for --data-binary.
_UNKNOWN = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded", "image/*", "*/*"})


def media_type(data: bytes) -> str:
    """The media type of a PDF or an image that is understood, or "" for anything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    # ISO 32000-1, annex H.3.4.1: the header may stand anywhere in the first 1024 bytes.
    return "application/pdf" if b"%PDF-" in data[:1024] else ""


def check_pdf(data: bytes, limit: int) -> None:
    """Refuse what is not a whole PDF file of at most `limit` bytes: raises BadDocument or TooLarge."""
    _check_size(data, limit, "PDF document")
    kind = media_type(data)
    if kind != "application/pdf":
        raise BadDocument(f"this is not a PDF document{f' but {kind}' if kind else ''}", "data")
    # Parsers mend a file that was cut short by guessing, and lose pages without a word. ISO 32000-1, 7.5.5: the file
    # ends in startxref; scanners pad it.
    if b"startxref" not in data[-65536:].rstrip(b"\0\t\r\n ")[-4096:]:
        raise BadDocument("the PDF document is cut short: its end is missing", "data")


def check_image(data: bytes, content_type: str, limit: int) -> str:
    """Give the media type of an image of at most `limit` bytes: raises BadDocument, BadChoice or TooLarge."""
    _check_size(data, limit, "image")
    kind = media_type(data)
    said = content_type.partition(";")[0].strip().lower()
    said = _ALIASES.get(said, said)
    if not kind.startswith("image/"):
        what = f"is {kind}" if kind else "is none of PNG, JPEG, TIFF, WebP, BMP and GIF"
        raise BadDocument(f"the image cannot be read: it {what}", "data")
    if said not in _UNKNOWN and said != kind:
        raise BadChoice(f"the content type is {said!r}, but the bytes are {kind}", "content_type")
    return kind


def _check_size(data: bytes, limit: int, what: str) -> None:
    if not data:
        raise BadDocument(f"the {what} is empty", "data")
    if len(data) > limit:
        raise TooLarge(f"the {what} has {len(data):,} bytes; at most {limit:,} are accepted", "data")

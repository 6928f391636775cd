"""Models of artificer.convert.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

from . import base

__all__ = [
    "ConversionFormat",
    "ConvertDocumentRequest",
    "ListConversionFormatsRequest",
    "ListConversionFormatsResponse",
    "MediaHandling",
    "MediaHandlingName",
]


class MediaHandling(base.OpenEnum):
    """What becomes of the pictures inside a document. Links to pictures elsewhere stay as they are."""

    UNSPECIFIED = "MEDIA_HANDLING_UNSPECIFIED"
    """MEDIA_HANDLING_EMBED in HTML and MEDIA_HANDLING_OMIT in other text formats."""
    EMBED = "MEDIA_HANDLING_EMBED"
    """MEDIA_HANDLING_EMBED writes pictures as data URIs."""
    OMIT = "MEDIA_HANDLING_OMIT"
    """MEDIA_HANDLING_OMIT replaces pictures by their descriptions."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"MEDIA_HANDLING_UNSPECIFIED": 0, "MEDIA_HANDLING_EMBED": 1, "MEDIA_HANDLING_OMIT": 2}


MediaHandlingName: TypeAlias = Literal["embed", "omit"]
"""The names of MediaHandling in arguments of methods."""


class ConvertDocumentRequest(base.Model):
    """One chunk of a document."""

    __proto__ = "artificer.convert.v1.conversion_service_pb2:artificer.convert.v1.ConvertDocumentRequest"

    content: base.HttpBody | None = None
    """The bytes of the chunk. The first chunk may carry the media type of the document, which helps to find its
    format; a charset in it is the encoding of a text, which is UTF-8 otherwise.
    """
    to: str = ""
    """The format to convert to: a name or alias of ListConversionFormats, such as "md", "html" or "docx". If it is
    empty, the Accept header of a REST request decides. Pandoc's extensions can be added, as in "md-raw_html".
    """
    input_format: str = ""
    """The format of the document: a name or alias of ListConversionFormats. If it is empty, it is found by the
    bytes, the media type and the file name. A format that contradicts the bytes is refused, and so are a media
    type and a file name that contradict each other.
    """
    filename: str = ""
    """The name of the document's file, such as "report.docx"."""
    standalone: bool = False
    """Whether a text format is written as a whole file, such as HTML with a head, instead of the content alone.
    Formats such as docx are always whole files.
    """
    media: MediaHandling = MediaHandling.UNSPECIFIED
    """What becomes of the pictures inside the document in a text format, which has no place for them."""


class ListConversionFormatsRequest(base.Model):
    """ListConversionFormatsRequest asks for all formats."""

    __proto__ = "artificer.convert.v1.conversion_service_pb2:artificer.convert.v1.ListConversionFormatsRequest"


class ListConversionFormatsResponse(base.Model):
    """The formats of the server."""

    __proto__ = "artificer.convert.v1.conversion_service_pb2:artificer.convert.v1.ListConversionFormatsResponse"

    input_formats: list[ConversionFormat] = []
    """The formats that documents can be converted from."""
    output_formats: list[ConversionFormat] = []
    """The formats that documents can be converted to."""
    engine: str = ""
    """The program that converts, with its version, such as "pandoc 3.9"."""


class ConversionFormat(base.Model):
    """A format of documents."""

    __proto__ = "artificer.convert.v1.conversion_service_pb2:artificer.convert.v1.ConversionFormat"

    name: str = ""
    """The name, as Pandoc has it, such as "gfm"."""
    aliases: list[str] = []
    """Other names for it, such as "md"."""
    description: str = ""
    """What the format is, such as "GitHub-Flavored Markdown"."""
    media_type: str = ""
    """The media type of its documents."""
    file_extensions: list[str] = []
    """The extensions of its files without the dot, the usual one first."""

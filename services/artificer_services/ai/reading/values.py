"""What reading an asset gives, and the interface of readers.

Pure. Services for documents implement `Reader`; the composition root passes them in, since services never import one
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class AssetKind(StrEnum):
    """What an asset is, as its bytes show."""

    PDF = "pdf"
    IMAGE = "image"
    OFFICE = "office"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text as Markdown; `number` counts from 1 and is 0 in a document without pages."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The text of an asset."""

    kind: AssetKind
    content_type: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """The bytes of an asset, and what is said of them; empty if nothing is."""

    data: bytes
    content_type: str = ""
    filename: str = ""


class Reader(Protocol):
    """Reads some kinds of assets."""

    kinds: frozenset[AssetKind]

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        """Returns the text of an asset of one of `kinds`. Raises `ServiceError`: Invalid for a damaged file."""


@runtime_checkable
class CountsPages(Protocol):
    """A reader that counts the pages of an asset without reading them."""

    async def page_count(self, data: bytes) -> int:
        """Returns the number of pages. Raises as `Reader.read` does."""

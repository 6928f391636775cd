"""Gets the bytes of assets: blobs of the batch service, files below configured folders, URLs of configured hosts.

Without settings no URI is read. Knows blobs by their interface only; the composition root passes in the batch
service's.
"""

from __future__ import annotations

from typing import Protocol

from ...kit.errors import Fault, Invalid
from .files import FileSource
from .settings import ReadingSettings
from .values import Asset
from .web import Resolve, WebSource, resolve

_LONGEST = 2048  # characters of a URI
_SCHEMES = "a file: or https: URI"


class Blobs(Protocol):
    """Stored bytes by id."""

    async def get(self, blob: str, limit: int) -> Asset:
        """Returns a blob of at most `limit` bytes. Raises NotFound, Invalid with the field `blob`."""

    async def put(self, asset: Asset) -> str:
        """Store bytes and return their id; the same bytes have the same id."""


class Sources:
    """Where assets come from. Every method raises `ServiceError`."""

    def __init__(self, settings: ReadingSettings, blobs: Blobs | None = None, find: Resolve = resolve) -> None:
        self.blobs = blobs
        self._limit = settings.max_asset_bytes
        self._files = FileSource(settings.roots, settings.max_asset_bytes)
        self._web = WebSource(settings, find)

    async def blob(self, blob: str) -> Asset:
        """Returns a blob."""
        if self.blobs is None:
            raise Invalid(Fault("blob", "this server stores no blobs, since it runs no batch service"))
        return await self.blobs.get(blob, self._limit)

    async def uri(self, uri: str) -> Asset:
        """Returns what a URI names. Raises Invalid with the field `uri` unless the settings allow it."""
        if len(uri) > _LONGEST:
            raise Invalid(Fault("uri", f"must have at most {_LONGEST} characters"))
        if not uri.isprintable() or " " in uri:
            raise Invalid(Fault("uri", "must not contain spaces and control characters"))
        scheme = uri.partition(":")[0].lower()
        if scheme == "file":
            return await self._files.read(uri)
        if scheme in ("https", "http"):
            return await self._web.read(uri)
        raise Invalid(Fault("uri", f"must be {_SCHEMES}"))

"""Makes documents of assets: gets the bytes, and indexes them at once or by a batch job.

Knows neither protos nor the batch service, whose blobs and jobs it has by interfaces.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ...kit.errors import Fault, Invalid
from ..reading.detect import detect
from ..reading.read import reader_of
from ..reading.settings import ReadingSettings
from ..reading.sources import Sources
from ..reading.values import Asset, AssetKind, CountsPages, Reader
from . import requests
from .library import Library
from .values import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRequest:
    """An asset by one of `data`, `blob` and `uri`, and the document that it becomes. Empty is unknown."""

    data: bytes | None = None
    blob: str = ""
    uri: str = ""
    collection: str
    document: str = ""
    display_name: str = ""
    content_type: str = ""
    filename: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What became of an asset: a document, or the id of the job that makes it."""

    kind: AssetKind
    document_id: str
    document: Document | None = None
    job: str = ""


class AssetJobs(Protocol):
    """Batch jobs that index assets."""

    async def index(self, request: AssetRequest) -> str:
        """Start a job for a request with a blob, and return its id."""


class Assets:
    """The use case of assets. `jobs` is None on a server without the batch service; all work is then done at once."""

    def __init__(
        self,
        library: Library,
        sources: Sources,
        readers: Sequence[Reader],
        settings: ReadingSettings,
        jobs: AssetJobs | None = None,
    ) -> None:
        self._library, self._sources, self._readers = library, sources, readers
        self._settings, self._jobs = settings, jobs

    async def process(self, request: AssetRequest, *, caller: str = "") -> Processed:
        """Index an asset, or start a job that does. A document of the same id is replaced.

        Raises `ServiceError`: those of `Sources`, of readers and of the library.
        """
        self._check(request)
        await self._library.collection(request.collection)  # before anything is fetched
        asset = await self._asset(request)
        kind = detect(asset.data, asset.content_type, asset.filename)
        reader = reader_of(self._readers, kind)
        if self._jobs and (request.background or await self._is_long(asset, reader)):
            return await self._queue(self._jobs, request, asset, kind)
        document, kind = await self._library.add_document(
            request.collection,
            asset.data,
            document_id=request.document,
            replace=True,
            display_name=request.display_name,
            content_type=asset.content_type,
            filename=asset.filename,
            metadata=request.metadata,
            caller=caller,
        )
        return Processed(kind=kind, document_id=document.id, document=document)

    def _check(self, request: AssetRequest) -> None:
        """Raise Invalid for what a job would refuse only after the call has been answered."""
        faults = [
            *requests.name_faults("display_name", request.display_name),
            *requests.name_faults("filename", request.filename),
            *requests.name_faults("content_type", request.content_type),
            *requests.metadata_faults("metadata", request.metadata, self._library.settings.max_metadata),
            *(requests.id_faults("document", request.document) if request.document else ()),
        ]
        if request.data is None and not request.blob and not request.uri:
            faults.append(Fault("data", "expected one of data, blob and uri"))
        if request.background and self._jobs is None:
            faults.append(Fault("background", "this server runs no batch jobs"))
        requests.check(*faults)

    async def _asset(self, request: AssetRequest) -> Asset:
        if request.blob:
            found = await self._sources.blob(request.blob)
        elif request.uri:
            found = await self._sources.uri(request.uri)
        else:
            found = Asset(data=request.data or b"")
        limit = self._settings.max_asset_bytes
        if len(found.data) > limit:
            text = f"the asset has {len(found.data):,} bytes; at most {limit:,} are accepted"
            raise Invalid(Fault("data", text))
        return replace(
            found,
            content_type=request.content_type or found.content_type,
            filename=request.filename or found.filename,
        )

    async def _is_long(self, asset: Asset, reader: Reader) -> bool:
        if len(asset.data) > self._settings.max_inline_bytes:
            return True
        return isinstance(reader, CountsPages) and (
            await reader.page_count(asset.data) > self._settings.max_inline_pages
        )

    async def _queue(self, jobs: AssetJobs, request: AssetRequest, asset: Asset, kind: AssetKind) -> Processed:
        blobs = self._sources.blobs
        if blobs is None:
            raise RuntimeError("a server with batch jobs has blobs")
        # What a URI names is stored too, so that the job reads what was checked, and needs no setting.
        blob = request.blob or await blobs.put(asset)
        queued = replace(
            request,
            data=None,
            uri="",
            blob=blob,
            document=request.document or uuid.uuid4().hex,
            content_type=asset.content_type,
            filename=asset.filename,
        )
        return Processed(kind=kind, document_id=queued.document, job=await jobs.index(queued))

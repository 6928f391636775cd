"""Gives the AI services the blobs and jobs of the batch service: large assets are indexed by jobs of type rag.index.

The composition root makes these, since the services never import one another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .ai.library.assets import AssetRequest
from .ai.reading.values import Asset
from .batch.jobs.job import ItemDraft, Phase
from .batch.jobs.jobs import Jobs
from .batch.jobs.rules import JobRequest
from .kit.errors import Fault, Invalid, NotFound

TASK_TYPE = "rag.index"
_PIECE = 256 * 1024
_ID = 64  # characters of a blob's id, at most
_NAME = 64  # characters of a job's name that are the file's


class BatchBlobs:
    """The blobs of the batch service; see `Blobs`."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def get(self, blob: str, limit: int) -> Asset:
        """See `Blobs`."""
        if len(blob) > _ID or not blob.isalnum() or not blob.isascii():
            raise Invalid(Fault("blob", "must be the id that UploadBlob returned"))
        return await self._jobs.run(self._read, blob, limit)

    def _read(self, blob: str, limit: int) -> Asset:
        try:
            found, pieces = self._jobs.store.blob(blob)
        except NotFound:
            raise NotFound(f"there is no blob {blob!r}") from None
        if found.size > limit:
            raise Invalid(Fault("blob", f"the blob has {found.size:,} bytes; at most {limit:,} are accepted"))
        return Asset(data=b"".join(pieces), content_type=found.content_type)

    async def put(self, asset: Asset) -> str:
        """See `Blobs`."""
        kind = asset.content_type or "application/octet-stream"
        return (await self._jobs.put_blob(kind, _pieces(asset.data))).id


class IndexJobs:
    """Jobs of one item that index an asset; see `AssetJobs`. The item's metadata becomes the document's."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def index(self, request: AssetRequest) -> str:
        """See `AssetJobs`."""
        item = ItemDraft(input=f"blob:{request.blob}", metadata=dict(request.metadata))
        templates = {
            "document": request.document,
            "display_name": request.display_name or request.filename,
            "filename": request.filename,
            "content_type": request.content_type,
        }
        parameters = {name: _literal(text) for name, text in templates.items() if text}
        phase = Phase(name="index", task_type=TASK_TYPE, parameters={"collection": request.collection, **parameters})
        job = JobRequest(
            name=f"index {request.filename[:_NAME] or request.document}",
            project_id="",
            phases=(phase,),
            items=[item],
            item_count=1,
            concurrency=1,
            checkpoint_frequency=1,
            auto_start=True,
            request_id="",
            digest=hashlib.sha256(repr((phase, item)).encode()).digest(),
        )
        return (await self._jobs.create(lambda: job)).id


def _literal(text: str) -> str:
    """Returns a template that is filled to this text."""
    return text.replace("{{", r"\{{")


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]

"""rag.index, the task type of batch jobs that puts documents into a collection; `ai_tasks` makes it with its readers.

Knows the batch service only through Protocols. Imports models and the library when the first item runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ...kit.errors import NotFound
from ...kit.parameters import Kind, truth
from ...kit.task_types import Phase, Work, faults_of
from ...kit.template import parsed, template_kind
from .choices import collections_of
from .failures import persistently
from .resources import OpenReaders, Resources
from .settings import IndexSettings

if TYPE_CHECKING:
    from ..library.library import Library
    from ..library.values import Document
    from ..settings import AiSettings

_TEMPLATES = ("document", "display_name", "filename", "content_type", "text")
_NAMES = {"document": "document", "display_name": "display_name", "filename": "name"}  # in the metadata of items
_PREFIX = "metadata."  # of an item's metadata whose names would be among these


@dataclass(frozen=True, slots=True)
class _Asset:
    """What an item puts into the collection."""

    collection: str
    document: str
    replace: bool
    data: bytes
    content_type: str
    filename: str
    display_name: str
    metadata: Mapping[str, str]


class IndexTask:
    """The task type rag.index."""

    name = "rag.index"
    description = (
        "Puts a document into a collection: a PDF document, an image, an office document, HTML or text, given as a"
        " path, a data URI, or blob: and an id. Gives JSON with document (its id), chunks and pages. Parameters:"
        " collection; the templates document (an id), display_name and filename, by default the item's metadata"
        " document, display_name and name; content_type and text (a template, indexed instead of a document); replace"
        " (true or false). Other metadata of the item becomes the document's."
    )
    scored = False
    takes = "document"
    timeout: float | None = None

    def __init__(self, settings: IndexSettings, ai: AiSettings, open_readers: OpenReaders) -> None:
        self._settings = settings
        self._resources = Resources(ai, open_readers)

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        """See the batch service's `Task`."""
        kinds: dict[str, Kind] = {"collection": _collection, "replace": truth}
        kinds |= dict.fromkeys(_TEMPLATES, template_kind(phase))
        found = faults_of(self.name, phase, kinds)
        if "collection" not in phase.parameters:
            found.append(("parameters.collection", "is required: the id of the collection"))
        return found

    def run(self, work: Work) -> str:
        """See the batch service's `Task`."""
        asset = self._asset(work)
        document = self._resources.run(
            persistently(lambda: self._index(asset, work), work, self._settings), work.cancelled
        )
        made = {"document": document.id, "chunks": document.chunk_count, "pages": document.page_count}
        return json.dumps(made, ensure_ascii=False)

    def close(self) -> None:
        """End the processes of models and readers, and close the database."""
        self._resources.close()

    def _asset(self, work: Work) -> _Asset:
        asked = work.phase.parameters

        def filled(parameter: str, default: str = "") -> str:
            given = asked.get(parameter)
            if given is None:
                return work.metadata.get(_NAMES[parameter], "") if parameter in _NAMES else default
            return parsed(given).fill(work, self._settings.max_text_chars)

        filename, display_name = filled("filename"), filled("display_name")
        if "text" in asked:
            data, content_type = filled("text").encode("utf-8", "replace"), "text/plain"
            if "filename" not in asked:  # the item's own file, such as a scan, is not this text: it only names it
                filename, display_name = "", display_name or filename
        else:
            data, content_type = work.read_document()
        return _Asset(
            collection=asked["collection"].strip(),
            document=filled("document"),
            replace=truth(asked.get("replace", "true")),
            data=data,
            content_type=filled("content_type", content_type),
            filename=filename,
            display_name=display_name,
            metadata=_metadata(work.metadata),
        )

    async def _index(self, asset: _Asset, work: Work) -> Document:
        """Returns the document. One that an earlier attempt of this item has made is not made again."""
        library = await self._resources.library()
        if (not asset.document or not asset.replace) and (
            made := await _made(library, asset, asset.document or _own_id(work))
        ):
            return made
        document, _ = await library.add_document(
            asset.collection,
            asset.data,
            document_id=asset.document or _own_id(work),
            replace=asset.replace,
            display_name=asset.display_name,
            content_type=asset.content_type,
            filename=asset.filename,
            metadata=asset.metadata,
        )
        return document


async def _made(library: Library, asset: _Asset, document_id: str) -> Document | None:
    """Returns the document of this id if the item has made it: an id of its own, or all that describes it is equal."""
    try:
        found = await library.document(asset.collection, document_id)
    except NotFound:
        return None
    name = asset.display_name or asset.filename or document_id  # as the library names it
    same = (found.display_name, dict(found.metadata)) == (name, asset.metadata)
    return found if same or not asset.document else None


def _metadata(of_item: Mapping[str, str]) -> dict[str, str]:
    """Returns the document's metadata: the item's without the names."""
    return {name.removeprefix(_PREFIX): text for name, text in of_item.items() if name not in _NAMES.values()}


def _own_id(work: Work) -> str:
    """Returns an id that no other item has, and that is the same in every attempt of this one."""
    return f"item-{sha256(work.effect_key.encode()).hexdigest()[:24]}"


def _collection(text: str) -> str:
    ids = collections_of(text)
    if len(ids) != 1:
        raise ValueError(f"must be the id of one collection, not {text[:64]!r}")
    return ids[0]

"""`client.assets`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from ... import types
from ..._files import FileInput
from ..._methods.ai import AiWorkerService
from ..._options import CallOptions
from ..resource import Resource


class Assets(Resource):
    """`client.assets`: files that become documents of a collection."""

    def process(
        self,
        collection: str,
        file: FileInput | None = None,
        *,
        blob: str | None = None,
        uri: str | None = None,
        document: str | None = None,
        display_name: str | None = None,
        content_type: str | None = None,
        filename: str | None = None,
        metadata: Mapping[str, str] | None = None,
        background: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.ai.ProcessAssetResponse:
        """Reads an asset, divides it into chunks, embeds these, and indexes them as a document of a collection.

        PDF documents, images, office documents, HTML, Markdown and plain text are read. The call answers when the
        document can be found. For an asset that is larger than the server reads at once, or with `background`, it
        answers with the id of a batch job that does the same.

        Args:
            file: The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes.
            collection: The id of the collection. It must exist.
            blob: The id of a blob that was uploaded to the batch service.
            uri: A `file:` URI below a folder, or an `https:` URI of a host, that the server's settings allow.
            document: The id of the document in the collection; chosen by the server if it is empty. A document of
                this id is replaced at once, when the new one is indexed; until then the old one is found.
            display_name: The name of the document for people, such as "Handbook 2026".
            content_type: The media type of the asset. The kind is found by the bytes, with the help of this and
                `filename`.
            filename: The name of the asset's file, such as "report.docx".
            metadata: What searches can filter by; at most 32 entries.
            background: Whether to do the work in a batch job even if the asset is small. An asset that is not a
                blob is stored as one first.
        """
        return self._calls.unary(
            AiWorkerService.PROCESS_ASSET,
            {
                "collection": collection,
                "blob": blob,
                "uri": uri,
                "document": document,
                "display_name": display_name,
                "content_type": content_type,
                "filename": filename,
                "metadata": metadata,
                "background": background,
            },
            call_options,
            file=("data", file),
        )

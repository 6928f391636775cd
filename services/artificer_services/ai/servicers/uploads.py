"""Receives the file of CreateDocument, in pieces, and within a limit."""

from __future__ import annotations

import asyncio

from artificer.rag.v1 import rag_service_pb2 as pb

from ...kit.client_stream import ClientStream
from ...kit.errors import Fault, Invalid
from ..reading.values import Asset
from .forms import FORM, file_of


async def received(
    requests: ClientStream[pb.CreateDocumentRequest], limit: int
) -> tuple[pb.CreateDocumentRequest, Asset]:
    """Returns the first message of a stream, and the file of all. Raises Invalid beyond `limit` bytes."""
    first: pb.CreateDocumentRequest | None = None
    data = bytearray()
    async for request in requests:
        if first is None:
            first = request
        data += request.content.data
        if len(data) > limit:
            raise Invalid(Fault("data", f"the file is larger than {limit:,} bytes, the limit"))
    if first is None:
        raise Invalid(Fault("data", "the file is empty"))
    kind = first.content.content_type
    if kind.lower().startswith(FORM):
        return first, await asyncio.to_thread(file_of, bytes(data), kind)
    return first, Asset(data=bytes(data), content_type=kind)

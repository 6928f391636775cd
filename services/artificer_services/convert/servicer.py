"""The servicer of artificer.convert.v1.ConversionService: maps protos to the engine and back.

Owns the mapping of fields; decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from google.api import httpbody_pb2

from artificer.convert.v1 import conversion_service_pb2 as pb
from artificer.convert.v1 import conversion_service_pb2_grpc

from ..kit.client_stream import ClientStream
from ..kit.errors import ServiceError
from ..kit.statuses import Context, Statuses
from . import formats
from .engine import Choices, Converter
from .errors import BadChoice, BadDocument, Unexpected, WorkError

_log = logging.getLogger(__name__)

_STATUSES = Statuses("convert.artificer")
_MEDIA: dict[int, str] = {
    pb.MEDIA_HANDLING_UNSPECIFIED: "",
    pb.MEDIA_HANDLING_EMBED: "embed",
    pb.MEDIA_HANDLING_OMIT: "omit",
}
_FIELDS = {"data": "content.data", "content_type": "content.content_type"}
# A document may hold scripts, which must not run with the gateway's origin if a browser shows it.
_HEADERS = (("content-security-policy", "sandbox"), ("x-content-type-options", "nosniff"))


class ConversionServicer(conversion_service_pb2_grpc.ConversionServiceServicer):
    """Serves ConversionService from a Converter."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    async def ConvertDocument(
        self, request_iterator: AsyncIterator[pb.ConvertDocumentRequest], context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        async with _AbortOnError(context):
            requests = ClientStream(request_iterator)
            first = await anext(requests, None)
            if first is None:  # an empty body
                raise BadDocument("the document is empty", "data")
            choices = _choices(first, _accept(context))
            async with aclosing(self._converter.convert(_data(first, requests), choices)) as pieces:
                begun = False
                async for piece in pieces:
                    if not begun:
                        stem = choices.filename.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
                        await context.send_initial_metadata((*_HEADERS, _disposition(stem, piece.target.extensions[0])))
                        begun = True
                    yield httpbody_pb2.HttpBody(content_type=piece.target.content_type, data=piece.data)

    async def ListConversionFormats(
        self, request: pb.ListConversionFormatsRequest, context: Context
    ) -> pb.ListConversionFormatsResponse:
        return pb.ListConversionFormatsResponse(
            input_formats=[_format(one, reads=True) for one in formats.INPUTS.values()],
            output_formats=[_format(one, reads=False) for one in formats.OUTPUTS.values()],
            engine=self._converter.version,
        )


async def _data(
    first: pb.ConvertDocumentRequest, requests: ClientStream[pb.ConvertDocumentRequest]
) -> AsyncIterator[bytes]:
    yield first.content.data
    async for request in requests:
        yield request.content.data


def _choices(request: pb.ConvertDocumentRequest, accept: str) -> Choices:
    if request.media not in _MEDIA:
        raise BadChoice(f"there is no handling of media {request.media}", "media")
    return Choices(
        to=request.to or accept,
        input_format=request.input_format,
        content_type=request.content.content_type,
        filename=request.filename,
        standalone=request.standalone,
        media=_MEDIA[request.media],
    )


def _accept(context: Context) -> str:
    """Returns the output format of the Accept header's first media type, or ""."""
    value = dict(context.invocation_metadata() or ()).get("accept", "")
    text = value if isinstance(value, str) else ""
    found = formats.output_of_type(text.partition(",")[0].partition(";")[0].strip().lower())
    return found.name if found else ""


def _disposition(stem: str, extension: str) -> tuple[str, str]:
    """Returns a header by which browsers save the document, with a name in ASCII (RFC 6266)."""
    name = "".join(one if one.isascii() and (one.isalnum() or one in " ._-") else "_" for one in stem)[:100]
    return ("content-disposition", f'attachment; filename="{name.strip() or "document"}.{extension}"')


def _format(one: formats.Format, *, reads: bool) -> pb.ConversionFormat:
    return pb.ConversionFormat(
        name=one.name,
        aliases=formats.aliases(one, reads=reads),
        description=one.description,
        media_type=one.media_type,
        file_extensions=one.extensions,
    )


class _AbortOnError:
    """Ends the call with the status of an error raised within it."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Unexpected):
            _log.error("internal error while converting a document: %s", error.message)
            await _STATUSES.abort(self._context, Unexpected("internal error while converting the document"))
        if isinstance(error, WorkError):
            field = _FIELDS.get(error.field or "", error.field)
            await _STATUSES.abort(self._context, type(error)(error.message, field))
        if isinstance(error, ServiceError):
            await _STATUSES.abort(self._context, error)

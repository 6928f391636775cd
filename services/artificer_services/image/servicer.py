"""The servicer of artificer.image.v1.ImageService: maps protos to the engine and back.

Decides nothing; `translate` maps the fields of requests.
"""

from __future__ import annotations

import logging

from google.api import httpbody_pb2

from artificer.image.v1 import image_service_pb2 as pb
from artificer.image.v1 import image_service_pb2_grpc

from ..kit.errors import ServiceError
from ..kit.statuses import Context, Statuses
from ..kit.workers.errors import Unexpected, WorkError
from .engine import ImageProcessor
from .translate import order_of

_log = logging.getLogger(__name__)

_STATUSES = Statuses("image.artificer")
_HEADERS = (("x-content-type-options", "nosniff"),)


class ImageServicer(image_service_pb2_grpc.ImageServiceServicer):
    """Serves ImageService from an ImageProcessor."""

    def __init__(self, processor: ImageProcessor) -> None:
        self._processor = processor

    async def ProcessImage(self, request: pb.ProcessImageRequest, context: Context) -> httpbody_pb2.HttpBody:
        try:
            order, names = order_of(request)
            made = await self._processor.process(request.image_data, request.content_type, order, names)
        except Unexpected as error:
            _log.error("internal error while processing an image: %s", error.message)
            await _STATUSES.abort(context, Unexpected("internal error while processing the image"))
        except WorkError as error:
            field = "image_data" if error.field == "data" else error.field
            await _STATUSES.abort(context, type(error)(error.message, field))
        except ServiceError as error:
            await _STATUSES.abort(context, error)
        await context.send_initial_metadata(_HEADERS)
        return httpbody_pb2.HttpBody(content_type=made.media_type, data=made.data)

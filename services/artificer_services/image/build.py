"""Makes the image service from its settings: its servicer, lifecycle and readiness.

The only module that a composition root imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from artificer.image.v1 import image_service_pb2_grpc

from ..kit.lifecycle import Service
from ..kit.workers.child import Program
from ..kit.workers.errors import Unavailable
from ..kit.workers.metrics import PoolMetrics
from ..kit.workers.pool import WorkerPool
from .engine import ImageProcessor
from .servicer import ImageServicer
from .settings import ImageSettings

# Base64 makes an image a third larger, and the other fields need space too.
_BASE64_FACTOR = 1.5
_PROGRAM = Program("image", "artificer_services.image.worker")


class ImageService(Service):
    """The servicer and everything behind it."""

    name = "image"
    grpc_name = "artificer.image.v1.ImageService"
    local = True

    def __init__(self, settings: ImageSettings | None = None) -> None:
        self.settings = settings = settings or ImageSettings()
        limits = {
            "pixels": settings.max_pixels,
            "frames": settings.max_frames,
            "output_bytes": settings.max_output_bytes,
        }
        self.pool = WorkerPool(
            _PROGRAM,
            {"memory": settings.worker_memory_bytes, "limits": limits},
            size=settings.worker_count,
            task_timeout=settings.timeout,
            start_timeout=settings.start_timeout,
            tasks=settings.worker_images,
        )
        self.processor = ImageProcessor(self.pool, settings)
        self.servicer = ImageServicer(self.processor)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        image_service_pb2_grpc.add_ImageServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Let the first image start the worker processes, so that a server without images has the memory for others."""
        self.pool.start_on_demand()

    async def stop(self) -> None:
        """End the worker processes; running calls fail with UNAVAILABLE."""
        await self.pool.stop()

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The body size of the largest image as base64 in JSON."""
        return {f"/{self.grpc_name}/ProcessImage": int(self.settings.max_image_bytes * _BASE64_FACTOR)}

    @property
    def collectors(self) -> Sequence[PoolMetrics]:
        """The metrics of the worker processes."""
        return [PoolMetrics(self.pool, "image", "Images")]

    async def ready(self) -> bool:
        """Whether images can be changed now, or as soon as a worker is started."""
        try:
            self.pool.check()
        except Unavailable:
            return False
        return True


def build(settings: ImageSettings | None = None) -> ImageService:
    """Returns the image service. Raises ValueError for invalid settings."""
    return ImageService(settings)


__all__ = ["ImageService", "ImageSettings", "build"]

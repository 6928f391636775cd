"""Changes images with a pool of worker processes, the only ones that decode them.

Plain Python without protos or gRPC.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from ..kit.workers.document import Document, memory_file
from ..kit.workers.errors import BadDocument, Busy, NotInstalled, TooLarge
from ..kit.workers.pool import WorkerPool
from .settings import ImageSettings
from .steps import MEDIA_TYPES, OPENCV, Order


@dataclass(frozen=True, slots=True)
class Processed:
    """A changed image, as a file."""

    data: bytes
    media_type: str
    width: int
    height: int


class ImageProcessor:
    """Changes images. Raises WorkError and stops its work when cancelled."""

    def __init__(self, pool: WorkerPool, settings: ImageSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._admitted = 0

    async def process(self, data: bytes, content_type: str, order: Order, names: list[str]) -> Processed:
        """Run an order on an image; `names` are the request's fields of the steps."""
        order.check(names)
        if not data:
            raise BadDocument("the image is empty", "data")
        if len(data) > self._settings.max_image_bytes:
            limit = f"{self._settings.max_image_bytes:,}"
            raise TooLarge(f"the image has {len(data):,} bytes; at most {limit} are accepted", "data")
        if not find_spec("cv2") and any(isinstance(step, OPENCV) for step in order.steps):
            raise NotInstalled("the server lacks OpenCV for this step; install artificer-services[image] there")
        with self._admit(), _output() as output:
            self._pool.check()
            document = await Document.store(data)
            try:
                task = {"content_type": content_type[:128], "order": order.pack()}
                answer = await self._pool.run(document, task, "the image", output)
            finally:
                document.close()
            size = os.fstat(output).st_size
            made = os.pread(output, size, 0)
        return Processed(made, MEDIA_TYPES[str(answer["format"])], int(answer["width"]), int(answer["height"]))

    @contextmanager
    def _admit(self) -> Iterator[None]:
        if self._admitted >= self._settings.max_requests:
            raise Busy(f"the server is busy with {self._admitted} images; try again later")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


@contextmanager
def _output() -> Iterator[int]:
    """A memory file for a result."""
    fd = memory_file()
    try:
        yield fd
    finally:
        os.close(fd)

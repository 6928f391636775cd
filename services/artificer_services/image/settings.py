"""The settings of the image service: one frozen value, validated once.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..kit.settings import check_not_negative, check_positive
from ..kit.workers.cores import cores


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """Workers and limits of the image service. Raises ValueError for invalid values."""

    workers: int = 0  # processes; 0 means one per core
    max_requests: int = 64  # concurrent requests, including waiting ones; more are refused with RESOURCE_EXHAUSTED
    max_image_bytes: int = 64 * 1024 * 1024  # of one image
    max_pixels: int = 250_000_000  # of all frames together, also of the result; OCRmyPDF's default
    max_frames: int = 1000  # of an animation or a TIFF
    max_output_bytes: int = 256 * 1024 * 1024  # of the result
    timeout: float = 60.0  # seconds per image; a photograph takes one
    start_timeout: float = 60.0  # seconds until a worker must be ready; it takes half a second on an idle machine
    worker_memory_bytes: int = 3 * 1024**3  # of each worker; 250 MP in colour are 750 MB, and a step has two copies
    worker_images: int = 1000  # images before a worker is replaced, which bounds leaks of C libraries

    def __post_init__(self) -> None:
        check_positive(
            self,
            "max_requests",
            "max_image_bytes",
            "max_pixels",
            "max_frames",
            "max_output_bytes",
            "timeout",
            "start_timeout",
            "worker_images",
        )
        check_not_negative(self, "workers", "worker_memory_bytes")

    @property
    def worker_count(self) -> int:
        """The number of worker processes."""
        return self.workers or cores()

"""The settings of the conversion service: one frozen value, validated once.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..kit.settings import check_not_negative, check_positive
from ..kit.workers.cores import cores


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertSettings:
    """Limits of the conversion service. Raises ValueError for invalid values."""

    pandoc: str = ""  # the path of the program; by default that of the package pypandoc_binary, else the one in PATH
    workers: int = 0  # conversions at once; 0 means one per core
    max_requests: int = 32  # concurrent requests, including waiting ones; more are refused with RESOURCE_EXHAUSTED
    max_document_bytes: int = 64 * 1024 * 1024  # of one document
    max_unpacked_bytes: int = 256 * 1024 * 1024  # of all files in a docx, odt or epub, which are archives
    max_output_bytes: int = 128 * 1024 * 1024  # of one converted document
    timeout: float = 60.0  # seconds per conversion; a megabyte of text takes two to twenty
    memory_bytes: int = 2 * 1024**3  # of each conversion; a megabyte of text takes up to 500 MB. 0 sets no limit

    def __post_init__(self) -> None:
        check_positive(self, "max_requests", "max_document_bytes", "max_unpacked_bytes", "max_output_bytes", "timeout")
        check_not_negative(self, "workers", "memory_bytes")

    @property
    def worker_count(self) -> int:
        """The number of conversions at once."""
        return self.workers or cores()

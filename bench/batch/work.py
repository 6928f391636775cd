"""The three tasks that every system runs: nothing, ten milliseconds of sleep, and OCR of a scanned page.

They take and return text. All systems use the same OCR engine, created once in each process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from artificer_services.ocr.batch_task import create

NAP_SECONDS = 0.01
NOTHING, NAP, OCR = "no-op", "10 ms", "OCR"


def nothing(text: str) -> str:
    return text


def nap(text: str) -> str:
    time.sleep(NAP_SECONDS)
    return text


def read(path: str) -> str:
    """Returns the text of a scan."""
    text: str = _reader().run(_Work(path)).text
    return text


WORK: dict[str, Callable[[str], str]] = {NOTHING: nothing, NAP: nap, OCR: read}


@cache
def _reader() -> Any:
    reader = create({})
    Finalize(None, reader.close, exitpriority=0)  # unlike atexit, this also runs in the children of pools
    return reader


@dataclass(frozen=True)
class _Phase:
    use_rag: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Work:
    path: str
    phase: _Phase = _Phase()
    metadata: Mapping[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def read_document(self) -> tuple[bytes, str]:
        return Path(self.path).read_bytes(), ""

    def log(self, level: int, message: str) -> None:
        """Discards the result."""

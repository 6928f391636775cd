"""One item in one phase, as a task sees it: the implementation of `tasks.api.Work`.

Reads the store for blobs and the project. The outcome of an item is `runner`'s business.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeVar

from ..jobs.errors import NotFound, Unavailable
from ..jobs.job import LogLine, Phase
from ..jobs.store import Store
from ..jobs.work import Claimed
from ..tasks.api import PhaseView
from ..tasks.inputs import Documents
from .lease import SlotLease

T = TypeVar("T")

MAX_LINE = 16_384  # characters of a line of a job's log
MAX_ERROR = 4_096  # characters of an item's error
_CUT = " …"
_PAUSE = 0.2  # seconds between attempts to reach the database


def view_of(phase: Phase) -> PhaseView:
    """Returns what a task may know of a phase."""
    return PhaseView(
        name=phase.name,
        task_type=phase.task_type,
        model=phase.model,
        use_rag=phase.use_rag,
        parameters=phase.parameters,
    )


def storable(text: str, limit: int) -> str:
    """Returns a text that every database accepts: truncated, without NUL and lone surrogates."""
    if len(text) > limit:
        text = text[: limit - len(_CUT)] + _CUT
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def unstorable(text: str, limit: int) -> str | None:
    """Returns why an output cannot be stored in `limit` bytes; None if it can."""
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        return "the output contains lone surrogates, which cannot be stored"
    if size > limit:
        return f"the output is {size:,} bytes long; at most {limit:,} are allowed"
    if "\0" in text:
        return "the output contains the character U+0000, which cannot be stored"
    return None


class SlotContext:
    """What the items of a slot share."""

    def __init__(self, store: Store, lease: SlotLease, documents: Documents) -> None:
        self.store, self.lease, self.documents = store, lease, documents
        self.views = [view_of(phase) for phase in lease.slot.phases]
        self._cancelled = threading.Event()

    @cached_property
    def project_id(self) -> str:
        """The project of the job, read from the store on first use."""
        return self.store.job(self.lease.slot.job_id).project_id

    @property
    def cancelled(self) -> threading.Event:
        """An event for the next item, reused until it is set: making one per item is measurable."""
        if self._cancelled.is_set():
            self._cancelled = threading.Event()
        return self._cancelled


class ItemWork:
    """See `tasks.api.Work`."""

    __slots__ = (
        "_slot",
        "attempt",
        "cancelled",
        "effect_key",
        "index",
        "input",
        "item_input",
        "job_id",
        "metadata",
        "outputs",
        "phase",
    )

    def __init__(self, context: SlotContext, claimed: Claimed) -> None:
        self._slot = context
        self.phase = context.views[claimed.phase]
        self.job_id = context.lease.slot.job_id
        self.index, self.attempt = claimed.index, claimed.attempt
        self.item_input = claimed.input
        self.input = claimed.outputs[context.views[claimed.phase - 1].name] if claimed.phase else claimed.input
        self.metadata: Mapping[str, str] = claimed.metadata
        self.outputs: Mapping[str, str] = claimed.outputs
        self.effect_key = f"{self.job_id}/{self.index}/{self.phase.name}"
        self.cancelled = context.cancelled

    @property
    def project_id(self) -> str:
        """See `tasks.api.Work`."""
        return self._retry(lambda: self._slot.project_id)

    def log(self, level: int, message: str) -> None:
        """See `tasks.api.Work`. Safe to call from any thread."""
        lease = self._slot.lease
        lease.log(line(lease, level, message, item=self.index, phase=self.phase.name))

    def read_blob(self, blob_id: str) -> tuple[bytes, str]:
        """See `tasks.api.Work`. Raises KeyError."""
        try:
            return self._retry(lambda: self._read_blob(blob_id))
        except NotFound:
            raise KeyError(blob_id) from None

    def read_document(self) -> tuple[bytes, str]:
        """See `tasks.api.Work`. Raises TaskError, Rejected."""
        return self._slot.documents.read(self.input, self.read_blob)

    def save_blob(self, data: bytes, content_type: str) -> str:
        """See `tasks.api.Work`."""
        return f"blob:{self._retry(lambda: self._slot.store.put_blob(content_type, (data,))).id}"

    def _read_blob(self, blob_id: str) -> tuple[bytes, str]:
        blob, pieces = self._slot.store.blob(blob_id)
        return b"".join(pieces), blob.content_type

    def _retry(self, call: Callable[[], T]) -> T:
        """Retry until the item is cancelled: no item fails because the database was unreachable."""
        while True:
            try:
                return call()
            except Unavailable:
                if self.cancelled.wait(_PAUSE):
                    raise


def line(lease: SlotLease, level: int, message: str, *, item: int | None = None, phase: str = "") -> LogLine:
    """Returns a line of a job's log with the current time."""
    return LogLine(
        level=level if isinstance(level, int) else logging.INFO,
        message=storable(message, MAX_LINE),
        time=lease.now,
        item=item,
        phase=phase,
        worker=lease.slot.worker,
    )

"""One item in one phase, as a task sees it: what `tasks.api.Work` promises.

Knows the store's values and where blobs are; what becomes of an item is `runner`'s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeVar

from ..jobs.errors import NotFound, Unavailable
from ..jobs.job import LogLine, Phase
from ..jobs.store import Store
from ..jobs.work import Claimed
from ..tasks.api import PhaseView
from ..tasks.inputs import Documents
from .lease import Hold

T = TypeVar("T")

MAX_LINE = 16_384  # characters of a line of a job's log
MAX_ERROR = 4_096  # characters of the reason why an item failed
_CUT = " …"
_PAUSE = 0.2  # seconds between two attempts to reach the database


def view_of(phase: Phase) -> PhaseView:
    """What a task may know of a phase."""
    return PhaseView(
        name=phase.name,
        task_type=phase.task_type,
        model=phase.model,
        use_rag=phase.use_rag,
        parameters=phase.parameters,
    )


def storable(text: str, limit: int) -> str:
    """A text that every database takes and nobody minds reading: without NUL and halves of characters, and cut."""
    if len(text) > limit:
        text = text[: limit - len(_CUT)] + _CUT
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


class Shared:
    """What the items of a slot have in common."""

    def __init__(self, store: Store, hold: Hold, documents: Documents) -> None:
        self.store, self.hold, self.documents = store, hold, documents
        self.views = [view_of(phase) for phase in hold.slot.phases]
        self._cancelled = threading.Event()

    @cached_property
    def project_id(self) -> str:
        """The project of the job; asked of the store by the first task that wants to know."""
        return self.store.job(self.hold.slot.job_id).project_id

    @property
    def cancelled(self) -> threading.Event:
        """An event for the next item; the same for all until it is set, since making one is not free."""
        if self._cancelled.is_set():
            self._cancelled = threading.Event()
        return self._cancelled


class ItemWork:
    """See `tasks.api.Work`."""

    __slots__ = (
        "_shared",
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

    def __init__(self, shared: Shared, claimed: Claimed) -> None:
        self._shared = shared
        self.phase = shared.views[claimed.phase]
        self.job_id = shared.hold.slot.job_id
        self.index, self.attempt = claimed.index, claimed.attempt
        self.item_input = claimed.input
        self.input = claimed.outputs[shared.views[claimed.phase - 1].name] if claimed.phase else claimed.input
        self.metadata: Mapping[str, str] = claimed.metadata
        self.outputs: Mapping[str, str] = claimed.outputs
        self.effect_key = f"{self.job_id}/{self.index}/{self.phase.name}"
        self.cancelled = shared.cancelled

    @property
    def project_id(self) -> str:
        """See `tasks.api.Work`."""
        return self._patiently(lambda: self._shared.project_id)

    def log(self, level: int, message: str) -> None:
        """See `tasks.api.Work`. Any thread may do so."""
        hold = self._shared.hold
        hold.log(line(hold, level, message, item=self.index, phase=self.phase.name))

    def read_blob(self, blob_id: str) -> tuple[bytes, str]:
        """See `tasks.api.Work`. Raises KeyError."""
        try:
            return self._patiently(lambda: self._read_blob(blob_id))
        except NotFound:
            raise KeyError(blob_id) from None

    def read_document(self) -> tuple[bytes, str]:
        """See `tasks.api.Work`. Raises TaskError, Rejected."""
        return self._shared.documents.read(self.input, self.read_blob)

    def save_blob(self, data: bytes, content_type: str) -> str:
        """See `tasks.api.Work`."""
        return f"blob:{self._patiently(lambda: self._shared.store.put_blob(content_type, (data,))).id}"

    def _read_blob(self, blob_id: str) -> tuple[bytes, str]:
        blob, pieces = self._shared.store.blob(blob_id)
        return b"".join(pieces), blob.content_type

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask the store for as long as the result is wanted: no item fails because the database was away."""
        while True:
            try:
                return ask()
            except Unavailable:
                if self.cancelled.wait(_PAUSE):
                    raise


def line(hold: Hold, level: int, message: str, *, item: int | None = None, phase: str = "") -> LogLine:
    """A line of a job's log, as of now."""
    return LogLine(
        level=level if isinstance(level, int) else logging.INFO,
        message=storable(message, MAX_LINE),
        time=time.time_ns() // 1000,
        item=item,
        phase=phase,
        worker=hold.slot.worker,
    )

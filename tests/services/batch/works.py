"""An item as a task sees it, for the tests of task types: its blobs are in memory, its documents are read for real."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from artificer_services.batch.tasks.api import PhaseView
from artificer_services.batch.tasks.inputs import Documents


@dataclass(kw_only=True)
class ItemWork:
    """One item in one phase. `settings` are the `tasks` settings, of which only `root` is used."""

    input: str = ""
    phase: PhaseView
    settings: Mapping[str, Any] = field(default_factory=dict)
    blobs: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    item_input: str = ""
    job_id: str = "job"
    project_id: str = ""
    index: int = 0
    attempt: int = 1
    effect_key: str = "job/0/phase"
    cancelled: threading.Event = field(default_factory=threading.Event)
    lines: list[tuple[int, str]] = field(default_factory=list)

    def log(self, level: int, message: str) -> None:
        self.lines.append((level, message))

    def read_blob(self, blob_id: str) -> tuple[bytes, str]:
        return self.blobs[blob_id]

    def read_document(self) -> tuple[bytes, str]:
        return Documents(self.settings).read(self.input, self.read_blob)

    def save_blob(self, data: bytes, content_type: str) -> str:
        blob_id = hashlib.sha256(data).hexdigest()
        self.blobs[blob_id] = (data, content_type)
        return f"blob:{blob_id}"


def phase(task_type: str, **given: Any) -> PhaseView:
    """Returns a phase; arguments other than `model`, `use_rag` and `before` are its parameters."""
    fields = {name: given.pop(name) for name in ("model", "use_rag", "before") if name in given}
    return PhaseView(name="step", task_type=task_type, parameters=given, **fields)

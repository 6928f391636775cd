"""The record of a call with more than counts: its id, its line in the access log, its span.

It knows no protocol, and log and traces only by the callables it is given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from structlog.contextvars import bind_contextvars

from ..metadata import Metadata
from ..origin import Origin
from ..status import CODE_BY_NUMBER
from .counters import Tally
from .record import Counted
from .unmatched import LONGEST_PATH

REQUEST_ID = "x-request-id"
NOTE = "request_id"
"""The id's key in `Origin.notes`."""

_GIVEN = re.compile(r"[\x21-\x7e]{1,128}")
# Ids need not be unpredictable, and the system's random source would cost a system call per call.
_bits = random.Random(random.SystemRandom().getrandbits(256)).getrandbits  # noqa: S311


class Span(Protocol):
    """The span of one call."""

    trace_id: str
    """The trace id in hexadecimal (W3C Trace Context); empty if the trace is not sampled."""

    def caught(self, error: BaseException) -> None:
        """Records an unexpected exception."""

    def end(self, code: int, http_status: int) -> None:
        """Ends the span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is recorded of a call. `line` writes a line of the access log; `span` begins a span."""

    ids: bool
    line: Callable[[dict[str, Any]], None] | None = None
    span: Callable[[Tally, Origin, Metadata], Span] | None = None

    def make(self, tally: Tally, origin: Origin) -> DetailedRecord:
        """Returns the record of a call that begins now."""
        return DetailedRecord(tally, origin, self)


class DetailedRecord(Counted):
    """The record of a call that begins now."""

    __slots__ = ("_agent", "_details", "_origin", "_span", "request_id")

    def __init__(self, tally: Tally, origin: Origin, details: Details) -> None:
        super().__init__(tally, origin.arrived)
        self._details, self._origin = details, origin
        self._span: Span | None = None
        self._agent = self.request_id = ""
        if details.ids:
            self._name(f"{_bits(64):016x}")

    def _name(self, request_id: str) -> None:
        self.request_id = self._origin.notes[NOTE] = request_id
        self._origin.initial = ((REQUEST_ID, request_id),)

    def on_metadata(self, metadata: Metadata) -> None:
        """Takes the call's metadata, before the interceptors run."""
        for key, value in metadata:
            if key == "user-agent":
                self._agent = str(value)
            elif key == REQUEST_ID and self._details.ids and _GIVEN.fullmatch(str(value)):
                self._name(str(value))
        if self._details.ids:
            bind_contextvars(request_id=self.request_id)
        if self._details.span is not None and self.tally is not None:
            self._span = self._details.span(self.tally, self._origin, metadata)

    def caught(self, error: BaseException) -> None:
        """Records the unexpected exception that ended the call."""
        if self._span is not None:
            self._span.caught(error)

    def end(self) -> float:
        """Ends the record; a second call does nothing."""
        tally = self.tally
        seconds = super().end()
        if tally is None:
            return seconds
        trace_id = ""
        if self._span is not None:
            trace_id = self._span.trace_id
            self._span.end(self.code, self.http_status)
        if self._details.line is not None:
            self._details.line(self._line(tally, seconds, trace_id))
        return seconds

    def _line(self, tally: Tally, seconds: float, trace_id: str) -> dict[str, Any]:
        origin, labels = self._origin, tally.labels
        principal = origin.notes.get("principal")
        line: dict[str, Any] = {
            "request_id": self.request_id,
            "principal": None if principal is None else getattr(principal, "id", None),
            "protocol": labels.protocol,
            "service": labels.service,
            "method": labels.method,
            "code": CODE_BY_NUMBER[self.code].name,
            "duration_ms": round(seconds * 1000, 3),
            "request_bytes": self.bytes_in,
            "response_bytes": self.bytes_out,
            "peer": origin.peer,
            "user_agent": self._agent,
        }
        if origin.unknown_path is not None:
            line["path"] = origin.unknown_path[:LONGEST_PATH]
        if origin.route is not None:
            line["http_status"] = self.http_status
        if trace_id:
            line["trace_id"] = trace_id
        return line

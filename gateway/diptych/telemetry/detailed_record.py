"""The record of a call with more than counts: its id, its line in the access log, its span.

It knows no protocol, and log and traces only by the callables it is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from structlog.contextvars import bind_contextvars

from ..metadata import Metadata
from ..origin import Origin
from ..status import CODE_BY_NUMBER
from .counters import CODES, Labels, Tally
from .record import Counted
from .unmatched import LONGEST_PATH

REQUEST_ID = "x-request-id"
NOTE = "request_id"
"""The id's key in `Origin.notes`."""

_GIVEN = re.compile(r"[\x21-\x7e]{1,128}")
# The variable behind `bind_contextvars(request_id=…)`, which costs 0.6 µs a call; setting it directly costs 0.1.
_bound: ContextVar[Any] = copy_context().run(bind_contextvars, request_id="")["request_id"].var
_CODES = tuple(CODE_BY_NUMBER[number].name for number in range(CODES))
_ID_BYTES, _IDS_AT_ONCE = 8, 256
LONGEST_HEADER = 1024
"""Characters of a header, or of a caller's id in one, that are logged: a client may send 64 KiB."""
_ids: list[str] = []
os.register_at_fork(after_in_child=_ids.clear)  # else two processes would give calls the same ids


def _cut(caller: object) -> object:
    return caller[:LONGEST_HEADER] if isinstance(caller, str) else caller


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

    @property
    def make(self) -> Callable[[Tally, Origin], DetailedRecord]:
        """Makes the record of a call that begins now."""
        return partial(DetailedRecord, details=self)


def _new_id() -> str:
    """Returns 16 hexadecimal digits, of which one system call makes many."""
    try:
        return _ids.pop()
    except IndexError:
        text = os.urandom(_ID_BYTES * _IDS_AT_ONCE).hex()
        first, *rest = [text[at : at + 2 * _ID_BYTES] for at in range(0, len(text), 2 * _ID_BYTES)]
        _ids.extend(rest)
        return first


class DetailedRecord(Counted):
    """The record of a call that begins now."""

    def __init__(self, tally: Tally, origin: Origin, details: Details) -> None:
        super().__init__(tally, origin.arrived)
        self._details = details
        self._origin: Origin | None = origin
        self._span: Span | None = None
        self._agent = self.request_id = ""
        if details.ids:
            self.request_id = request_id = origin.notes[NOTE] = _new_id()
            origin.initial = ((REQUEST_ID, request_id),)

    def on_metadata(self, metadata: Metadata) -> None:
        """Takes the call's metadata, before the interceptors run."""
        details, origin = self._details, self._origin
        for key, value in metadata:
            if key == "user-agent":
                self._agent = str(value)
            elif key == REQUEST_ID and details.ids and origin is not None and _GIVEN.fullmatch(str(value)):
                self.request_id = request_id = origin.notes[NOTE] = str(value)
                origin.initial = ((REQUEST_ID, request_id),)
        if details.ids:
            _bound.set(self.request_id)
        if details.span is not None and origin is not None and self.tally is not None:
            self._span = details.span(self.tally, origin, metadata)

    def caught(self, error: BaseException) -> None:
        """Records the unexpected exception that ended the call."""
        if self._span is not None:
            self._span.caught(error)

    def end(self) -> float:
        """Ends the record; a second call does nothing."""
        tally, origin = self.tally, self._origin
        seconds = super().end()
        if tally is None or origin is None:
            return seconds
        self._origin = None  # breaks a reference cycle, which the garbage collector would have to find
        trace_id, line = "", self._details.line
        if self._span is not None:
            trace_id = self._span.trace_id
            self._span.end(self.code, self.http_status)
        if line is not None:
            line(self._line(origin, tally.labels, seconds, trace_id))
        return seconds

    def _line(self, origin: Origin, labels: Labels, seconds: float, trace_id: str) -> dict[str, Any]:
        principal = origin.notes.get("principal")
        line: dict[str, Any] = {
            "request_id": self.request_id,
            "principal": None if principal is None else _cut(getattr(principal, "id", None)),
            "protocol": labels.protocol,
            "service": labels.service,
            "method": labels.method,
            "code": _CODES[self.code],
            "duration_ms": int(seconds * 1e6 + 0.5) / 1000,  # `round` costs five times as much
            "request_bytes": self.bytes_in,
            "response_bytes": self.bytes_out,
            "peer": origin.peer,
            "user_agent": self._agent[:LONGEST_HEADER],
        }
        if origin.unknown_path is not None:
            line["path"] = origin.unknown_path[:LONGEST_PATH]
        if origin.route is not None:
            line["http_status"] = self.http_status
        if trace_id:
            line["trace_id"] = trace_id
        return line

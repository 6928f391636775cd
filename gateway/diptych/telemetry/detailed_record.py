"""A call of which more is kept than counts: its id, its line in the access log, its span.

It knows no face, and neither log nor traces but by what it is handed.
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
# Nobody has to be unable to guess an id, and the system's own source costs a call of the kernel's.
_bits = random.Random(random.SystemRandom().getrandbits(256)).getrandbits  # noqa: S311


class Span(Protocol):
    """One call's in a trace."""

    trace_id: str
    """In hexadecimal, as W3C has it; empty where the trace is not kept."""

    def caught(self, error: BaseException) -> None:
        """An exception nobody expected."""

    def end(self, code: int, http_status: int) -> None:
        """The call is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept. `line` writes one of the access log; `span` begins one of a trace."""

    ids: bool
    line: Callable[[dict[str, Any]], None] | None = None
    span: Callable[[Tally, Origin, Metadata], Span] | None = None

    def make(self, tally: Tally, origin: Origin) -> Watched:
        """The record of a call that begins now."""
        return Watched(tally, origin, self)


class Watched(Counted):
    """The record of a call that begins now."""

    __slots__ = ("_agent", "_keeping", "_origin", "_span", "request_id")

    def __init__(self, tally: Tally, origin: Origin, keeping: Keeping) -> None:
        super().__init__(tally, origin.came)
        self._keeping, self._origin = keeping, origin
        self._span: Span | None = None
        self._agent = self.request_id = ""
        if keeping.ids:
            self._name(f"{_bits(64):016x}")

    def _name(self, request_id: str) -> None:
        self.request_id = self._origin.notes[NOTE] = request_id
        self._origin.initial = ((REQUEST_ID, request_id),)

    def met(self, metadata: Metadata) -> None:
        """The call's metadata is known; the interceptors have not run."""
        for key, value in metadata:
            if key == "user-agent":
                self._agent = str(value)
            elif key == REQUEST_ID and self._keeping.ids and _GIVEN.fullmatch(str(value)):
                self._name(str(value))
        if self._keeping.ids:
            bind_contextvars(request_id=self.request_id)
        if self._keeping.span is not None and self.tally is not None:
            self._span = self._keeping.span(self.tally, self._origin, metadata)

    def caught(self, error: BaseException) -> None:
        """An exception nobody expected ended it."""
        if self._span is not None:
            self._span.caught(error)

    def end(self) -> float:
        """It is over; the second time does nothing."""
        tally = self.tally
        seconds = super().end()
        if tally is None:
            return seconds
        trace_id = ""
        if self._span is not None:
            trace_id = self._span.trace_id
            self._span.end(self.code, self.http_status)
        if self._keeping.line is not None:
            self._keeping.line(self._line(tally, seconds, trace_id))
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
        if origin.asked is not None:
            line["path"] = origin.asked[:LONGEST_PATH]
        if origin.route is not None:
            line["http_status"] = self.http_status
        if trace_id:
            line["trace_id"] = trace_id
        return line

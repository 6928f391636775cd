"""The record of one running call: its code, messages and bytes, until it is ended exactly once.

It knows no protocol. The code that accepts a call from its client begins the record and ends it.
"""

from __future__ import annotations

from bisect import bisect_left
from time import perf_counter
from typing import Protocol

from ..metadata import Metadata
from .counters import Tally

CANCELLED = 1


class Record(Protocol):
    """The record of one call. Callers write its attributes directly: a method call per message would be measurable."""

    code: int
    """The final code, a number of google.rpc.Code; CANCELLED until it is set."""
    http_status: int
    """The status of the HTTP response; 0 if the call has none."""
    messages_in: int
    """Number of requests received."""
    messages_out: int
    """Number of responses sent."""
    bytes_in: int
    """Bytes of the requests on the wire, without framing."""
    bytes_out: int
    """Bytes of the responses on the wire, without framing."""

    def on_metadata(self, metadata: Metadata) -> None:
        """Takes the call's metadata."""

    def caught(self, error: BaseException) -> None:
        """Records the unexpected exception that ended the call."""

    def end(self) -> float:
        """Ends the record and returns the call's duration in seconds; a second call does nothing."""


class Counted:
    """The record of a call that is only counted."""

    # No slots and no default: CPython makes such objects several times slower.
    def __init__(self, tally: Tally, arrived: float | None) -> None:
        tally.started += 1
        if tally.streams:
            tally.running.add(self)
        self.tally: Tally | None = tally
        """The counters, until the call ends."""
        self.code = CANCELLED
        self.bytes_in = self.bytes_out = self.messages_in = self.messages_out = self.http_status = 0
        self._began = arrived or perf_counter()

    def on_metadata(self, metadata: Metadata) -> None:
        """Does nothing: counters need no metadata."""

    def caught(self, error: BaseException) -> None:
        """Does nothing: the code is counted."""

    def end(self) -> float:
        """Ends the record and returns the call's duration in seconds; a second call returns -1 and changes nothing."""
        tally = self.tally
        if tally is None:
            return -1.0
        self.tally = None
        seconds = perf_counter() - self._began
        tally.handled[self.code] += 1
        times = tally.seconds
        times.counts[bisect_left(times.bounds, seconds)] += 1
        times.total += seconds
        tally.received += self.messages_in
        tally.sent += self.messages_out
        tally.received_bytes += self.bytes_in
        tally.sent_bytes += self.bytes_out
        if tally.streams:
            tally.running.discard(self)
            tally.in_stream.add(self.messages_in)
            tally.out_stream.add(self.messages_out)
            tally.lasted.add(seconds)
        return seconds


class Nothing:
    """The record of calls that are not recorded: one instance for all, whose numbers are meaningless."""

    code = http_status = messages_in = messages_out = bytes_in = bytes_out = 0

    def on_metadata(self, metadata: Metadata) -> None:
        """Does nothing."""

    def caught(self, error: BaseException) -> None:
        """Does nothing."""

    def end(self) -> float:
        """Does nothing, and returns -1."""
        return -1.0


NOTHING = Nothing()

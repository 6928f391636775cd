"""What is kept of one call while it runs: it is begun at a door, told of messages, and ended exactly once.

It knows no face. Whoever takes the call from its client begins it and ends it, whatever happens between.
"""

from __future__ import annotations

from bisect import bisect_left
from time import perf_counter
from typing import Protocol

from ..metadata import Metadata
from .counters import Tally

CANCELLED = 1


class Record(Protocol):
    """One call's, as those who serve it see it. What it counts they add to: a method a message would cost as much."""

    code: int
    """What the client is told in the end, a number of google.rpc.Code; until somebody says so, CANCELLED."""
    http_status: int
    """The status of the HTTP response, where there is one that says more than the code."""
    messages_in: int
    """Requests that came."""
    messages_out: int
    """Responses that went."""
    bytes_in: int
    """Bytes of the messages that came, as they were on the wire, without their framing."""
    bytes_out: int
    """The same of the messages that went."""

    def met(self, metadata: Metadata) -> None:
        """The call's metadata is known."""

    def caught(self, error: BaseException) -> None:
        """An exception nobody expected ended it."""

    def end(self) -> float:
        """It is over; the second time does nothing. How long it took, in seconds."""


class Counted:
    """A call that is counted, and nothing more."""

    __slots__ = ("_began", "bytes_in", "bytes_out", "code", "http_status", "messages_in", "messages_out", "tally")

    def __init__(self, tally: Tally, came: float | None = None) -> None:
        tally.started += 1
        if tally.streams:
            tally.running.add(self)
        self.tally: Tally | None = tally
        """Where it is counted, until it is over."""
        self.code = CANCELLED
        self.bytes_in = self.bytes_out = self.messages_in = self.messages_out = self.http_status = 0
        self._began = came or perf_counter()

    def met(self, metadata: Metadata) -> None:
        """Counting asks for none."""

    def caught(self, error: BaseException) -> None:
        """The code tells."""

    def end(self) -> float:
        """It is over. How long it took, in seconds; less than nothing the second time, which changes nothing."""
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
    """A call nobody watches: one for all of them, whose numbers mean nothing."""

    code = http_status = messages_in = messages_out = bytes_in = bytes_out = 0

    def met(self, metadata: Metadata) -> None:
        """Nothing is kept."""

    def caught(self, error: BaseException) -> None:
        """Nothing is kept."""

    def end(self) -> float:
        """Nothing is kept."""
        return -1.0


NOTHING = Nothing()

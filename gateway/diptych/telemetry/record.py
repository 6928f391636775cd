"""What is kept of one call while it runs: it is begun at a door, told of messages, and ended exactly once.

It knows no face. Whoever takes the call from its client begins it and ends it, whatever happens between.
"""

from __future__ import annotations

from bisect import bisect_left
from time import perf_counter
from typing import Any, Protocol

from ..metadata import Metadata, Pair
from .tally import Tally

CANCELLED = 1


class Record(Protocol):
    """One call's, as those who serve it see it."""

    code: int
    """What the client is told in the end, a number of google.rpc.Code; until somebody says so, CANCELLED."""
    http_status: int
    """The status of the HTTP response, where there is one that says more than the code."""
    bytes_in: int
    """Bytes of the messages that came, as they were on the wire, without their framing."""
    bytes_out: int
    """The same of the messages that went."""

    def met(self, metadata: Metadata) -> None:
        """The call's metadata is known."""

    def received(self) -> None:
        """A request came."""

    def sent(self) -> None:
        """A response went."""

    def caught(self, error: BaseException) -> None:
        """An exception nobody expected ended it."""

    @property
    def initial(self) -> tuple[Pair, ...]:
        """What goes out before everything else: initial metadata, or headers."""

    def end(self) -> None:
        """It is over; the second time does nothing."""


class Counted:
    """A call that is counted, and nothing more."""

    __slots__ = ("_began", "_received", "_sent", "_tally", "bytes_in", "bytes_out", "code", "http_status")

    initial: tuple[Pair, ...] = ()

    def __init__(self, tally: Tally, came: float | None = None) -> None:
        tally.started += 1
        self._tally: Tally | None = tally
        self.code = CANCELLED
        self.bytes_in = self.bytes_out = self._received = self._sent = self.http_status = 0
        self._began = came or perf_counter()

    def met(self, metadata: Metadata) -> None:
        """Counting asks for none."""

    def caught(self, error: BaseException) -> None:
        """The code tells."""

    def received(self) -> None:
        """A request came: said at once, since a stream may last."""
        self._received += 1
        if self._tally is not None:
            self._tally.received += 1

    def sent(self) -> None:
        """A response went."""
        self._sent += 1
        if self._tally is not None:
            self._tally.sent += 1

    def end(self) -> None:
        """It is over; the second time does nothing."""
        tally = self._tally
        if tally is None:
            return
        self._tally = None
        seconds = perf_counter() - self._began
        tally.handled[self.code] += 1
        times = tally.seconds
        times.counts[bisect_left(times.bounds, seconds)] += 1
        times.total += seconds
        tally.received_bytes += self.bytes_in
        tally.sent_bytes += self.bytes_out
        if tally.streams:
            tally.in_stream.add(self._received)
            tally.out_stream.add(self._sent)
            tally.lasted.add(seconds)
        self._over(tally, seconds)

    def _over(self, tally: Tally, seconds: float) -> None:
        """For those who keep more of it."""


class Nothing:
    """A call nobody watches: one for all of them."""

    code = http_status = bytes_in = bytes_out = 0
    initial: tuple[Pair, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        """Nothing is kept."""

    def met(self, metadata: Metadata) -> None:
        """Nothing is kept."""

    def received(self) -> None:
        """Nothing is kept."""

    def sent(self) -> None:
        """Nothing is kept."""

    def caught(self, error: BaseException) -> None:
        """Nothing is kept."""

    def end(self) -> None:
        """Nothing is kept."""


NOTHING = Nothing()

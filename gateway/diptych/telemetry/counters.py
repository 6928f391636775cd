"""Counters of one method over one protocol, as plain numbers, which calls write and scrapes read.

It knows no metric's name and no metrics library. Only the event loop's thread writes; a reader in another thread may be
one call behind.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

Kind = Literal["unary", "client_stream", "server_stream", "bidi_stream", "unknown"]

CODES = 17  # google.rpc.Code: 0 to 16
UNKNOWN: Final = "unknown"
"""The service and method of calls to unknown methods: clients must not be able to create series at will."""

MESSAGES = (1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10000.0, 100000.0)
"""Buckets of the number of messages in a stream."""
STREAM_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Buckets of the duration of streams, in seconds."""


class Labels(NamedTuple):
    """The labels of a series."""

    kind: Kind
    service: str
    method: str
    protocol: str


def labels_of(path: str, kind: Kind, protocol: str) -> Labels:
    """Returns the labels of `/{package.Service}/{Method}`."""
    service, _, method = path[1:].rpartition("/")
    return Labels(kind, service, method, protocol)


class Histogram:
    """Counts of values by bucket; the last bucket is for values above all bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        """Upper bounds, inclusive."""
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Flow(Protocol):
    """Messages and bytes of a running stream so far."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int


class Moved(NamedTuple):
    """Messages and bytes of ended and running calls together."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int


class Tally:
    """The counters of one method over one protocol."""

    __slots__ = (
        "handled",
        "in_stream",
        "labels",
        "lasted",
        "out_stream",
        "received",
        "received_bytes",
        "running",
        "seconds",
        "sent",
        "sent_bytes",
        "started",
        "streams",
    )

    def __init__(self, labels: Labels, buckets: Sequence[float]) -> None:
        self.labels = labels
        self.started = self.received = self.sent = self.received_bytes = self.sent_bytes = 0
        self.handled = [0] * CODES
        self.seconds = Histogram(buckets)
        self.streams = labels.kind not in ("unary", UNKNOWN)
        self.running: set[Flow] = set()
        """Running streams. Their numbers are added when they end; until then a scrape adds what they have so far."""
        self.in_stream, self.out_stream = Histogram(MESSAGES), Histogram(MESSAGES)
        self.lasted = Histogram(STREAM_SECONDS)

    def moved(self) -> Moved:
        """Returns the messages and bytes so far."""
        sums = [self.received, self.sent, self.received_bytes, self.sent_bytes]
        for one in list(self.running):
            for at, name in enumerate(Moved._fields):
                sums[at] += getattr(one, name)
        return Moved(*sums)

    @property
    def in_flight(self) -> int:
        """The number of running calls."""
        return self.started - sum(self.handled)

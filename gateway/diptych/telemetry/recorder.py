"""The recorder: makes the record of every call, and owns the counters.

It knows no protocol; what is recorded besides counts is in `detailed_record`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..origin import Origin, origin
from ..settings.telemetry import BUCKETS
from .counters import UNKNOWN, Kind, Labels, Tally, labels_of
from .record import NOTHING, Counted, Nothing
from .unmatched import Unmatched, line

Make = Callable[[Tally, Origin], Counted]

_KINDS: Mapping[tuple[bool, bool], Kind] = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


class Recorder:
    """Begins records. `make` makes records with more than counts; None makes plain ones."""

    def __init__(self, *, buckets: tuple[float, ...] = BUCKETS, make: Make | None = None, on: bool = True) -> None:
        self._buckets, self._on = buckets, on
        self.make = make
        self.line: Callable[[dict[str, Any]], None] | None = None
        """Writes a line of the access log; None without one."""
        self.report: Callable[[BaseException, str, str, str], None] | None = None
        """Reports an unexpected exception, its id, and the call's method and protocol; None without a receiver."""
        self._kinds: dict[str, Kind] = {}
        self._tallies: dict[str, dict[str, Tally]] = {}
        self._unmatched: Counter[int] = Counter()
        self._stalls: Counter[str] = Counter()

    @classmethod
    def off(cls) -> Recorder:
        """Returns a recorder that records nothing."""
        return cls(on=False)

    @property
    def needs_metadata(self) -> bool:
        """Whether its records need the calls' metadata."""
        return self.make is not None

    def know(self, handlers: Mapping[str, Any]) -> None:
        """Sets the served methods, by `/{package.Service}/{Method}`; all others share one set of counters."""
        for path, handler in handlers.items():
            self._kinds[path] = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]

    def begin(self, path: str, origin: Origin) -> Counted | Nothing:
        """Returns the record of a call that begins now, and stores it in the origin; the caller must end it."""
        if not self._on:
            origin.record = NOTHING
            return NOTHING
        protocol = origin.protocol
        try:
            tally = self._tallies[protocol][path]
        except KeyError:
            tally = self.tally(path, protocol)
            if tally.labels.kind == UNKNOWN:
                origin.unknown_path = path
        record = origin.record = Counted(tally, origin.arrived) if self.make is None else self.make(tally, origin)
        return record

    def tally(self, path: str, protocol: str) -> Tally:
        """Returns the counters of a method over a protocol."""
        of = self._tallies.setdefault(protocol, {})
        kind = self._kinds.get(path)
        if kind is None:
            path = UNKNOWN
        if path not in of:
            labels = labels_of(path, kind, protocol) if kind else Labels(UNKNOWN, UNKNOWN, UNKNOWN, protocol)
            of[path] = Tally(labels, self._buckets)
        return of[path]

    def unmatched(self, request: Unmatched) -> None:
        """Counts and logs a request that matches no method."""
        if self._on:
            self._unmatched[request.status] += 1
        if self.line is not None:
            self.line(line(request))

    def unexpected(self, error: BaseException, error_id: str, path: str) -> None:
        """Reports an unexpected exception under the id that the client is given."""
        if self.report is not None:
            known = origin()
            # A path that is no method's may hold anything that a client put into it.
            self.report(error, error_id, path if path in self._kinds else UNKNOWN, known.protocol if known else "http")

    def refused(self, status: int) -> None:
        """Counts a request that the listener refused before it reached any face."""
        if self._on:
            self._unmatched[status] += 1

    def stalled(self, kind: str) -> None:
        """Counts a response that the listener ended since its client took nothing of it; `kind` is the protocol."""
        if self._on:
            self._stalls[kind] += 1

    def tallies(self) -> Iterator[Tally]:
        """Yields the counters of every called method, by protocol."""
        for of in list(self._tallies.values()):
            yield from list(of.values())

    @property
    def missed(self) -> Mapping[int, int]:
        """The number of HTTP requests that matched no method, by status."""
        return dict(self._unmatched)

    @property
    def stalls(self) -> Mapping[str, int]:
        """The number of responses that were ended since their clients took nothing of them, by protocol."""
        return dict(self._stalls)

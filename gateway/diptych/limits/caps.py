"""Counters of the calls and bytes in flight, and the share of one call, released when it ends.

It knows no rule and no caller.
"""

from __future__ import annotations

from ..status import Status, StatusError
from .statuses import busy, for_http


class Caps:
    """Calls and request bytes in flight; a cap of None is no cap."""

    def __init__(self, calls: int | None, size: int | None, retry_seconds: float) -> None:
        self.most_calls, self.most_bytes = calls, size
        self.calls = 0
        """Counted calls in flight."""
        self.bytes = 0
        """Request bytes that leases hold."""
        self.too_many: Status = busy("too many calls are in flight", retry_seconds)
        """The status of a call beyond `most_calls`."""
        self._too_large = busy("the requests in flight take too much memory", retry_seconds)

    @property
    def full(self) -> bool:
        """Whether the cap of calls is reached."""
        return self.most_calls is not None and self.calls >= self.most_calls

    def lease(self) -> Lease:
        """Returns the lease of a call of which only the bytes are counted."""
        return Lease(self, False)

    def lease_counted(self) -> Lease:
        """Counts a call in flight, and returns its lease."""
        self.calls += 1
        return Lease(self, True)

    def check(self, more: int) -> None:
        """Raises UNAVAILABLE if `more` bytes exceed the cap."""
        if self.most_bytes is not None and self.bytes + more > self.most_bytes:
            raise StatusError(for_http(self._too_large))


class Slots:
    """Concurrent calls by key, at most `most` each."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.counts: dict[str, int] = {}
        """The number of calls of each key that has any."""

    def full(self, key: str) -> bool:
        """Whether the key's limit is reached."""
        return self.counts.get(key, 0) >= self.most

    def take(self, key: str) -> None:
        """Adds a call."""
        self.counts[key] = self.counts.get(key, 0) + 1

    def give(self, key: str) -> None:
        """Removes a call, and the key with its last one, so that the table does not grow."""
        left = self.counts[key] - 1
        if left:
            self.counts[key] = left
        else:
            del self.counts[key]


class Lease:
    """The resources of one call. `counted` means that the call is counted in flight."""

    # No slots and no keyword-only parameter: CPython makes such objects several times slower.
    def __init__(self, caps: Caps, counted: bool) -> None:
        self._caps, self._counted, self._bytes = caps, counted, 0
        self._slots: list[tuple[Slots, str]] | None = None
        self._over = False

    def expect(self, size: int) -> None:
        """Checks an announced size (content-length), and counts nothing yet. Raises UNAVAILABLE if it does not fit.

        If announcements counted, a client could block all others at no cost.
        """
        self._caps.check(size)

    def take(self, size: int) -> None:
        """Counts received bytes of the request. Raises UNAVAILABLE if they exceed the cap.

        After the release, take and give do nothing: a servicer in a thread may read on when its call has ended.
        """
        if self._over:
            return
        caps = self._caps
        if caps.most_bytes is not None:
            caps.check(size)
        caps.bytes += size
        self._bytes += size

    def give(self, size: int) -> None:
        """Counts bytes no longer, since they were freed."""
        if not self._over:
            self._caps.bytes -= size
            self._bytes -= size

    def hold(self, slots: Slots, key: str) -> None:
        """Adds the call to `slots`."""
        slots.take(key)
        if self._slots is None:
            self._slots = []
        self._slots.append((slots, key))

    def release(self) -> None:
        """Releases everything."""
        caps = self._caps
        caps.bytes -= self._bytes
        self._bytes, self._over = 0, True
        if self._counted:
            self._counted = False
            caps.calls -= 1
        while self._slots:
            slots, key = self._slots.pop()
            slots.give(key)

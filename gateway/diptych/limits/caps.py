"""What all calls of the process hold together, and what one of them holds: given back when it is over, however it ends.

It knows no rule and no caller.
"""

from __future__ import annotations

from ..status import Status, StatusError
from .statuses import busy, shown


class Caps:
    """Calls and request bytes in flight; None is without a cap."""

    def __init__(self, calls: int | None, size: int | None, retry_seconds: float) -> None:
        self.most_calls, self.most_bytes = calls, size
        self.calls = 0
        """Calls in flight, where they are counted."""
        self.bytes = 0
        """Bytes of requests that calls in flight hold, where they are counted."""
        self.too_many: Status = busy("too many calls are in flight", retry_seconds)
        """What a call is told beyond `most_calls`."""
        self._too_large = busy("too much of other calls' requests is held", retry_seconds)

    @property
    def full(self) -> bool:
        """Whether another call is one too many."""
        return self.most_calls is not None and self.calls >= self.most_calls

    def check(self, more: int) -> None:
        """Raises UNAVAILABLE where so many bytes more are too many."""
        if self.most_bytes is not None and self.bytes + more > self.most_bytes:
            raise StatusError(shown(self._too_large))


class Slots:
    """Calls at once, by key."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken: dict[str, int] = {}
        """How many there are of each key that has any."""

    def full(self, key: str) -> bool:
        """Whether another is one too many."""
        return self.taken.get(key, 0) >= self.most

    def take(self, key: str) -> None:
        """One more."""
        self.taken[key] = self.taken.get(key, 0) + 1

    def give(self, key: str) -> None:
        """One less; a key without any is forgotten."""
        left = self.taken[key] - 1
        if left:
            self.taken[key] = left
        else:
            del self.taken[key]


class Lease:
    """What one call holds. `counted` says that it is a call of the caps."""

    __slots__ = ("_bytes", "_caps", "_counted", "_slots")

    def __init__(self, caps: Caps, *, counted: bool) -> None:
        self._caps, self._counted, self._bytes = caps, counted, 0
        self._slots: list[tuple[Slots, str]] | None = None
        if counted:
            caps.calls += 1

    def expect(self, size: int) -> None:
        """So much is announced: refused at once where it will not fit, and held only as it comes.

        Held when announced, it would cost a client nothing to keep all others out. Raises UNAVAILABLE.
        """
        self._caps.check(size)

    def take(self, size: int) -> None:
        """So much more is held of the request. Raises UNAVAILABLE where it is too much."""
        if self._counted:
            self._caps.check(size)
            self._caps.bytes += size
            self._bytes += size

    def hold(self, slots: Slots, key: str) -> None:
        """Be one of those."""
        slots.take(key)
        if self._slots is None:
            self._slots = []
        self._slots.append((slots, key))

    def release(self) -> None:
        """Give all of it back."""
        caps = self._caps
        caps.bytes -= self._bytes
        self._bytes = 0
        if self._counted:
            self._counted = False
            caps.calls -= 1
        while self._slots:
            slots, key = self._slots.pop()
            slots.give(key)

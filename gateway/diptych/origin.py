"""Where a call came from: its protocol, its peer, and who the peer has proven to be by a certificate.

Faces make it; whoever stands between a face and a servicer (interceptors, above all) may ask for it. It knows no call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, Protocol

ProtocolName = Literal["grpc", "rest", "websocket", "grpc-web", "connect"]

INSECURE: Mapping[str, Sequence[bytes]] = {
    "transport_security_type": [b"insecure"],
    "security_level": [b"TSI_SECURITY_NONE"],
}
"""`auth_context()` of a call over plain text, as grpcio has it."""


IDENTITY_KEYS = ("x509_subject_alternative_name", "x509_common_name")
"""What tells who the peer is, the better one first."""


class Lease(Protocol):
    """What one call holds until it is over."""

    def expect(self, size: int) -> None:
        """A request of so many bytes is announced. Raises `StatusError` where there is no room for it."""

    def take(self, size: int) -> None:
        """So many bytes of its request are held. Raises `StatusError` where they are too many."""

    def hold(self, slots: Any, key: str) -> None:
        """It is one of the calls at once that `slots` counts under a key."""

    def release(self) -> None:
        """Give all of it back."""


class Origin:
    """One call's. `peer` is as grpcio's `context.peer()`, `auth` as its `context.auth_context()`.

    `notes` are what those who handled the call found out about it (the principal, say), by a key of each one's own.
    `settled` tells whether `peer` and `auth` are known yet: on gRPC's own port they are once the behaviour runs.
    """

    # What most calls leave as it is stands in the class: one of these is made for every call.
    initial: tuple[tuple[str, str | bytes], ...] = ()
    """What goes out before the servicer's own initial metadata, whoever answers: add to it before the answer begins."""
    route: tuple[str, str] | None = None
    """The verb and the template of the binding, over REST."""
    asked: str | None = None
    """The path of the call, where no registered method has it."""
    record: Any = None
    """What telemetry keeps of the call."""
    came: float | None = None
    """When it came, by `time.perf_counter`, where that is before its record is begun."""
    lease: Lease | None = None
    """What it holds of what is limited."""
    settle: tuple[Callable[[], Awaitable[Any]], ...] = ()
    """Asked before the behaviour runs where `settled` was false before: each gives a status that refuses, or None."""

    def __init__(
        self,
        protocol: ProtocolName,
        peer: str = "unknown:",
        *,
        auth: Mapping[str, Sequence[bytes]] = INSECURE,
        notes: dict[str, Any] | None = None,
        settled: bool = True,
    ) -> None:
        self.protocol, self.peer, self.auth, self.settled = protocol, peer, auth, settled
        self.notes: dict[str, Any] = {} if notes is None else notes

    def over(self) -> None:
        """The call is over, however it ended; whoever took it from its client says so."""
        if self.record is not None:
            self.record.end()
        lease = self.lease
        if lease is not None:
            self.lease = None
            lease.release()


def peer_of(host: str, port: int) -> str:
    """An address as `context.peer()` writes it."""
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


_current: ContextVar[Origin | None] = ContextVar("diptych.origin", default=None)


def origin() -> Origin | None:
    """The origin of the call that this runs for: in interceptors and in servicers, plain functions in threads too.

    On grpcio's own listener `peer` and `auth` are known from the moment the behaviour runs, not yet in
    `intercept_service`: grpcio tells interceptors neither.
    """
    return _current.get()


def enter(found: Origin) -> None:
    """Make it the current one of this task and of those it begins."""
    _current.set(found)

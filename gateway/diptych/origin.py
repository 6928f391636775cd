"""Where a call came from: its protocol, its peer, and the identity in the peer's certificate.

Faces make it; interceptors and servicers read it. It knows no call.
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
"""grpcio's `auth_context()` of a plain-text call."""


IDENTITY_KEYS = ("x509_subject_alternative_name", "x509_common_name")
"""The keys of `auth_context()` that identify the peer, the preferred one first."""


class Lease(Protocol):
    """The resources that a call holds until it ends."""

    def expect(self, size: int) -> None:
        """Checks that a request of `size` declared bytes fits. Raises `StatusError` if it does not."""

    def take(self, size: int) -> None:
        """Adds `size` received bytes of the request. Raises `StatusError` if that exceeds the limit."""

    def give(self, size: int) -> None:
        """Removes bytes that were freed before the call's end."""

    def hold(self, slots: Any, key: str) -> None:
        """Adds a slot of concurrent calls, which `slots` counts under `key`."""

    def release(self) -> None:
        """Releases everything."""


class Origin:
    """The origin of one call. `peer` has the form of grpcio's `context.peer()`, `auth` of its `context.auth_context()`.

    `notes` hold what interceptors find out about the call, such as the principal; each under its own key.
    `settled` is false while `peer` and `auth` are unknown: on the engines of `rpc_server`, until the behaviour runs.
    """

    # No class attributes and no keyword-only parameters: CPython makes and reads such objects several times slower.
    def __init__(
        self, protocol: ProtocolName, peer: str = "unknown:", auth: Mapping[str, Sequence[bytes]] = INSECURE
    ) -> None:
        self.protocol, self.peer, self.auth = protocol, peer, auth
        self.settled = True
        self.notes: dict[str, Any] = {}
        self.initial: tuple[tuple[str, str | bytes], ...] = ()
        """Initial metadata to send before the servicer's own; can be extended until the response begins."""
        self.route: tuple[str, str] | None = None
        """The verb and path template of the REST binding; None for other protocols."""
        self.unknown_path: str | None = None
        """The path of the call if it matches no registered method, else None."""
        self.record: Any = None
        """The telemetry record of the call."""
        self.arrived: float | None = None
        """The time of arrival by `time.perf_counter`, if that is before the record begins."""
        self.lease: Lease | None = None
        """The limited resources that the call holds."""
        self.settle: tuple[Callable[[], Awaitable[Any]], ...] = ()
        """Checks to run before the behaviour if `settled` was false; each returns a refusing status, or None."""

    def over(self) -> None:
        """Ends the call's record and releases its lease; the session calls it once, for every outcome."""
        if self.record is not None:
            self.record.end()
        lease = self.lease
        if lease is not None:
            self.lease = None
            lease.release()


def peer_of(host: str, port: int) -> str:
    """Returns an address in the form of grpcio's `context.peer()`."""
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


_current: ContextVar[Origin | None] = ContextVar("diptych.origin", default=None)


def origin() -> Origin | None:
    """Returns the origin of the current call, in interceptors and servicers, including `def` servicers in threads.

    With the grpcio engine, `peer` and `auth` are known once the behaviour runs, not yet in `intercept_service`:
    grpcio passes neither to interceptors.
    """
    return _current.get()


enter: Callable[[Origin], object] = _current.set
"""Sets the origin for the current task and the tasks it starts."""

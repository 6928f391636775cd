"""The caller: principal, credentials, and the interface of authenticators.

It knows no settings, no wire format and no kind of credentials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..origin import Origin, origin

NOTE = "principal"
"""The caller's key in `Origin.notes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller.

    `kind` is "api-key", "jwt", "certificate", or a custom authenticator's own term. `expires`, in seconds since 1970,
    is when the credentials expire; None: never. `claims` are a token's; `repr()` leaves them out.
    """

    id: str
    kind: str
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    expires: float | None = None


@dataclass(slots=True, kw_only=True)
class Credentials:
    """The credentials of one call; `repr()` leaves out the secrets.

    `method` is `/{package.Service}/{Method}`, or a page's path. `bearer` is the token of `authorization: Bearer`,
    `authorization` the whole header, with any scheme. `origin.auth` holds the names of a verified client certificate.
    """

    method: str
    origin: Origin
    bearer: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    authorization: str | None = field(default=None, repr=False)
    metadata: Sequence[tuple[str, str | bytes]] = field(default=(), repr=False)


class Refused(Exception):
    """Wrong credentials. `reason` goes to the client and must not repeat what it sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Authenticator(Protocol):
    """Identifies callers.

    Three more attributes are optional: `needs_connection = True` if it reads `origin.auth` or `origin.peer`, which
    grpcio's listener knows later than the metadata; `security_schemes`, OpenAPI's, by name; and `close()`, a coroutine
    function that is awaited when the gateway stops.
    """

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the caller; None if these are not this authenticator's credentials, so that the next one is tried.

        Raises `Refused` if they are and they are wrong, which ends the search, and `StatusError` if they cannot be
        checked at the moment.
        """


def principal() -> Principal | None:
    """Returns the caller of the current call; None for an anonymous call, or without an authenticator.

    For servicers, `async def` or plain, and for interceptors that run after the gateway's own.
    """
    known = origin()
    return None if known is None else known.notes.get(NOTE)

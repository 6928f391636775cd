"""Who a caller is, what it showed, and how whoever answers asks for it.

It knows no settings, no wire and no kind of credentials.
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
    """A caller who is known.

    `kind` says by what: "api-key", "jwt", "certificate", or a custom authenticator's own word. `expires`, in seconds
    since 1970, is when the credentials stop being taken; None is never. `claims` are a token's, and are not printed.
    """

    id: str
    kind: str
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    expires: float | None = None


@dataclass(slots=True, kw_only=True)
class Credentials:
    """What a call came with; nothing secret of it is ever printed.

    `method` is `/{package.Service}/{Method}`, or a page's path. `bearer` is the token of `authorization: Bearer`,
    `authorization` that header whole, whatever its scheme. `origin.auth` has what a client's certificate has proven.
    """

    method: str
    origin: Origin
    bearer: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    authorization: str | None = field(default=None, repr=False)
    metadata: Sequence[tuple[str, str | bytes]] = field(default=(), repr=False)


class Refused(Exception):
    """Credentials that are wrong. `reason` is told to the client, and holds nothing of what it sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Authenticator(Protocol):
    """Tells who a caller is.

    Three attributes it may have besides: `needs_connection = True` where it looks at `origin.auth` or `origin.peer`,
    which grpcio's own listener knows later than the metadata; `security_schemes`, OpenAPI's, by name; and `close()`,
    a coroutine function awaited when the gateway stops.
    """

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller; None where these credentials are none of its kind, so that the next authenticator is asked.

        Raises `Refused` where they are of its kind and wrong, which ends the search, and `StatusError` where they
        cannot be checked just now.
        """


def principal() -> Principal | None:
    """The caller of the call that this runs for; None where there is none, or no authenticator is set.

    For interceptors behind the gateway's own, and for servicers: `async def` ones, and plain ones in their threads.
    """
    known = origin()
    return None if known is None else known.notes.get(NOTE)

"""Python's TLS for a listener: plain HTTP is told so in its own words, and handshakes under way are counted.

It knows no file and no asyncio.
"""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Self

from .identity import AuthContext, auth_context


class Server(ssl.SSLObject):
    """The server's end of one connection."""

    requested_name: str | None = None
    """What the client said it wants to speak to."""
    room: Room | None = None
    outgoing: ssl.MemoryBIO | None = None
    refused: ssl.SSLError | None = None
    """Why there will be no handshake."""
    _under_way = False

    @cached_property
    def proven(self) -> AuthContext:
        """What it has shown of its client, once the handshake is over."""
        return auth_context(self)

    def begin(self, room: Room, outgoing: ssl.MemoryBIO) -> None:
        """Count it; where there is no room, what it is asked to do first fails."""
        if room.is_full():
            self.refused = ssl.SSLError("too many connections")
            return
        self.room, self.outgoing, self._under_way = room, outgoing, True
        room.handshakes += 1
        begun = _BEGUN.get()
        if begun is not None:
            begun.append(weakref.ref(self))

    def do_handshake(self) -> None:
        """As SSLObject's; a client that is refused is told why, one that speaks plain HTTP by an answer of that."""
        if self.refused is not None:
            raise self.refused
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as wrong:
            self.end()
            if self.outgoing is None or self.room is None:
                raise
            if wrong.reason == "HTTP_REQUEST":
                self.outgoing.write(self.room.plain_answer)
            if not self.outgoing.pending:
                raise
            # asyncio writes what waits (an alert, that says what is wrong) only where the handshake is said to go on;
            # the client closes then, or the time-out does.
            self.refused = wrong
            raise ssl.SSLWantReadError from None
        self.end()

    def end(self) -> None:
        """Count it no more."""
        if self._under_way and self.room is not None:
            self._under_way = False
            self.room.handshakes -= 1

    def __del__(self) -> None:
        self.end()  # timed out, or its client left


class Room:
    """What a listener's connections have in common. `plain_answer` is what a client of plain HTTP is sent."""

    def __init__(self, is_full: Callable[[], bool] = lambda: False, plain_answer: bytes = b"") -> None:
        self.is_full, self.plain_answer = is_full, plain_answer
        self.handshakes = 0
        """Those under way."""

    def attempt(self) -> Callable[[object], None]:
        """Begin one in a context of its own; what is returned says that it is over, however it went.

        asyncio leaves a failed one to the garbage collector, which may be long in coming.
        """
        begun: list[weakref.ref[Server]] = []
        _BEGUN.set(begun)

        def over(_: object) -> None:
            for one in begun:
                server = one()
                if server is not None:
                    server.end()

        return over


_BEGUN: ContextVar[list[weakref.ref[Server]] | None] = ContextVar("begun", default=None)


class Context(ssl.SSLContext):
    """A listener's."""

    room: Room

    @classmethod
    def of(cls) -> Self:
        """One without a certificate yet."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made.room = Room()
        made.sslobject_class = Server
        made.sni_callback = _named
        return made

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **options: Any) -> Any:
        """The server's end of a connection between the two."""
        made = super().wrap_bio(incoming, outgoing, *arguments, **options)
        made.begin(self.room, outgoing)  # type: ignore[attr-defined]
        return made


def _named(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
    connection.requested_name = name

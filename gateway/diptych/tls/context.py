"""Python's TLS for a listener: answers plain HTTP with an error over HTTP, and counts handshakes under way.

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


class ServerConnection(ssl.SSLObject):
    """The server's side of one connection."""

    requested_name: str | None = None
    """The server name in the client's hello (SNI)."""
    admission: Admission | None = None
    outgoing: ssl.MemoryBIO | None = None
    refused: ssl.SSLError | None = None
    """Why the handshake is refused; None if it is not."""
    _under_way = False

    @cached_property
    def proven(self) -> AuthContext:
        """The client's authenticated properties, once the handshake is complete."""
        return auth_context(self)

    def begin(self, admission: Admission, outgoing: ssl.MemoryBIO) -> None:
        """Counts the handshake, or refuses it if there are too many connections."""
        if admission.is_full():
            self.refused = ssl.SSLError("too many connections")
            return
        self.admission, self.outgoing, self._under_way = admission, outgoing, True
        admission.handshakes += 1
        begun = _BEGUN.get()
        if begun is not None:
            begun.append(weakref.ref(self))

    def do_handshake(self) -> None:
        """As SSLObject's, but a failed client receives the TLS alert, or an HTTP response if it speaks plain HTTP."""
        if self.refused is not None:
            raise self.refused
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as wrong:
            self.end()
            if self.outgoing is None or self.admission is None:
                raise
            if wrong.reason == "HTTP_REQUEST":
                self.outgoing.write(self.admission.plain_answer)
            if not self.outgoing.pending:
                raise
            # asyncio writes pending bytes (the alert) only if the handshake continues; then the client closes, or the
            # handshake times out.
            self.refused = wrong
            raise ssl.SSLWantReadError from None
        self.end()

    def end(self) -> None:
        """Stops counting the handshake."""
        if self._under_way and self.admission is not None:
            self._under_way = False
            self.admission.handshakes -= 1

    def __del__(self) -> None:
        self.end()  # timed out, or the client left


class Admission:
    """State shared by a listener's connections. `plain_answer` is the response to plain HTTP on a TLS port."""

    def __init__(self, is_full: Callable[[], bool] = lambda: False, plain_answer: bytes = b"") -> None:
        self.is_full, self.plain_answer = is_full, plain_answer
        self.handshakes = 0
        """The number of handshakes under way."""

    def attempt(self) -> Callable[[object], None]:
        """Begins a handshake in its own `contextvars` context; returns the callback for its end.

        asyncio leaves a failed one to the garbage collector, which may take long.
        """
        begun: list[weakref.ref[ServerConnection]] = []
        _BEGUN.set(begun)

        def over(_: object) -> None:
            for one in begun:
                server = one()
                if server is not None:
                    server.end()

        return over


_BEGUN: ContextVar[list[weakref.ref[ServerConnection]] | None] = ContextVar("begun", default=None)


class ServerContext(ssl.SSLContext):
    """The TLS context of a listener."""

    admission: Admission

    @classmethod
    def of(cls) -> Self:
        """Returns a context without a certificate."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.admission = Admission()
        context.sslobject_class = ServerConnection
        context.sni_callback = _named
        return context

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **options: Any) -> Any:
        """Returns the server's side of a connection over the two buffers."""
        connection = super().wrap_bio(incoming, outgoing, *arguments, **options)
        connection.begin(self.admission, outgoing)  # type: ignore[attr-defined]
        return connection


def _named(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
    connection.requested_name = name

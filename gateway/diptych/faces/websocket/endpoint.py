"""The start-up state of one WebSocket path: its binder, its replier and its limits.

It knows no socket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ... import template
from ...bind import Binder
from ...codec import Codec
from ...methods import Method
from ...reply import Replier
from ...rules import Binding
from ...settings import Settings

# A handshake is a GET (RFC 6455 section 4.1), even if the binding has another verb.
VERB = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketEndpoint:
    """One path of one streaming method, which takes `most` messages; None for any number."""

    method: Method
    binder: Binder
    replier: Replier
    most: int | None
    limit: int

    @classmethod
    def of(cls, method: Method, binding: Binding, codec: Codec, settings: Settings) -> SocketEndpoint:
        """Resolves a binding; a client stream reads frames even if its binding has no body."""
        if method.client_streaming and not binding.takes_body:
            binding = replace(binding, whole_body=True)
        return cls(
            method=method,
            binder=Binder(method, binding, codec, settings, framed=True),
            replier=Replier(method, binding, codec, settings),
            most=None if method.client_streaming else int(binding.takes_body),
            limit=settings.body_limit(method.path),
        )

    @classmethod
    def named(cls, method: Method, codec: Codec, settings: Settings) -> SocketEndpoint:
        """Returns the endpoint at `/{package.Service}/{Method}`."""
        path = template.parse(method.path)
        binding = Binding(method=method.descriptor, verb="POST", template=path, whole_body=True)
        return cls.of(method, binding, codec, settings)


def streams(method: Method) -> bool:
    """Whether either side streams."""
    return method.client_streaming or method.server_streaming


def best(bindings: Iterable[tuple[Method, Binding]]) -> Iterable[tuple[Method, Binding]]:
    """Returns one streaming binding for each path shape, since a handshake has no verb to distinguish them.

    Bidirectional streams win over client streams, those over server streams, then GET over other verbs. The others can
    still be reached at `/{package.Service}/{Method}`.
    """

    def rank(one: tuple[Method, Binding]) -> tuple[bool, bool, bool]:
        method, binding = one
        both = method.client_streaming and method.server_streaming
        return not both, not method.client_streaming, binding.verb != VERB

    found: dict[str, tuple[Method, Binding]] = {}
    for one in sorted((one for one in bindings if streams(one[0])), key=rank):
        found.setdefault(one[1].template.shape, one)
    return found.values()

"""The state of one WebSocket path: its binder, its replier and its limits.

It knows no socket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ... import template
from ...bind import Binder, binder_of
from ...codec import Codec
from ...deferred import deferred
from ...methods import Method
from ...reply import Replier
from ...rules import Binding
from ...settings import Settings

# A handshake is a GET (RFC 6455 section 4.1), even if the binding has another verb.
VERB = "GET"


class SocketEndpoint:
    """One path of one streaming method, which takes `most` messages; None for any number.

    A client stream reads frames even if its binding has no body.
    """

    __slots__ = ("_binding", "_codec", "_settings", "binder", "limit", "method", "most", "replier")
    binder: Binder
    replier: Replier

    def __init__(self, method: Method, binding: Binding, codec: Codec, settings: Settings) -> None:
        if method.client_streaming and not binding.takes_body:
            binding = replace(binding, whole_body=True)
        self._binding, self._codec, self._settings = binding, codec, settings
        self.method = method
        self.most = None if method.client_streaming else int(binding.takes_body)
        self.limit = settings.body_limit(method.path)

    def make(self) -> None:
        """Makes the binder and the replier."""
        self.binder = binder_of(self.method, self._binding, self._codec, self._settings, framed=True)
        self.replier = Replier(self.method, self._binding, self._codec, self._settings)

    @classmethod
    def of(cls, method: Method, binding: Binding, codec: Codec, settings: Settings) -> SocketEndpoint:
        """Returns the endpoint of a binding, made now or, with a deferring codec, by its first handshake."""
        if codec.defers:
            return _Deferred(method, binding, codec, settings)
        endpoint = cls(method, binding, codec, settings)
        endpoint.make()
        return endpoint

    @classmethod
    def named(cls, method: Method, codec: Codec, settings: Settings) -> SocketEndpoint:
        """Returns the endpoint at `/{package.Service}/{Method}`."""
        path = template.parse(method.path)
        binding = Binding(method=method.descriptor, verb="POST", template=path, whole_body=True)
        return cls.of(method, binding, codec, settings)


_Deferred = deferred(SocketEndpoint)


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

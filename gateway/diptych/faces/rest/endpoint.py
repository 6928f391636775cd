"""The state of one REST binding: its binder, its replier and its limits.

It knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...bind import Binder, binder_of
from ...codec import Codec
from ...deferred import deferred
from ...metadata import HeaderPolicy
from ...methods import Method
from ...reply import ErrorReplier, Replier
from ...rules import Binding
from ...settings import Settings


class Endpoint:
    """One binding. `body_limit` is the most bytes of one message."""

    __slots__ = (
        *("_codec", "_settings", "binder", "binding", "body_limit", "compress_from"),
        *("method", "plain", "replier", "route", "streams_in"),
    )
    binder: Binder
    replier: Replier

    def __init__(self, method: Method, binding: Binding, codec: Codec, settings: Settings) -> None:
        self._codec, self._settings = codec, settings
        self.method, self.binding = method, binding
        self.body_limit = settings.body_limit(method.path)
        self.compress_from = settings.compress_from
        """The least bytes of an answer that is compressed for clients that accept it."""
        self.streams_in = method.client_streaming and binding.takes_body
        """Whether the body is a stream of requests; without a body, a client stream is one request."""
        self.route = (binding.verb, binding.template.text)
        """Verb and template, as telemetry names them."""
        self.plain = (
            not (method.client_streaming or method.server_streaming) and method.handler.request_deserializer is not None
        )
        """Whether it takes one message and returns one, so that our listener can serve it without ASGI."""

    def make(self) -> None:
        """Makes the binder and the replier."""
        self.binder = binder_of(self.method, self.binding, self._codec, self._settings)
        self.replier = Replier(self.method, self.binding, self._codec, self._settings)

    @classmethod
    def of(cls, method: Method, binding: Binding, codec: Codec, settings: Settings) -> Endpoint:
        """Returns the endpoint of a binding, made now or, with a deferring codec, by its first request."""
        if codec.defers:
            return _Deferred(method, binding, codec, settings)
        endpoint = cls(method, binding, codec, settings)
        endpoint.make()
        return endpoint


_Deferred = deferred(Endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options shared by all endpoints; `retry` and `heartbeats`, by media type, are in seconds."""

    errors: ErrorReplier
    policy: HeaderPolicy
    heartbeats: Mapping[str, float | None]
    retry: float | None

"""The start-up state of one REST binding: its binder, its replier and its limits.

It knows no request.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...bind import Binder
from ...codec import Codec
from ...metadata import HeaderPolicy
from ...methods import Method
from ...reply import ErrorReplier, Replier
from ...rules import Binding
from ...settings import Settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One binding. `body_limit` is the most bytes of one message."""

    method: Method
    binding: Binding
    binder: Binder
    replier: Replier
    body_limit: int
    streams_in: bool
    """Whether the body is a stream of requests. Without a body, a client stream is one request, from path and query."""
    route: tuple[str, str]
    """Verb and template, as telemetry names them."""
    plain: bool
    """Whether it takes one message and returns one, so that our listener can serve it without ASGI."""

    @classmethod
    def of(cls, method: Method, binding: Binding, codec: Codec, settings: Settings) -> Endpoint:
        """Resolves a binding. Raises `RuleError` if it cannot be served."""
        binder = Binder(method, binding, codec, settings)
        return cls(
            method=method,
            binding=binding,
            binder=binder,
            replier=Replier(method, binding, codec, settings),
            body_limit=settings.body_limit(method.path),
            streams_in=method.client_streaming and binder.takes_body,
            route=(binding.verb, binding.template.text),
            plain=not (method.client_streaming or method.server_streaming)
            and method.handler.request_deserializer is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options shared by all endpoints; `heartbeat` is in seconds."""

    errors: ErrorReplier
    policy: HeaderPolicy
    heartbeat: float

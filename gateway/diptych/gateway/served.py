"""Builds what a gateway serves: codec, interceptors, calls and faces, once before the first request.

It knows no listener and no order of starting.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc

from ..auth import Auth
from ..call import Calls
from ..call.blocking import BlockingWatch
from ..codec import Codec, JsonLimits
from ..faces.rest import Transcoder
from ..faces.rpc import RpcApp
from ..faces.session import Session
from ..faces.websocket import WebSockets
from ..http_server import Faces
from ..limits import Limiting
from ..methods import Method, MethodTable
from ..readiness import Readiness
from ..reply import ErrorReplier
from ..rules import Binding
from ..settings import Settings
from ..standard import Standard
from ..telemetry.setup import Telemetry

__all__ = ["Served"]

# Preparing a method takes up to 2 ms and 80 KiB. The first request of a method that is not prepared takes that longer.
_MOST_PREPARED = 500


class Served:
    """The faces of one gateway, and what they share. Raises `RuleError` for an annotation that cannot be served."""

    def __init__(
        self,
        methods: MethodTable,
        bound: Sequence[tuple[Method, Binding]],
        settings: Settings,
        *,
        auth: Auth,
        limits: Limiting,
        readiness: Readiness,
        telemetry: Telemetry,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
    ) -> None:
        self.threads = telemetry.runtime.pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="diptych")
        """Runs servicers written as plain functions."""
        self.standard = Standard(methods.services, readiness, reflection=settings.reflection)
        handlers = {**self.standard.handlers, **{method.path: method.handler for method in methods}}
        open_ended = bool(methods.generic)
        authenticating = auth.interceptors(handlers, self.threads, open_ended=open_ended)
        limiting = limits.limit(handlers, open_ended=open_ended)
        calls = Calls(
            methods,
            (*limits.shed(handlers), *authenticating, *limiting, *interceptors),
            threads=self.threads,
            standard=self.standard.handlers,
            debug=settings.debug,
            max_seconds=settings.max_deadline_seconds,
            recorder=telemetry.recorder,
            new_lease=limits.new_lease,
        )
        paths = {method.path: method.handler for method in methods}
        self.blocking = BlockingWatch(paths, settings.blocking_seconds) if settings.blocking_seconds else None
        """Logs servicers that block the event loop."""
        self.faces = _faces(calls, methods, bound, settings)


def _faces(calls: Calls, methods: MethodTable, bound: Sequence[tuple[Method, Binding]], settings: Settings) -> Faces:
    limits = JsonLimits(depth=settings.max_nesting_depth, elements=settings.max_elements)
    codec = Codec(methods.files, policy=settings.unknown_fields, limits=limits, defers=len(methods) > _MOST_PREPARED)
    session, errors = Session(calls, settings), ErrorReplier(codec, settings.error_dialect)
    rest = Transcoder(bound, session=session, codec=codec, errors=errors, settings=settings)
    claimed = {binding.template.text for _, binding in bound}
    websocket = WebSockets(
        bound,
        session=session,
        codec=codec,
        errors=errors,
        settings=settings,
        served=lambda path: rest.fits(path) or path in calls.handlers,
    )
    rpc = RpcApp(session, codec, methods, settings, claimed=claimed)
    return Faces(session=session, errors=errors, rest=rest, rpc=rpc, websocket=websocket)

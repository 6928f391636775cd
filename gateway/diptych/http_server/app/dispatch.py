"""Chooses what serves a request of the application, over ASGI or, if it has arrived whole, without.

It knows no listener.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...exchange import Serve, WholeRequest, raw_path
from ...faces.rest import Transcoder
from ...faces.rpc import VERSION, RpcApp
from ...reply import Headers as RawHeaders
from ...settings import Settings
from .cors import cross_origin
from .cross_site import REFUSED, CrossSite
from .faces import Faces
from .hosts import Hosts
from .refusal import refuse
from .user_routes import UserRoutes


class Dispatch:
    """The innermost ASGI app: users' routes, then the RPC protocols, then the transcoder, also for 404.

    An RPC method's path comes before users' routes with parameters, so that the fallback route of a web app does not
    hide it.
    """

    def __init__(self, app: ASGIApp, owner: FastAPI, faces: Callable[[], Awaitable[Faces]], settings: Settings) -> None:
        self._router, self._build = app, faces
        self._cross_site = CrossSite(settings.cors_origins)
        self._faces: Faces | None = None
        self._users = UserRoutes(owner)
        self._routes = owner.router

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._other(scope, receive, send)
        faces = self._faces
        if faces is None:
            return self._first(scope, receive, send)
        rpc, users = faces.rpc, self._users
        path = scope["path"] if not scope.get("root_path") else _below(scope)
        verbs = users.verbs(path)
        app: ASGIApp
        if verbs is not None and scope["method"] in verbs:
            app = self._router
        elif path in rpc.entries and rpc.serves(scope, path):
            app = rpc
        elif self._is_users(scope, faces.rest, known=verbs is not None):
            app = self._router
        else:
            app = rpc if scope["method"] == "POST" and _is_rpc(rpc, scope["headers"], path) else faces.rest
        if app is not self._router and self._cross_site.refuses(scope):  # users protect their own routes
            return refuse(faces, REFUSED, scope, receive, send)
        return app(scope, receive, send)

    async def _first(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._faces = await self._build()
        await self(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes lifespans, and WebSockets that match a user's route, to the router."""
        if scope["type"] == "websocket":
            if self._faces is None:
                self._faces = await self._build()
            if not any(route.matches(scope)[0] is Match.FULL for route in self._routes.routes):
                await self._faces.websocket(scope, receive, send)
                return
        await self._router(scope, receive, send)

    def _is_users(self, scope: Scope, rest: Transcoder, *, known: bool) -> bool:
        """Whether a user's route matches, or matches except for its method while no transcoded route matches at all."""
        found = self._users.matches(scope)
        if Match.FULL in found:
            return True
        return (known or bool(found)) and not rest.fits(raw_path(scope))


class WholeDispatch:
    """Has a `Door`: the same choice for requests that have arrived whole, made without ASGI.

    It returns nothing for those that users' middleware or routes may see, and for all that its faces do not serve so.
    """

    def __init__(self, app: FastAPI, faces: Faces, settings: Settings) -> None:
        self._app, self._faces = app, faces
        self._users = UserRoutes(app)
        self._hosts, self._cross_site = Hosts.of(settings), CrossSite(settings.cors_origins)
        self._cors = cross_origin(app, settings) if settings.cors_origins else None

    def door(self, request: WholeRequest) -> Serve | None:
        """Returns what serves the request, or None."""
        path, rpc = request.path, self._faces.rpc
        if "%" in path:
            path = unquote(path)
        app, users = self._app, self._users
        if app.user_middleware or app.root_path:
            return None
        # What names another host, or may be of another site's page, is refused over ASGI.
        fields, hosts = request.fields, self._hosts
        host = request.authority or fields.get(b"host")
        if hosts is not None and host != hosts.last and not hosts.allow(host):
            return None
        if (b"origin" in fields or b"sec-fetch-site" in fields) and self._cross_site.refuses_whole(request):
            return None
        if path in rpc.entries and rpc.takes(request, path):
            serve = None if users.has_literal(path) else rpc.door(request, path)
        elif users.may_match(path) or (
            request.verb == "POST" and rpc.recognizes(path, fields.get(b"content-type"), connect=VERSION in fields)
        ):
            return None
        else:
            serve = self._faces.rest.door(request)
        if serve is not None and self._cors is not None:
            request.amend = partial(_cross_origin, self._cors, Headers(raw=list(request.headers)))
        return serve

    def obstacle(self, path: str) -> str | None:
        """Says what makes every REST request for a decoded path go through ASGI; None if nothing does."""
        app = self._app
        if app.user_middleware:
            return "the application has middleware"
        if app.root_path:
            return "the application has a root_path"
        return "the application has a route that could match the path" if self._users.may_match(path) else None


def _is_rpc(rpc: RpcApp, headers: list[tuple[bytes, bytes]], path: str) -> bool:
    content_type, connect = None, False
    for name, value in headers:  # a single pass, since every REST POST over ASGI comes through here
        if name == b"content-type":
            content_type = content_type or value
        elif name == VERSION:
            connect = True
    return rpc.recognizes(path, content_type, connect=connect)


def _cross_origin(cors: CORSMiddleware, request: Headers, headers: RawHeaders) -> RawHeaders:
    """Returns a response's headers as the middleware sends them; without an Origin it still adds Vary, for caches."""
    message: Message = {"type": "http.response.start", "headers": headers}
    sending = cors.send(message, _nowhere, request)
    with contextlib.suppress(StopIteration):
        sending.send(None)
    changed: RawHeaders = message["headers"]
    return changed


async def _nowhere(_: Message) -> None:
    return


def _below(scope: Scope) -> str:
    path: str = scope["path"]
    root: str = scope["root_path"]
    return path[len(root) :] if path.startswith(root + "/") else path

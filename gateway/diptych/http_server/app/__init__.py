"""The FastAPI application: docs, health, the users' own routes, and the transcoder behind them.

It opens no port.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import orjson
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from ...exchange import PREFIX, StreamCut
from ...extras import MissingExtra, need
from ...readiness import Readiness
from ...reply import Reply
from ...settings import Settings
from ...status import CODE_OF_HTTP, Code, Status, StatusError, Violation, invalid
from . import docs_page
from .cors import cross_origin
from .dispatch import Dispatch
from .faces import Faces
from .hosts import HostCheck, Hosts

_ASSETS = "/docs/assets"


def make_app(
    *,
    settings: Settings,
    faces: Callable[[], Awaitable[Faces]],
    document: Callable[[], dict[str, Any]],
    ready: Callable[[], bool],
    readiness: Readiness,
    lifespan: Lifespan[Any],
    page: Callable[..., Awaitable[Any]] | None = None,
    workers: Callable[[], Mapping[str, int] | None] = lambda: None,
) -> FastAPI:
    """Returns the application. `faces` builds what it serves on the first call; `document` is the OpenAPI document.

    `page` is the dependency that guards the documentation unless it is public. `workers` returns what `/readyz` reports
    about the other worker processes.
    """
    app = _Application(
        faces,
        settings,
        title=settings.title or "Diptych",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        openapi_tags=[{"name": "Health", "description": "Whether the process is alive, and whether it accepts calls."}],
        redirect_slashes=False,  # a trailing slash is another path, and a redirect would cost every request a search
        lifespan=lifespan,
        # FastAPI's own spans know none of our routes, and it reads the environment three times per request to find that
        # they are off, which was a fifth of a small request's time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _add_health(app, ready, readiness, workers)
    if settings.docs:
        _add_docs(app, settings, document, [] if page is None or settings.auth.docs_public else [Depends(page)])
    _add_errors(app, faces)
    return app


class _Application(FastAPI):
    """FastAPI with the transcoder in its middleware stack: innermost of the user's, so that they see every request."""

    def __init__(self, faces: Callable[[], Awaitable[Faces]], settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._faces, self._settings = faces, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stack = self.middleware_stack
        if stack is None or self.root_path or scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self  # all that FastAPI's and Starlette's __call__ do
        await stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's hook, called once, by the first request."""
        stack = self._stack()
        # Around them all, since users' own routes and pages are served for these hosts too.
        if (hosts := Hosts.of(self._settings)) is not None:
            stack = HostCheck(stack, hosts, self._faces, explicit=self._settings.allowed_hosts is not None)
        # Outermost, so that pages can read errors too; omitted if no origin is allowed.
        return cross_origin(stack, self._settings) if self._settings.cors_origins else stack

    def _stack(self) -> ASGIApp:
        if not self.user_middleware:
            # Transcoded requests bypass FastAPI's own three middlewares, which serve its routes only.
            return Dispatch(super().build_middleware_stack(), self, self._faces, self._settings)
        self.user_middleware.append(Middleware(Dispatch, owner=self, faces=self._faces, settings=self._settings))
        try:
            return super().build_middleware_stack()
        finally:
            self.user_middleware.pop()


def _add_health(
    app: FastAPI,
    ready: Callable[[], bool],
    readiness: Readiness,
    workers: Callable[[], Mapping[str, int] | None],
) -> None:
    @app.get("/healthz", tags=["Health"], summary="Whether the process is alive.")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["Health"],
        summary="Whether the process accepts calls.",
        responses={503: {"description": "The process accepts no calls, or a check that gates it fails."}},
    )
    async def readyz(response: Response) -> dict[str, Any]:
        results = await readiness.look()
        fit = ready() and readiness.fit("", results)
        response.status_code = 200 if fit else 503
        state = "ready" if fit else "stopping" if not ready() else "not ready"
        body = {"status": state, "checks": readiness.words(results)}
        others = workers()
        return body if others is None else {**body, "workers": others}


def _add_docs(
    app: FastAPI, settings: Settings, document: Callable[[], dict[str, Any]], dependencies: Sequence[Any]
) -> None:
    app.openapi = document  # type: ignore[method-assign]

    # Not a coroutine: the first document of a large API takes seconds, in a thread.
    @app.get("/openapi.json", include_in_schema=False, dependencies=dependencies)
    def openapi(request: Request) -> Response:
        from ...openapi import behind

        shown = behind(document(), _prefix(request))
        return Response(orjson.dumps(shown), media_type="application/json")

    try:
        need("/docs", "fastapi-offline", "docs", "fastapi_offline")
    except MissingExtra as missing:
        _add_missing_docs(app, f"{missing}\nThe OpenAPI document is at openapi.json.\n", dependencies)
        return

    @app.get("/docs", include_in_schema=False, dependencies=dependencies)
    def docs(request: Request) -> HTMLResponse:
        root = _prefix(request)
        shown = docs_page.page(
            document=f"{root}/openapi.json", assets=f"{root}{_ASSETS}", title=document()["info"]["title"]
        )
        return HTMLResponse(shown)

    # The page loads nothing from other hosts: its files are the installed package's. Each file has a route, since a
    # mount would be matched with every request.
    directory = resources.files("fastapi_offline") / "static"
    for name in (docs_page.SCRIPT, docs_page.STYLE, docs_page.ICON):
        app.add_route(f"{_ASSETS}/{name}", _file(str(directory / name)), include_in_schema=False)


def _prefix(request: Request) -> str:
    """Returns what clients see before the paths of this application: what a proxy removed, and the mount point."""
    prefix: str = request.scope.get(PREFIX, "") + request.scope.get("root_path", "")
    return prefix.rstrip("/")


def _add_missing_docs(app: FastAPI, text: str, dependencies: Sequence[Any]) -> None:
    @app.get("/docs", include_in_schema=False, dependencies=dependencies)
    async def docs() -> PlainTextResponse:
        return PlainTextResponse(text, 501)


def _file(path: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(path)

    return send


def _add_errors(app: FastAPI, faces: Callable[[], Awaitable[Faces]]) -> None:
    async def respond(status: Status) -> Response:
        return _response((await faces()).errors.reply(status))

    async def http_error(_: Request, error: HTTPException) -> Response:
        if error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        code = CODE_OF_HTTP.get(error.status_code, Code.INTERNAL if error.status_code >= 500 else Code.INVALID_ARGUMENT)
        headers = tuple((error.headers or {}).items())
        message = error.detail if isinstance(error.detail, str) else orjson.dumps(error.detail, default=str).decode()
        return await respond(Status(code=code, message=message, http=error.status_code, headers=headers))

    async def refused(_: Request, error: StatusError) -> Response:
        return await respond(error.status)

    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        faults = (Violation(".".join(map(str, fault["loc"])), str(fault["msg"])) for fault in error.errors())
        return await respond(invalid(*faults, http=422).status)

    async def unexpected(request: Request, error: Exception) -> Response:
        if isinstance(error, StreamCut):
            return Response()  # never sent, since the stream has begun
        built = await faces()
        status = built.session.calls.guard.status(error, f"{request.method} {request.url.path}")
        return _response(built.errors.reply(status))

    app.exception_handler(HTTPException)(http_error)
    app.exception_handler(StatusError)(refused)
    app.exception_handler(RequestValidationError)(validation_error)
    app.add_exception_handler(Exception, unexpected)


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    response.raw_headers = reply.headers
    return response

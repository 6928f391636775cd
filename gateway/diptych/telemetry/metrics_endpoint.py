"""`/metrics`: a page of the application, or a separate port that clients of the gateway cannot reach.

It knows no metric.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from ..addresses import cannot_listen
from .exposition import Exposition

PATH = "/metrics"


def add_page(app: Starlette, exposition: Exposition, admit: Callable[[Request], Awaitable[object]] | None) -> None:
    """Adds `/metrics` to the HTTP port. `admit` raises for requests to refuse; None admits all."""

    async def metrics(request: Request) -> Response:
        if admit is not None:
            await admit(request)
        body, media = exposition.render(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": media, "cache-control": "no-store"})

    app.router.add_route(PATH, metrics, methods=["GET"], include_in_schema=False)


class MetricsPort:
    """A listener in separate threads, which answers even while the event loop is blocked."""

    def __init__(self, exposition: Exposition, host: str, port: int, *, several: bool) -> None:
        """`several` lets several processes bind the port (SO_REUSEPORT). Raises OSError if it is in use."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = type("_Listener", (_Server,), {"address_family": family, "allow_reuse_port": several})
        try:
            self._server: WSGIServer = kind((host, port), _Silent)
        except OSError as error:
            raise cannot_listen("telemetry.metrics", host, port, error) from None
        self._server.set_app(make_wsgi_app(exposition.source))  # it only calls collect()
        self._thread = threading.Thread(target=self._server.serve_forever, name="diptych-metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The bound port."""
        return self._server.server_port

    async def stop(self) -> None:
        """Stops the listener."""
        await asyncio.to_thread(self._server.shutdown)
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer's own method looks up the host's name by DNS, which may block, for a value that is not used.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class's own name
        """Logs nothing: scrapes are frequent and expected."""
